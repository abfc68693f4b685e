//! What the objects ask for, said from the documentation of Services and not from any rule.
//!
//! Sources: the API reference of Service (`internalTrafficPolicy`, `externalTrafficPolicy`,
//! `loadBalancerSourceRanges`), KEP-1669 (terminating endpoints), KEP-2086 (internal policy), and
//! kube-proxy's flags. Where versions differ, it is told which.

use std::net::SocketAddr;

use hookwalk_engine::Packet;
use hookwalk_kube::objects::{Service, ServicePort, ServiceType, TrafficPolicy};
use hookwalk_kube::writer::{LocalDetector, Version};
use hookwalk_parser::types::{Family, MaskedAddress};

use super::probe::AddressKind;
use super::{Cluster, is_of};

/// What has to become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It reaches one of these, each as likely as any other.
    Endpoints(
        /// The endpoints, each with whether the packet is masqueraded on the way.
        Vec<(SocketAddr, bool)>,
    ),
    /// Nobody serves it, and the sender is told.
    Rejected,
    /// Nobody here serves it, and nobody is told.
    Dropped,
    /// It is not for the Service: no rule rewrites it.
    Untouched,
}

/// An endpoint that can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) at: SocketAddr,
    pub(super) is_local: bool,
}

/// The endpoints that a Service's policies choose from.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Any of the cluster's.
    cluster: Vec<Server>,
    /// This node's.
    local: Vec<Server>,
    /// Some node has one.
    has_any: bool,
}

impl Choice {
    pub(super) fn reachable(&self) -> impl Iterator<Item = &Server> {
        self.cluster.iter().chain(&self.local)
    }
}

impl Cluster {
    /// The endpoints of a port: ready ones, or where none is left, those that still serve while they
    /// terminate (from 1.26 on).
    pub(super) fn choice(&self, service: &Service, port: &ServicePort) -> Choice {
        let is_slice = |slice: &&hookwalk_kube::objects::EndpointSlice| {
            slice.namespace == service.namespace && slice.service == service.name
        };
        let (mut ready, mut terminating): (Vec<Server>, Vec<Server>) = Default::default();
        for slice in self.slices.iter().filter(is_slice) {
            let ports = slice.ports.iter().filter(|p| p.name == port.name && p.protocol == port.protocol);
            for (port, endpoint) in
                ports.flat_map(|port| slice.endpoints.iter().map(move |endpoint| (port, endpoint)))
            {
                let server = Server {
                    at: SocketAddr::new(endpoint.address, port.port),
                    is_local: endpoint.node.as_ref() == Some(&self.config.node_name),
                };
                if !is_of(&self.config, endpoint.address) {
                    continue;
                }
                if endpoint.ready && !ready.contains(&server) {
                    ready.push(server);
                } else if endpoint.serving && endpoint.terminating && !terminating.contains(&server) {
                    terminating.push(server);
                }
            }
        }
        if self.config.version < Version::V1_26 {
            terminating.clear();
        }
        let has_any = !ready.is_empty() || !terminating.is_empty();
        let or = |a: Vec<Server>, b: Vec<Server>| if a.is_empty() { b } else { a };
        let local = |servers: &[Server]| servers.iter().copied().filter(|s| s.is_local).collect::<Vec<_>>();
        let (local_ready, local_terminating) = (local(&ready), local(&terminating));
        Choice { local: or(local_ready, local_terminating), cluster: or(ready, terminating), has_any }
    }

    /// What has to become of a packet to an address of a Service.
    pub(super) fn expect(
        &self,
        service: &Service,
        chosen: &Choice,
        to: AddressKind,
        packet: &Packet,
    ) -> Expected {
        if to == AddressKind::Beside {
            return Expected::Untouched;
        }
        if self.config.version <= Version::V1_23 {
            return self.expect_before_1_24(service, chosen, to, packet);
        }
        let is_served = to != AddressKind::NodePort || self.serves_node_port(packet.dst);
        if !chosen.has_any {
            return self.rejected(to, packet);
        }
        if to == AddressKind::ClusterIp {
            if service.internal_policy == TrafficPolicy::Local {
                return self.local_or_drop(chosen, packet, self.masquerades_to_cluster_ip(packet));
            }
            return self.to(&chosen.cluster, packet, self.masquerades_to_cluster_ip(packet));
        }
        let is_local_policy = is_external_local(service);
        if !is_served {
            // The rules of table filter that refuse do not look at which addresses are served.
            let refuses = is_local_policy && chosen.local.is_empty() && self.config.version >= Version::V1_25;
            return if refuses { Expected::Dropped } else { Expected::Untouched };
        }
        if to == AddressKind::LoadBalancerIp && !self.is_let_in(service, packet) {
            return self.dropped(packet);
        }
        if !is_local_policy {
            return self.to(&chosen.cluster, packet, true);
        }
        if self.is_pod_traffic(packet) {
            return self.to(&chosen.cluster, packet, false);
        }
        if self.is_own(packet.src) {
            return self.to(&chosen.cluster, packet, true);
        }
        self.local_or_drop(chosen, packet, false)
    }

