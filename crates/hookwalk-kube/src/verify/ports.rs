//! Service ports of the objects, as kube-proxy has them in its maps.

use std::net::{IpAddr, SocketAddr};

use hookwalk_parser::types::{Family, MaskedAddress, Protocol};
use rustc_hash::FxHashMap;

use crate::inventory::AddressKind;
use crate::objects::{
    AddressType, EndpointSlice, IpMode, Node, Objects, Service, ServicePort, ServiceType, TrafficPolicy,
};
use crate::settings::{Layout, Settings};

/// One port of one Service in one family.
pub(super) struct Port<'o> {
    pub(super) service: &'o Service,
    spec: &'o ServicePort,
    /// `namespace/name:port`
    pub(super) name: String,
    pub(super) protocol: Protocol,
    pub(super) family: Family,
    candidates: Vec<Candidate>,
    zone: Option<String>,
    /// Whether it is known which endpoints are local.
    pub(super) knows_local: bool,
}

/// An endpoint that some slice has.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) address: SocketAddr,
    pub(super) ready: bool,
    pub(super) serves_terminating: bool,
    pub(super) local: bool,
    zones: Vec<String>,
}

/// One address that the object asks to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) kind: AddressKind,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
    /// Whether every version serves it.
    pub(super) required: bool,
}

impl Address {
    pub(super) fn text(&self) -> String {
        match self.ip {
            Some(ip) => format!("{} {}", self.kind.as_str(), SocketAddr::new(ip, self.port)),
            None => format!("{} {}", self.kind.as_str(), self.port),
        }
    }
}

/// The endpoints that one way of choosing leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) cluster: Vec<SocketAddr>,
    /// None where it is not known which are local.
    pub(super) local: Option<Vec<SocketAddr>>,
    /// Some node has an endpoint that can be used.
    pub(super) has_any: bool,
}

/// Every Service port of a family.
pub(super) fn ports<'o>(
    objects: &'o Objects,
    node_name: Option<&str>,
    node: Option<&Node>,
    family: Family,
) -> Vec<Port<'o>> {
    let mut slices: FxHashMap<(&str, &str), Vec<&EndpointSlice>> = FxHashMap::default();
    for slice in objects.slices.iter().filter(|slice| is_of(slice, family)) {
        slices.entry((&slice.namespace, &slice.service)).or_default().push(slice);
    }
    let has_slices = |service: &Service| {
        objects.slices.iter().any(|s| s.namespace == service.namespace && s.service == service.name)
    };
    let mut ports = Vec::new();
    for service in objects.services.iter().filter(|service| service.is_proxied()) {
        if !service.cluster_ips.iter().any(|ip| Family::of(*ip) == family) {
            continue;
        }
        let own = slices.get(&(service.namespace.as_str(), service.name.as_str()));
        // Endpoints stand in where a Service has no slice of any family.
        let made = match own {
            None if !objects.endpoints.is_empty() && !has_slices(service) => objects.slices_of(service),
            _ => Vec::new(),
        };
        let own: Vec<&EndpointSlice> = match own {
            Some(own) => own.clone(),
            None => made.iter().filter(|slice| is_of(slice, family)).collect(),
        };
        for port in &service.ports {
            ports.push(Port {
                service,
                spec: port,
                name: service.port_name(port),
                protocol: port.protocol,
                family,
                candidates: candidates(port, &own, node_name),
                zone: node.and_then(|node| node.zone.clone()),
                knows_local: node_name.is_some(),
            });
        }
    }
    ports
}

fn is_of(slice: &EndpointSlice, family: Family) -> bool {
    match slice.address_type {
        AddressType::Ipv4 => family == Family::V4,
        AddressType::Ipv6 => family == Family::V6,
        AddressType::Fqdn => false,
    }
}

/// One endpoint that several slices hold counts once; it is ready when one of them says so.
fn candidates(port: &ServicePort, slices: &[&EndpointSlice], node: Option<&str>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut known: FxHashMap<SocketAddr, usize> = FxHashMap::default();
    for slice in slices {
        for own in slice.ports.iter().filter(|own| own.name == port.name && own.protocol == port.protocol) {
            for endpoint in &slice.endpoints {
                let candidate = Candidate {
                    address: SocketAddr::new(endpoint.address, own.port),
                    ready: endpoint.ready,
                    serves_terminating: endpoint.serving && endpoint.terminating,
                    local: node.is_some() && endpoint.node.as_deref() == node,
                    zones: endpoint.for_zones.clone(),
                };
                match known.get(&candidate.address).and_then(|&index| found.get_mut(index)) {
                    Some(earlier) => {
                        earlier.ready |= candidate.ready;
                        earlier.local |= candidate.local;
                    }
                    None => {
                        known.insert(candidate.address, found.len());
                        found.push(candidate);
                    }
                }
            }
        }
    }
    found
}

