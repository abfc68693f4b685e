//! The Services that a node's rules serve.
//!
//! Chains are followed, not comments: an address belongs to a Service because a rule sends it to the
//! Service's chain, an endpoint because that chain sends to it. Comments give names, and the hash in
//! the chain's name proves them.
//!
//! ```
//! use hookwalk_kube::inventory::Inventory;
//! let dump = hookwalk_parser::parse("*nat\n\
//!     -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment \"kube-system/kube-dns:dns cluster IP\" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU\n\
//!     -A KUBE-SVC-TCOU7JCQXEZGVUNU -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-A\n\
//!     -A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-B\n\
//!     -A KUBE-SEP-A -p udp -m udp -j DNAT --to-destination 10.0.1.2:53\n\
//!     -A KUBE-SEP-B -p udp -m udp -j DNAT --to-destination 10.0.2.2:53\n\
//!     COMMIT\n");
//! let inventory = Inventory::read(&[dump], None);
//! let dns = &inventory.services[0];
//! assert_eq!(dns.to_string(), "kube-system/kube-dns:dns");
//! assert_eq!(dns.endpoints[1].address.to_string(), "10.0.2.2:53");
//! assert_eq!(dns.endpoints[1].share.as_ref().unwrap().to_string(), "1073741824/2147483648");
//! ```

mod chains;
mod names;
mod read;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::{Probability, RuleRef};
use hookwalk_parser::Dump;
use hookwalk_parser::types::{Family, MaskedAddress, Protocol};

use crate::objects::{Objects, TrafficPolicy};
use crate::rules::{self, Tables};
use crate::settings::Settings;

pub(crate) use chains::endpoint_of;
pub use names::PortName;

/// What the rules of one node serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Every Service port, by name; those without a name last.
    pub services: Vec<PortEntry>,
    /// kube-proxy's settings, for each family whose rules it wrote.
    pub settings: Vec<Settings>,
    /// The families whose Services kube-proxy has in IPVS (`--proxy-mode=ipvs`), where rules only mark:
    /// which endpoints there are no dump tells.
    pub ipvs: Vec<Family>,
}

/// One port of one Service, as the rules have it, of both families.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// Its name; none where no comment and no object tells it.
    pub name: Option<PortName>,
    /// The protocol.
    pub protocol: Protocol,
    /// The hash in the names of its chains; none where only table filter knows it, by no name.
    pub hash: Option<String>,
    /// Where it is reached.
    pub addresses: Vec<AddressEntry>,
    /// Where it sends to, in the order of the rules.
    pub endpoints: Vec<EndpointEntry>,
    /// Who may come to its load-balancer addresses; empty for everybody.
    pub source_ranges: Vec<MaskedAddress>,
    /// How long a client stays with its endpoint, in seconds.
    pub affinity_seconds: Option<u32>,
    /// Where what comes from outside goes; none when nothing does, or the rules do not tell.
    pub external_policy: Option<TrafficPolicy>,
    /// Where what comes to the cluster IP goes; none where the rules do not tell.
    pub internal_policy: Option<TrafficPolicy>,
    /// The port at which load balancers ask whether this node has endpoints.
    pub health_check_node_port: Option<u16>,
    /// What happens where there is no endpoint to go to: everywhere, or for one of the policies.
    pub no_endpoints: Option<NoEndpoints>,
}

/// What the rules do without an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoEndpoints {
    /// There is none anywhere: the sender is told.
    Reject,
    /// There is none on this node, and the policy wants one: nobody is told.
    Drop,
}

impl NoEndpoints {
    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            NoEndpoints::Reject => "reject",
            NoEndpoints::Drop => "drop",
        }
    }
}

/// One address that a Service port is reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressEntry {
    /// What kind of address.
    pub kind: AddressKind,
    /// The address; none for a node port, which is at the node's own addresses.
    pub ip: Option<IpAddr>,
    /// Its family.
    pub family: Family,
    /// The port.
    pub port: u16,
    /// The rule that serves it.
    pub rule: RuleRef,
    /// What this address does for want of an endpoint.
    pub no_endpoints: Option<NoEndpoints>,
}

/// What kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressKind {
    /// `clusterIPs`
    ClusterIp,
    /// `externalIPs`
    ExternalIp,
    /// `status.loadBalancer.ingress`
    LoadBalancerIp,
    /// One of the two before; the rules do not tell which.
    External,
    /// `nodePort`
    NodePort,
}

impl AddressKind {
    /// The words for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            AddressKind::ClusterIp => "cluster IP",
            AddressKind::ExternalIp => "external IP",
            AddressKind::LoadBalancerIp => "load balancer IP",
            AddressKind::External => "external or load balancer IP",
            AddressKind::NodePort => "node port",
        }
    }
}

/// One endpoint of a Service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointEntry {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its exact share of the traffic to all endpoints of its family; none where something else than
    /// a draw decides, or where only endpoints of this node are used.
    pub share: Option<Probability>,
    /// Its share where a policy `Local` holds; none where it has none.
    pub local_share: Option<Probability>,
    /// Whether it is on this node; none where no policy `Local` makes the rules tell.
    pub local: Option<bool>,
    /// The rule that sends to it.
    pub rule: RuleRef,
}

impl Inventory {
    /// Reads the rules of one node: both families, or both backends. `objects` give names where
    /// comments do not.
    pub fn read(dumps: &[Dump], objects: Option<&Objects>) -> Inventory {
        let tables = Tables::new(dumps);
        let settings = [Family::V4, Family::V6].into_iter().filter_map(|f| Settings::read(&tables, f));
        let settings: Vec<Settings> = settings.collect();
        let ipvs = [Family::V4, Family::V6].into_iter().filter(|family| rules::has_ipvs(&tables, *family));
        Inventory { services: read::services(&tables, &settings, objects), settings, ipvs: ipvs.collect() }
    }

    /// The settings of a family.
    pub fn settings_of(&self, family: Family) -> Option<&Settings> {
        self.settings.iter().find(|settings| settings.family == family)
    }
}

impl PortEntry {
    /// The addresses of one kind, in order.
    pub fn addresses_of(&self, kind: AddressKind) -> impl Iterator<Item = &AddressEntry> {
        self.addresses.iter().filter(move |address| address.kind == kind)
    }
}

/// `namespace/name:port`, else the name of its chain or its address.
impl fmt::Display for PortEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.hash, self.addresses.first()) {
            (Some(name), ..) => name.fmt(f),
            (None, Some(hash), _) => f.pad(&format!("KUBE-SVC-{hash}")),
            (None, None, Some(AddressEntry { ip: Some(ip), port, .. })) => {
                f.pad(&SocketAddr::new(*ip, *port).to_string())
            }
            (None, None, _) => f.pad("a service without a name"),
        }
    }
}
