//! Objects to service ports of one family: what kube-proxy has in its maps when it writes.

use std::net::{IpAddr, SocketAddr};

use hookwalk_parser::types::{Family, MaskedAddress, Protocol};
use rustc_hash::FxHashMap;

use super::Config;
use crate::names::{endpoint_hash, service_hash};
use crate::objects::{AddressType, Endpoint, EndpointSlice, IpMode, Service, ServiceType, TrafficPolicy};

/// One port of a Service, in one family, with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServicePort {
    /// `namespace/name`
    pub(super) service: String,
    /// `namespace/name:port`
    pub(super) name: String,
    pub(super) protocol: Protocol,
    /// The hash in its chains' names.
    pub(super) hash: String,
    pub(super) cluster_ip: IpAddr,
    pub(super) port: u16,
    pub(super) node_port: Option<u16>,
    pub(super) external_ips: Vec<IpAddr>,
    pub(super) balancers: Vec<IpAddr>,
    pub(super) source_ranges: Vec<MaskedAddress>,
    pub(super) affinity: Option<u32>,
    pub(super) internal_local: bool,
    pub(super) external_local: bool,
    pub(super) health_check: Option<u16>,
    /// Every endpoint of the slices, by its text.
    pub(super) endpoints: Vec<Backend>,
}

/// An endpoint of a service port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    /// `ip:port`, the address as it goes into the chain's name.
    pub(super) text: String,
    pub(super) at: SocketAddr,
    /// `KUBE-SEP-…`
    pub(super) chain: String,
    pub(super) is_local: bool,
    ready: bool,
    serves_terminating: bool,
    zones: Vec<String>,
}

/// The endpoints that the two policies can choose, in order.
pub(super) struct Categories<'p> {
    pub(super) cluster: Vec<&'p Backend>,
    pub(super) local: Vec<&'p Backend>,
    /// Those of both, each once.
    pub(super) reachable: Vec<&'p Backend>,
    /// Some node has an endpoint that could serve.
    pub(super) has_any: bool,
}

impl ServicePort {
    pub(super) fn is_external(&self) -> bool {
        self.node_port.is_some() || !self.external_ips.is_empty() || !self.balancers.is_empty()
    }

    /// Even Local external traffic is sent to all endpoints when it comes from the cluster.
    pub(super) fn uses_cluster(&self) -> bool {
        !self.internal_local || self.is_external()
    }

    pub(super) fn uses_local(&self) -> bool {
        self.internal_local || (self.external_local && self.is_external())
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = &Backend> {
        self.endpoints.iter().filter(|endpoint| endpoint.ready)
    }

    /// Which endpoints serve (`pkg/proxy/topology.go`, `CategorizeEndpoints`).
    pub(super) fn categories(&self, config: &Config) -> Categories<'_> {
        let terminating =
            |endpoint: &&Backend| endpoint.serves_terminating && config.version.uses_terminating();
        let or_terminating = |chosen: Vec<&'_ Backend>, among: &dyn Fn(&&Backend) -> bool| -> Vec<&Backend> {
            if chosen.is_empty() {
                let of_port = self.endpoints.iter();
                of_port.filter(|e| among(e) && terminating(e)).collect()
            } else {
                Vec::new()
            }
        };
        let mut cluster: Vec<&Backend> = Vec::new();
        if self.uses_cluster() {
            let zone = config.zone.as_deref().filter(|zone| self.follows_hints(zone));
            cluster =
                self.ready().filter(|e| zone.is_none_or(|z| e.zones.iter().any(|own| own == z))).collect();
            let others = or_terminating(cluster.clone(), &|_| true);
            cluster.extend(others);
        }
        let mut local: Vec<&Backend> = Vec::new();
        if self.uses_local() {
            local = self.ready().filter(|e| e.is_local).collect();
            let others = or_terminating(local.clone(), &|e| e.is_local);
            local.extend(others);
        }
        let is_reachable =
            |e: &&Backend| cluster.iter().chain(&local).any(|chosen| std::ptr::eq(*chosen, *e));
        let reachable = self.endpoints.iter().filter(is_reachable).collect();
        let has_any = self.endpoints.iter().any(|e| e.ready || terminating(&e));
        Categories { cluster, local, reachable, has_any }
    }

    /// Every ready endpoint has hints and one is for the zone.
    fn follows_hints(&self, zone: &str) -> bool {
        self.ready().all(|e| !e.zones.is_empty())
            && self.ready().any(|e| e.zones.iter().any(|own| own == zone))
    }
}