impl Port<'_> {
    /// As findings name it.
    pub(super) fn object(&self) -> String {
        format!("service {}", self.name)
    }

    pub(super) fn candidate(&self, address: SocketAddr) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.address == address)
    }

    /// Where the object asks to be served.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let mut addresses = Vec::new();
        let of_family = |ip: &&IpAddr| Family::of(**ip) == self.family;
        let mut add = |kind, ip, port, required| addresses.push(Address { kind, ip, port, required });
        // Of one family kube-proxy takes the first.
        if let Some(ip) = self.service.cluster_ips.iter().find(of_family) {
            add(AddressKind::ClusterIp, Some(*ip), self.spec.port, true);
        }
        for ip in self.service.external_ips.iter().filter(of_family) {
            add(AddressKind::ExternalIp, Some(*ip), self.spec.port, true);
        }
        for ingress in self.service.load_balancer.iter().filter(|ingress| of_family(&&ingress.ip)) {
            add(AddressKind::LoadBalancerIp, Some(ingress.ip), self.spec.port, ingress.mode == IpMode::Vip);
        }
        if let Some(node_port) = self.spec.node_port {
            add(AddressKind::NodePort, None, node_port, true);
        }
        addresses
    }

    pub(super) fn internal_local(&self, layout: Layout) -> bool {
        // Up to 1.21 nobody looked at it.
        self.service.internal_policy == TrafficPolicy::Local && layout > Layout::UpTo121
    }

    pub(super) fn external_local(&self) -> bool {
        self.service.external_policy == TrafficPolicy::Local
            && (self.service.service_type != ServiceType::ClusterIp || !self.service.external_ips.is_empty())
    }

    fn is_external(&self) -> bool {
        self.addresses().iter().any(|address| address.kind != AddressKind::ClusterIp)
    }

    /// The source ranges of the family: kube-proxy knows no others.
    pub(super) fn source_ranges(&self) -> Vec<MaskedAddress> {
        self.service.source_ranges.iter().copied().filter(|range| range.family() == self.family).collect()
    }

    pub(super) fn health_check(&self) -> Option<u16> {
        let asked = self.service.health_check_node_port;
        asked.filter(|_| self.external_local() && self.service.service_type == ServiceType::LoadBalancer)
    }

    /// Every endpoint that can be used: ready ones, and where there are none those that still serve.
    pub(super) fn usable(&self) -> Vec<SocketAddr> {
        let ready = |c: &&Candidate| c.ready || c.serves_terminating && !self.has_usable();
        self.candidates.iter().filter(ready).map(|c| c.address).collect()
    }

    /// Whether any endpoint is ready.
    pub(super) fn has_usable(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.ready)
    }

    /// Whether what comes to an address is to be refused for want of endpoints; none where that is not
    /// certain.
    pub(super) fn refuses(&self, settings: &Settings, address: &Address) -> Option<bool> {
        let layout = settings.layout?;
        let wants_local = match address.kind {
            AddressKind::ClusterIp => self.internal_local(layout),
            _ => self.external_local() && layout >= Layout::From124,
        };
        let choices = self.choices(layout);
        let refused = choices.iter().map(|choice| {
            let lacks_local = wants_local.then(|| choice.local.as_ref().map(Vec::is_empty));
            match (choice.has_any, lacks_local) {
                (false, _) => Some(true),
                (true, None) => Some(false),
                (true, Some(lacks)) => lacks,
            }
        });
        let refused: Vec<Option<bool>> = refused.collect();
        let first = refused.first().copied().flatten();
        first.filter(|first| refused.iter().all(|other| *other == Some(*first)))
    }

    /// The endpoints that kube-proxy chooses (`pkg/proxy/topology.go`, `CategorizeEndpoints`): in more
    /// than one way where versions with rules of one layout, or gates, differ.
    pub(super) fn choices(&self, layout: Layout) -> Vec<Choice> {
        let mut choices: Vec<Choice> = Vec::new();
        // From 1.26 on endpoints that shut down and still serve stand in for ready ones.
        let stand_in: &[bool] = if layout == Layout::From125 { &[true, false] } else { &[false] };
        for &stand_in in stand_in {
            for by_zone in [true, false] {
                let choice = self.choice(layout, stand_in, by_zone);
                if !choices.contains(&choice) {
                    choices.push(choice);
                }
            }
        }
        choices
    }

    fn choice(&self, layout: Layout, stand_in: bool, by_zone: bool) -> Choice {
        let ready: Vec<&Candidate> = self.candidates.iter().filter(|c| c.ready).collect();
        let terminating: Vec<&Candidate> =
            self.candidates.iter().filter(|c| stand_in && !c.ready && c.serves_terminating).collect();
        let addresses = |of: &[&Candidate]| of.iter().map(|c| c.address).collect::<Vec<_>>();
        let locals = |of: &[&Candidate]| of.iter().filter(|c| c.local).map(|c| c.address).collect::<Vec<_>>();
        let mut cluster = addresses(&ready);
        if let Some(zone) = self.zone.as_ref().filter(|_| by_zone && layout > Layout::UpTo121) {
            let hinted: Vec<SocketAddr> =
                ready.iter().filter(|c| c.zones.contains(zone)).map(|c| c.address).collect();
            if ready.iter().all(|c| !c.zones.is_empty()) && !hinted.is_empty() {
                cluster = hinted;
            }
        }
        if cluster.is_empty() {
            cluster = addresses(&terminating);
        }
        let mut local = locals(&ready);
        if local.is_empty() {
            local = locals(&terminating);
        }
        let mut has_any = !ready.is_empty() || !terminating.is_empty();
        // 1.22 and 1.23 forget every other endpoint, unless the external policy is Local as well.
        if layout == Layout::From122
            && self.internal_local(layout)
            && !self.external_local()
            && self.knows_local
        {
            cluster.clone_from(&local);
            has_any = !cluster.is_empty();
        }
        if layout >= Layout::From124 && self.internal_local(layout) && !self.is_external() {
            cluster = Vec::new();
        }
        Choice { cluster, local: self.knows_local.then_some(local), has_any }
    }
}
