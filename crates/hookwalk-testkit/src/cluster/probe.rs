use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_engine::{InterfaceName, Packet};
use hookwalk_kube::objects::{IpMode, Service, ServicePort};
use hookwalk_kube::writer::Version;
use hookwalk_parser::types::Family;

use super::expect::Expected;
use super::{Cluster, beside, beyond, is_of, next};

/// A packet to an address of a Service, and what has to become of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probe {
    /// The first packet of a connection.
    pub packet: Packet,
    /// Who sends it.
    pub from: Vantage,
    /// Which kind of address it is sent to.
    pub to: AddressKind,
    /// The place of the Service among [`Cluster::services`].
    pub service: usize,
    /// The place of the port among the Service's.
    pub port: usize,
    /// What the objects ask for.
    pub expected: Expected,
}

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vantage {
    /// A Pod of this node that is no endpoint of the Service.
    LocalPod,
    /// A Pod that is itself an endpoint of the Service.
    OwnEndpoint,
    /// A Pod of another node.
    RemotePod,
    /// A process of this node, from the node's address.
    Node,
    /// A process of this node, from the loopback address.
    Localhost,
    /// Another node.
    OtherNode,
    /// A host outside the cluster.
    Outside,
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Vantage::LocalPod => "a Pod of this node",
            Vantage::OwnEndpoint => "an endpoint of the Service itself",
            Vantage::RemotePod => "a Pod of another node",
            Vantage::Node => "this node",
            Vantage::Localhost => "localhost",
            Vantage::OtherNode => "another node",
            Vantage::Outside => "outside the cluster",
        })
    }
}

/// An address of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// `spec.clusterIPs`
    ClusterIp,
    /// `spec.externalIPs`
    ExternalIp,
    /// `status.loadBalancer.ingress`
    LoadBalancerIp,
    /// A node's address with `spec.ports[].nodePort`
    NodePort,
    /// An address beside one of the Service's, which nobody has.
    Beside,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            AddressKind::ClusterIp => "cluster IP",
            AddressKind::ExternalIp => "external IP",
            AddressKind::LoadBalancerIp => "load balancer's IP",
            AddressKind::NodePort => "node port",
            AddressKind::Beside => "the address beside",
        })
    }
}