    /// Up to 1.23 an internal policy of Local leaves no other endpoint to anybody and rejects without
    /// one, and traffic of the cluster to external IPs keeps its source.
    fn expect_before_1_24(
        &self,
        service: &Service,
        chosen: &Choice,
        to: AddressKind,
        packet: &Packet,
    ) -> Expected {
        let is_local_policy = is_external_local(service);
        let hides = service.internal_policy == TrafficPolicy::Local && !is_local_policy;
        let all = if hides { &chosen.local } else { &chosen.cluster };
        if all.is_empty() {
            return self.rejected(to, packet);
        }
        match to {
            AddressKind::ClusterIp => {
                return self.to(all, packet, self.masquerades_to_cluster_ip(packet));
            }
            AddressKind::NodePort if !self.serves_node_port(packet.dst) => return Expected::Untouched,
            AddressKind::LoadBalancerIp if !self.is_let_in(service, packet) => return self.dropped(packet),
            _ => {}
        }
        if !is_local_policy {
            let keeps = to == AddressKind::ExternalIp && self.is_pod_traffic(packet);
            return self.to(all, packet, !keeps);
        }
        if self.is_pod_traffic(packet) {
            return self.to(all, packet, false);
        }
        if self.is_own(packet.src) {
            return self.to(all, packet, true);
        }
        self.local_or_drop(chosen, packet, false)
    }

    fn local_or_drop(&self, chosen: &Choice, packet: &Packet, masquerades: bool) -> Expected {
        if chosen.local.is_empty() {
            self.dropped(packet)
        } else {
            self.to(&chosen.local, packet, masquerades)
        }
    }

    /// What the node itself sends to an address outside is not looked at: the rules that reject for
    /// external addresses are met by what arrives alone.
    fn rejected(&self, to: AddressKind, packet: &Packet) -> Expected {
        let leaves = packet.in_interface.is_none() && !self.is_own(packet.dst);
        if to != AddressKind::ClusterIp && leaves { Expected::Untouched } else { Expected::Rejected }
    }

    /// Up to 1.24 the kubelet's rules drop what this node sends or gets; what only passes goes on.
    fn dropped(&self, packet: &Packet) -> Expected {
        let passes = packet.in_interface.is_some() && !self.is_own(packet.dst);
        let is_by_mark = self.config.version <= Version::V1_24;
        if is_by_mark && (passes || !self.config.kubelet) { Expected::Untouched } else { Expected::Dropped }
    }

    fn to(&self, servers: &[Server], packet: &Packet, masquerades: bool) -> Expected {
        let one = |server: &Server| {
            // What arrives for this node itself leaves by no interface, so nothing is masqueraded.
            let stays = packet.in_interface.is_some() && self.is_own(server.at.ip());
            (server.at, !stays && (masquerades || packet.src == server.at.ip()))
        };
        Expected::Endpoints(servers.iter().map(one).collect())
    }

    /// Whether kube-proxy takes a packet for one of the node's (or the cluster's) Pods.
    pub(super) fn is_pod_traffic(&self, packet: &Packet) -> bool {
        match &self.config.local_detector {
            LocalDetector::Cidr(cidr) => cidr.contains(packet.src),
            LocalDetector::Bridge(bridge) => {
                packet.in_interface.is_some_and(|name| name.as_bytes() == bridge.as_bytes())
            }
            LocalDetector::InterfacePrefix(prefix) => {
                packet.in_interface.is_some_and(|name| name.as_bytes().starts_with(prefix.as_bytes()))
            }
            _ => false,
        }
    }

    fn masquerades_to_cluster_ip(&self, packet: &Packet) -> bool {
        let knows = self.config.local_detector != LocalDetector::None;
        self.config.masquerade_all || (knows && !self.is_pod_traffic(packet))
    }

    /// `loadBalancerSourceRanges`; none lets everybody in.
    fn is_let_in(&self, service: &Service, packet: &Packet) -> bool {
        let mut ranges = service.source_ranges.iter().filter(|r| r.family() == self.config.family).peekable();
        let is_node = |ip: std::net::IpAddr| Some(ip) == self.config.node_ip;
        let holds_node = |range: &MaskedAddress| self.config.node_ip.is_some_and(|ip| range.contains(ip));
        // What the node sends to a load balancer's address that it holds comes from that address.
        // Up to 1.24 only the first address lets it: the drop for the first stands before the second.
        let is_first = service.load_balancer.iter().find(|one| is_of(&self.config, one.ip));
        let is_first = is_first.is_some_and(|one| one.ip == packet.dst);
        let asks_itself = packet.src == packet.dst
            && !is_node(packet.src)
            && (is_first || self.config.version >= Version::V1_25);
        ranges.peek().is_none()
            || ranges.any(|range| range.contains(packet.src) || (asks_itself && holds_node(range)))
    }

    /// Whether node ports are served at an address of the node.
    fn serves_node_port(&self, ip: std::net::IpAddr) -> bool {
        let knows = self.config.version >= Version::V1_26;
        let on_localhost = !knows || (self.config.localhost_nodeports && self.config.family == Family::V4);
        let is_chosen = self.config.nodeport_addresses.as_ref().is_none_or(|chosen| chosen.contains(&ip));
        is_chosen && (!ip.is_loopback() || on_localhost)
    }
}

/// `externalTrafficPolicy: Local`, which counts where the Service can be reached from outside.
fn is_external_local(service: &Service) -> bool {
    service.external_policy == TrafficPolicy::Local
        && (service.service_type != ServiceType::ClusterIp || !service.external_ips.is_empty())
}
