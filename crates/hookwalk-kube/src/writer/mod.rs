//! The rules that kube-proxy (iptables mode) writes, from 1.22 to 1.33: its own writer once more, so
//! that tests need no cluster and no kernel.
//!
//! [`KubeProxy::rules`] makes [`KubeRules`] of Services and `EndpointSlices`. They print as
//! [`KubeRules::save`] does what `iptables-save` shows of them, as [`KubeRules::restore`] the input that
//! loads them into an empty kernel, and as [`KubeRules::full_sync`] and [`KubeRules::partial_sync`]
//! what kube-proxy itself gives to `iptables-restore --noflush`.
//!
//! ```
//! use hookwalk_kube::objects::{Endpoint, EndpointPort, EndpointSlice, Service, ServicePort};
//! use hookwalk_kube::writer::{Config, KubeProxy};
//! use hookwalk_parser::types::Protocol;
//!
//! let dns = Service {
//!     cluster_ips: vec!["10.96.0.10".parse().unwrap()],
//!     ports: vec![ServicePort { name: "dns".into(), ..ServicePort::new(Protocol::UDP, 53) }],
//!     ..Service::new("kube-system", "kube-dns")
//! };
//! let slice = EndpointSlice {
//!     namespace: "kube-system".into(),
//!     service: "kube-dns".into(),
//!     ports: vec![EndpointPort { name: "dns".into(), ..EndpointPort::new(Protocol::UDP, 53) }],
//!     endpoints: vec![Endpoint::new("10.0.1.2".parse().unwrap()).on("node-a")],
//!     ..EndpointSlice::default()
//! };
//! let rules = KubeProxy::new(Config::default()).rules(&[dns], &[slice]);
//! assert!(rules.save().contains(
//!     "-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment \"kube-system/kube-dns:dns cluster IP\" \
//!      -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU\n",
//! ));
//! ```
//!
//! Services stand in the order given, where kube-proxy's is that of a Go map: by chance. Zone and node
//! hints are followed as kube-proxy does when [`Config::zone`] is set.

mod balance;
mod config;
mod external;
mod layout;
mod ports;
mod rules;
mod service;
mod xlb;

pub use config::{Config, LocalDetector, Version};
pub use rules::KubeRules;

use crate::objects::{EndpointSlice, Service};
use rules::Tables;

/// A kube-proxy with its settings.
#[derive(Clone, Debug, Default)]
pub struct KubeProxy {
    config: Config,
}

impl KubeProxy {
    /// A kube-proxy with these settings.
    pub fn new(config: Config) -> Self {
        KubeProxy { config }
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The rules it writes for these objects, on a node where it has just started.
    ///
    /// Services of the other family, headless ones and those of another proxy have none. Of two ports
    /// with one name the later counts.
    pub fn rules(&self, services: &[Service], slices: &[EndpointSlice]) -> KubeRules {
        let ports = ports::service_ports(&self.config, services, slices);
        let endpoints: usize = ports.iter().map(|port| port.endpoints.len()).sum();
        let mut tables = Tables::new(endpoints > self.config.large_cluster_endpoints);
        layout::head(&self.config, &mut tables);
        for port in &ports {
            tables.owner(Some(&port.service));
            if self.config.version.has_xlb() {
                xlb::write(port, &self.config, &mut tables);
            } else {
                service::write(port, &self.config, &mut tables);
            }
        }
        tables.owner(None);
        layout::tail(&self.config, &mut tables);
        KubeRules::new(self.config.family, tables, ports)
    }
}