impl Cluster {
    /// Packets from every side to every address of every Service that kube-proxy serves.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        for (at, service) in self.services.iter().enumerate() {
            if service.is_proxied() && service.cluster_ips.iter().any(|ip| is_of(&self.config, *ip)) {
                for (port_at, port) in service.ports.iter().enumerate() {
                    self.probes_of(at, service, port_at, port, &mut probes);
                }
            }
        }
        probes
    }

    fn probes_of(
        &self,
        service_at: usize,
        service: &Service,
        port_at: usize,
        port: &ServicePort,
        probes: &mut Vec<Probe>,
    ) {
        let chosen = self.choice(service, port);
        let mut add = |from: Vantage, source: IpAddr, arrives_by: Option<InterfaceName>, to, ip, number| {
            let mut packet =
                Packet::new(source, ip).protocol(port.protocol).source_port(40_000).destination_port(number);
            packet.in_interface = arrives_by;
            let expected = self.expect(service, &chosen, to, &packet);
            probes.push(Probe { packet, from, to, service: service_at, port: port_at, expected });
        };
        let addresses = self.addresses(service, port);
        for &(to, ip, number) in &addresses {
            for (from, source) in self.sources(service, to, ip) {
                let arrives_by = match from {
                    Vantage::LocalPod => Some(self.pod_interface),
                    Vantage::Node | Vantage::Localhost => None,
                    _ => Some(self.uplink),
                };
                add(from, source, arrives_by, to, ip, number);
            }
            if !ip.is_loopback() && !self.is_taken(beside(ip)) {
                let (pod, by) = (self.local_pod, Some(self.pod_interface));
                add(Vantage::LocalPod, pod, by, AddressKind::Beside, beside(ip), number);
                let client = service.source_ranges.iter().map(|range| self.guest(range.address()));
                if let Some(client) = client.into_iter().find(|ip| is_of(&self.config, *ip)) {
                    let by = Some(self.uplink);
                    add(Vantage::Outside, client, by, AddressKind::Beside, beside(ip), number);
                }
            }
        }
        // Each endpoint asks for its own Service, and so does who stands beside it.
        let mut asked: Vec<IpAddr> = Vec::new();
        for server in chosen.reachable().filter(|server| !self.is_own(server.at.ip())) {
            let own = server.at.ip();
            if asked.contains(&own) {
                continue;
            }
            asked.push(own);
            let arrives_by = Some(if server.is_local { self.pod_interface } else { self.uplink });
            let is_free =
                !chosen.reachable().any(|other| other.at.ip() == beside(own)) && !self.is_own(beside(own));
            // At the cluster IP, and at the first of the others: two policies may choose.
            for &(to, ip, number) in addresses.iter().take(2) {
                add(Vantage::OwnEndpoint, own, arrives_by, to, ip, number);
                if is_free {
                    let from = if server.is_local { Vantage::LocalPod } else { Vantage::RemotePod };
                    add(from, beside(own), arrives_by, to, ip, number);
                }
            }
        }
    }

    /// Whether an address is somebody's.
    fn is_taken(&self, ip: IpAddr) -> bool {
        let of_services = |service: &Service| {
            let balancers = service.load_balancer.iter().map(|ingress| ingress.ip);
            let mut all = service.cluster_ips.iter().chain(&service.external_ips).copied().chain(balancers);
            all.any(|own| own == ip)
        };
        self.is_own(ip) || self.services.iter().any(of_services)
    }

    /// The Service's addresses of the node's family, with the port that is asked for there.
    fn addresses(&self, service: &Service, port: &ServicePort) -> Vec<(AddressKind, IpAddr, u16)> {
        let of_family = |ip: &IpAddr| is_of(&self.config, *ip);
        let mut all = Vec::new();
        all.extend(
            service
                .cluster_ips
                .iter()
                .copied()
                .find(of_family)
                .map(|ip| (AddressKind::ClusterIp, ip, port.port)),
        );
        let external = service.external_ips.iter().copied().filter(of_family);
        all.extend(external.map(|ip| (AddressKind::ExternalIp, ip, port.port)));
        let by_vip = |mode| mode == IpMode::Vip || self.config.version < Version::V1_30;
        let balancers =
            service.load_balancer.iter().filter(|i| by_vip(i.mode)).map(|i| i.ip).filter(of_family);
        all.extend(balancers.map(|ip| (AddressKind::LoadBalancerIp, ip, port.port)));
        if let Some(node_port) = port.node_port {
            let own = self.node_addresses.iter().copied().filter(of_family);
            all.extend(own.chain([self.loopback()]).map(|ip| (AddressKind::NodePort, ip, node_port)));
        }
        all
    }

    /// Who can send to an address.
    fn sources(&self, service: &Service, kind: AddressKind, to: IpAddr) -> Vec<(Vantage, IpAddr)> {
        if to.is_loopback() {
            return vec![(Vantage::Localhost, self.loopback())];
        }
        let mut sources = vec![(Vantage::LocalPod, self.local_pod), (Vantage::RemotePod, self.remote_pod)];
        let node = self.node_addresses.iter().copied().find(|ip| is_of(&self.config, *ip));
        sources.extend(node.map(|ip| (Vantage::Node, ip)));
        sources.push((Vantage::OtherNode, self.other_node));
        sources.extend(self.outside.iter().map(|ip| (Vantage::Outside, *ip)));
        if kind == AddressKind::LoadBalancerIp {
            // A node that holds the address sends to it from it.
            sources.extend(self.is_own(to).then_some((Vantage::Node, to)));
            let is_walled = !service.source_ranges.is_empty() && !self.is_taken(beside(to));
            sources.extend(is_walled.then_some((Vantage::Outside, beside(to))));
            for range in service.source_ranges.iter().filter(|range| range.family() == self.config.family) {
                sources.push((Vantage::Outside, self.guest(range.address())));
                sources.extend(beyond(range).map(|ip| (Vantage::Outside, self.guest(ip))));
            }
        }
        sources
    }

    /// An address behind the first of a prefix that is not the node's own.
    fn guest(&self, first: IpAddr) -> IpAddr {
        (2..32).map(|by| next(first, by)).find(|ip| !self.is_own(*ip)).unwrap_or(first)
    }

    fn loopback(&self) -> IpAddr {
        match self.config.family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        }
    }
}