/// The service ports that these objects make, in the order of the Services.
pub(super) fn service_ports(
    config: &Config,
    services: &[Service],
    slices: &[EndpointSlice],
) -> Vec<ServicePort> {
    let mut of_service: FxHashMap<(&str, &str), Vec<&EndpointSlice>> = FxHashMap::default();
    for slice in slices.iter().filter(|slice| is_of_family(slice, config.family)) {
        of_service.entry((&slice.namespace, &slice.service)).or_default().push(slice);
    }
    let mut ports: Vec<ServicePort> = Vec::new();
    let mut places: FxHashMap<(String, Protocol), usize> = FxHashMap::default();
    for service in services.iter().filter(|service| service.is_proxied()) {
        let own = of_service.get(&(service.namespace.as_str(), service.name.as_str()));
        let own = own.map(Vec::as_slice).unwrap_or_default();
        for port in of(config, service, own) {
            match places.get(&(port.name.clone(), port.protocol)) {
                Some(&place) => {
                    if let Some(earlier) = ports.get_mut(place) {
                        *earlier = port;
                    }
                }
                None => {
                    places.insert((port.name.clone(), port.protocol), ports.len());
                    ports.push(port);
                }
            }
        }
    }
    ports
}

fn is_of_family(slice: &EndpointSlice, family: Family) -> bool {
    let wanted = match family {
        Family::V4 => AddressType::Ipv4,
        Family::V6 => AddressType::Ipv6,
    };
    slice.address_type == wanted
}

fn of<'a>(
    config: &'a Config,
    service: &'a Service,
    slices: &'a [&'a EndpointSlice],
) -> impl Iterator<Item = ServicePort> + 'a {
    let family = config.family;
    let of_family = move |ip: &IpAddr| Family::of(*ip) == family;
    let cluster_ip = service.cluster_ips.iter().copied().find(of_family);
    let external_ips: Vec<IpAddr> = service.external_ips.iter().copied().filter(of_family).collect();
    let counts = |mode: IpMode| mode == IpMode::Vip || !config.version.knows_ip_mode();
    let ingress = service.load_balancer.iter().filter(move |ingress| counts(ingress.mode));
    let balancers: Vec<IpAddr> = ingress.map(|ingress| ingress.ip).filter(of_family).collect();
    let source_ranges: Vec<MaskedAddress> =
        service.source_ranges.iter().copied().filter(|range| range.family() == family).collect();
    let external_local = service.external_policy == TrafficPolicy::Local
        && (service.service_type != ServiceType::ClusterIp || !service.external_ips.is_empty());
    let health_check = service
        .health_check_node_port
        .filter(|_| external_local && service.service_type == ServiceType::LoadBalancer);
    cluster_ip.into_iter().flat_map(move |cluster_ip| {
        let (external_ips, balancers) = (external_ips.clone(), balancers.clone());
        let source_ranges = source_ranges.clone();
        service.ports.iter().map(move |port| {
            let name = service.port_name(port);
            ServicePort {
                service: service.to_string(),
                hash: service_hash(&name, port.protocol),
                protocol: port.protocol,
                cluster_ip,
                port: port.port,
                node_port: port.node_port,
                external_ips: external_ips.clone(),
                balancers: balancers.clone(),
                source_ranges: source_ranges.clone(),
                affinity: service.affinity_seconds,
                internal_local: service.internal_policy == TrafficPolicy::Local,
                external_local,
                health_check,
                endpoints: backends(config, &name, &port.name, port.protocol, slices),
                name,
            }
        })
    })
}

/// The endpoints of one port, sorted by their text as kube-proxy sorts them; one that several slices
/// hold counts once.
fn backends(
    config: &Config,
    name: &str,
    port_name: &str,
    protocol: Protocol,
    slices: &[&EndpointSlice],
) -> Vec<Backend> {
    let mut backends: Vec<Backend> = Vec::new();
    for slice in slices {
        for port in slice.ports.iter().filter(|port| port.name == port_name && port.protocol == protocol) {
            for endpoint in &slice.endpoints {
                backends.push(backend(config, name, protocol, endpoint, port.port));
            }
        }
    }
    backends.sort_by(|a, b| a.text.cmp(&b.text));
    backends.dedup_by(|later, earlier| {
        let same = later.text == earlier.text;
        earlier.is_local |= same && later.is_local;
        same
    });
    backends
}

fn backend(config: &Config, name: &str, protocol: Protocol, endpoint: &Endpoint, port: u16) -> Backend {
    let at = SocketAddr::new(endpoint.address, port);
    let text = match &endpoint.written {
        Some(written) if !config.version.hashes_canonical_addresses() => match endpoint.address {
            IpAddr::V4(_) => format!("{written}:{port}"),
            IpAddr::V6(_) => format!("[{written}]:{port}"),
        },
        _ => at.to_string(),
    };
    Backend {
        chain: format!("KUBE-SEP-{}", endpoint_hash(name, protocol, &text)),
        text,
        at,
        is_local: endpoint.node.as_ref() == Some(&config.node_name),
        ready: endpoint.ready,
        serves_terminating: endpoint.serving && endpoint.terminating,
        zones: endpoint.for_zones.clone(),
    }
}
