use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_engine::Packet;
use hookwalk_kube::objects::{IpMode, Service, ServicePort};
use hookwalk_kube::writer::Version;
use hookwalk_parser::types::Family;

use super::expect::Expected;
use super::{Cluster, is_of};

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
    /// A Pod of this node that is itself an endpoint of the Service.
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
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            AddressKind::ClusterIp => "cluster IP",
            AddressKind::ExternalIp => "external IP",
            AddressKind::LoadBalancerIp => "load balancer's IP",
            AddressKind::NodePort => "node port",
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
        let own = chosen.reachable().find(|e| {
            e.is_local && !self.is_own(e.at.ip()) && !matches!(e.at.ip(), ip if ip == self.local_pod)
        });
        let own = own.map(|endpoint| endpoint.at.ip());
        for (to, ip, number) in self.addresses(service, port) {
            for (from, source) in self.sources(ip, own) {
                let mut packet = Packet::new(source, ip)
                    .protocol(port.protocol)
                    .source_port(40_000)
                    .destination_port(number);
                packet.in_interface = match from {
                    Vantage::LocalPod | Vantage::OwnEndpoint => Some(self.pod_interface),
                    Vantage::Node | Vantage::Localhost => None,
                    Vantage::RemotePod | Vantage::OtherNode | Vantage::Outside => Some(self.uplink),
                };
                let expected = self.expect(service, &chosen, to, &packet);
                probes.push(Probe { packet, from, to, service: service_at, port: port_at, expected });
            }
        }
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
    fn sources(&self, to: IpAddr, own_endpoint: Option<IpAddr>) -> Vec<(Vantage, IpAddr)> {
        if to.is_loopback() {
            return vec![(Vantage::Localhost, self.loopback())];
        }
        let mut sources = vec![(Vantage::LocalPod, self.local_pod)];
        sources.extend(own_endpoint.map(|ip| (Vantage::OwnEndpoint, ip)));
        sources.push((Vantage::RemotePod, self.remote_pod));
        let node = self.node_addresses.iter().copied().find(|ip| is_of(&self.config, *ip));
        sources.extend(node.map(|ip| (Vantage::Node, ip)));
        sources.push((Vantage::OtherNode, self.other_node));
        sources.extend(self.outside.iter().map(|ip| (Vantage::Outside, *ip)));
        sources
    }

    fn loopback(&self) -> IpAddr {
        match self.config.family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        }
    }
}
