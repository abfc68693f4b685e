//! A cluster in small numbers: what generators choose, so that what they choose shrinks well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use hookwalk_kube::objects::{
    AddressType, Endpoint, EndpointPort, EndpointSlice, IpMode, LoadBalancerIngress, Service, ServicePort,
    ServiceType, TrafficPolicy,
};
use hookwalk_kube::writer::{Config, LocalDetector, Version};
use hookwalk_parser::types::{Family, Protocol};

use super::Cluster;
use crate::dice::Dice;

/// Everything a generated cluster is made from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    /// kube-proxy's settings.
    pub settings: SettingsPlan,
    /// The Services; addresses and names follow from the place of each.
    pub services: Vec<ServicePlan>,
}

/// kube-proxy's settings, each by a small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SettingsPlan {
    /// IPv6 instead of IPv4.
    pub is_v6: bool,
    /// Minor versions below 1.33.
    pub older: u8,
    /// 0: the cluster's CIDR, 1: a bridge, 2: an interface prefix, 3: nothing.
    pub detector: u8,
    /// `--masquerade-all`
    pub masquerade_all: bool,
    /// Node ports not on localhost.
    pub no_localhost: bool,
    /// 0: every address, 1: the node's first address, 2: that and localhost.
    pub nodeport_addresses: u8,
    /// Comments are left out.
    pub is_large: bool,
    /// Bits below 14 of the masquerade mark.
    pub lower_bit: u8,
    /// Conntrack is liberal with TCP.
    pub is_liberal: bool,
    /// nfacct counters are there.
    pub has_nfacct: bool,
    /// The node holds the Services' external and load-balancer addresses itself.
    pub holds_addresses: bool,
}

/// One Service.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServicePlan {
    /// Its ports, one at least.
    pub ports: Vec<PortPlan>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointPlan>,
    /// How many load-balancer addresses it has.
    pub balancers: u8,
    /// How many external IPs.
    pub externals: u8,
    /// How many source ranges: the first are clients, the second the nodes.
    pub ranges: u8,
    /// `internalTrafficPolicy: Local`
    pub internal_local: bool,
    /// `externalTrafficPolicy: Local`
    pub external_local: bool,
    /// Seconds of affinity by client address; 0 for none.
    pub affinity: u16,
    /// Whether the endpoints are spread over two slices.
    pub two_slices: bool,
}

/// One port of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PortPlan {
    /// 0: TCP, 1: UDP, 2: SCTP.
    pub protocol: u8,
    /// Whether it has a node port.
    pub has_node_port: bool,
}

/// One endpoint of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EndpointPlan {
    /// 0: this node.
    pub node: u8,
    /// What its conditions say.
    pub state: EndpointState,
    /// Whether its address is the node's own.
    pub is_host_network: bool,
}

/// The conditions of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum EndpointState {
    /// It serves.
    #[default]
    Ready,
    /// It shuts down and still serves.
    ServingTerminating,
    /// It shuts down and does not serve any more.
    Terminating,
    /// It does not serve yet.
    NotReady,
}

impl Plan {
    /// A plan that `choose` makes: each call is one choice from a range.
    pub fn chosen_by(choose: &mut dyn FnMut(RangeInclusive<u32>) -> u32) -> Plan {
        let mut small = |range: RangeInclusive<u32>| u8::try_from(choose(range)).unwrap_or(0);
        let settings = SettingsPlan {
            is_v6: small(0..=3) == 3,
            older: small(0..=10),
            detector: small(0..=5).saturating_sub(2),
            masquerade_all: small(0..=5) == 5,
            no_localhost: small(0..=3) == 3,
            nodeport_addresses: small(0..=5).saturating_sub(3),
            is_large: small(0..=5) == 5,
            lower_bit: small(0..=3) / 3,
            is_liberal: small(0..=4) == 4,
            has_nfacct: small(0..=2) == 2,
            holds_addresses: small(0..=4) == 4,
        };
        let services = (0..small(1..=7)).map(|_| ServicePlan::chosen_by(&mut small)).collect();
        Plan { settings, services }
    }
}

impl Plan {
    /// One Service of every kind, under settings of your own.
    pub fn showcase(settings: SettingsPlan) -> Plan {
        let on = |nodes: &[u8]| -> Vec<EndpointPlan> {
            nodes.iter().map(|node| EndpointPlan { node: *node, ..EndpointPlan::default() }).collect()
        };
        let plain = |nodes: &[u8]| ServicePlan {
            ports: vec![PortPlan::default()],
            endpoints: on(nodes),
            ..ServicePlan::default()
        };
        let node_port = |nodes: &[u8]| ServicePlan {
            ports: vec![PortPlan { protocol: 0, has_node_port: true }],
            ..plain(nodes)
        };
        let balancer = |nodes: &[u8], ranges| ServicePlan { balancers: 2, ranges, ..node_port(nodes) };
        let local = |service: ServicePlan| ServicePlan { external_local: true, ..service };
        let inside = |service: ServicePlan| ServicePlan { internal_local: true, ..service };
        let sticky = |service: ServicePlan| ServicePlan { affinity: 10_800, ..service };
        let three = (0..3).map(|protocol| PortPlan { protocol, has_node_port: true }).collect();
        let state = EndpointState::ServingTerminating;
        let terminating = |node| EndpointPlan { node, state, ..EndpointPlan::default() };
        let host = |node| EndpointPlan { node, is_host_network: true, ..EndpointPlan::default() };
        let services = vec![
            plain(&[0, 1, 2]),
            ServicePlan { ports: three, ..plain(&[0, 1]) },
            balancer(&[0, 1], 2),
            local(balancer(&[0, 0, 1], 1)),
            local(balancer(&[1, 2], 0)),
            local(node_port(&[0, 1])),
            inside(plain(&[0, 1])),
            inside(plain(&[1, 2])),
            ServicePlan { externals: 2, ..plain(&[0, 1]) },
            local(ServicePlan { externals: 1, ..node_port(&[0, 1, 1]) }),
            sticky(node_port(&[0, 1, 2])),
            sticky(inside(local(balancer(&[0, 0, 1], 0)))),
            ServicePlan { externals: 1, ..balancer(&[], 1) },
            plain(&[0, 1, 2, 0, 1, 2, 0]),
            ServicePlan { endpoints: vec![host(0), host(1)], ..node_port(&[]) },
            local(ServicePlan { endpoints: vec![terminating(0), terminating(1)], ..balancer(&[], 0) }),
        ];
        Plan { settings, services }
    }
}

impl ServicePlan {
    fn chosen_by(small: &mut dyn FnMut(RangeInclusive<u32>) -> u8) -> ServicePlan {
        let is_external = small(0..=2) > 0;
        let port = |small: &mut dyn FnMut(RangeInclusive<u32>) -> u8| PortPlan {
            protocol: small(0..=4).saturating_sub(2),
            has_node_port: is_external && small(0..=3) > 0,
        };
        let ports = (0..small(1..=4).saturating_sub(1).max(1)).map(|_| port(small)).collect();
        let balancers = if is_external { small(0..=4).saturating_sub(2) } else { 0 };
        let many = small(0..=19) == 19;
        let count = if many { small(9..=40) } else { small(0..=5) };
        let endpoint = |_| EndpointPlan {
            node: small(0..=2),
            state: match small(0..=9) {
                7 => EndpointState::ServingTerminating,
                8 => EndpointState::Terminating,
                9 => EndpointState::NotReady,
                _ => EndpointState::Ready,
            },
            is_host_network: small(0..=11) == 11,
        };
        let endpoints = (0..count).map(endpoint).collect();
        ServicePlan {
            ports,
            endpoints,
            balancers,
            externals: if is_external { small(0..=4).saturating_sub(2) } else { 0 },
            ranges: if balancers > 0 { small(0..=2) } else { 0 },
            internal_local: small(0..=4) == 4,
            external_local: is_external && small(0..=2) == 2,
            affinity: if small(0..=4) == 4 { 10_800 } else { 0 },
            two_slices: small(0..=4) == 4,
        }
    }
}

impl Cluster {
    /// The cluster of a seed: the same one for ever. 1 to 7 Services of all kinds on a node with any
    /// settings, versions from 1.23 on.
    pub fn random(seed: u64) -> Cluster {
        let mut dice = Dice::new(seed);
        Cluster::planned(&Plan::chosen_by(&mut |range| dice.number(range)))
    }

    /// The cluster that a plan describes.
    pub fn planned(plan: &Plan) -> Cluster {
        let net = Net::new(plan.settings.is_v6);
        let mut services = Vec::new();
        let mut slices = Vec::new();
        for (number, service) in (0_u16..).zip(&plan.services) {
            services.push(net.service(number, service));
            slices.extend(net.slices(number, service));
        }
        let mut cluster = Cluster::new(net.config(plan.settings), services, slices);
        if plan.settings.holds_addresses {
            for service in &cluster.services {
                let balancers = service.load_balancer.iter().map(|ingress| ingress.ip);
                cluster.node_addresses.extend(service.external_ips.iter().copied().chain(balancers));
            }
        }
        cluster
    }
}

/// The addresses of generated clusters: those of documentation (RFC 5737, RFC 3849) and private ones.
struct Net {
    family: Family,
}

impl Net {
    fn new(is_v6: bool) -> Self {
        Net { family: if is_v6 { Family::V6 } else { Family::V4 } }
    }

    /// The address of a kind and a number.
    fn ip(&self, v4: [u8; 3], v6: [u16; 3], number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        match self.family {
            Family::V4 => Ipv4Addr::new(v4[0], v4[1], v4[2].wrapping_add(high), low).into(),
            Family::V6 => Ipv6Addr::new(v6[0], v6[1], v6[2], 0, 0, 0, 0, number).into(),
        }
    }

    fn node(&self, number: u8) -> IpAddr {
        self.ip([192, 0, 2], [0x2001, 0xdb8, 0], 10 + u16::from(number))
    }

    fn range(&self, text_v4: &str, text_v6: &str) -> Option<hookwalk_parser::types::MaskedAddress> {
        if self.family == Family::V4 { text_v4.parse().ok() } else { text_v6.parse().ok() }
    }

    fn config(&self, plan: SettingsPlan) -> Config {
        let versions = Version::ALL.into_iter().rev();
        let version = versions.clone().nth(usize::from(plan.older)).unwrap_or(Version::V1_33);
        let mut config = Config::new(version);
        config.family = self.family;
        config.node_name = "node-0".into();
        config.node_ip = Some(self.node(0));
        config.local_detector = match plan.detector {
            0 => self.range("10.64.0.0/16", "fd00:64::/32").map_or(LocalDetector::None, LocalDetector::Cidr),
            1 => LocalDetector::Bridge("cni0".into()),
            2 => LocalDetector::InterfacePrefix("veth".into()),
            _ => LocalDetector::None,
        };
        config.masquerade_all = plan.masquerade_all;
        config.localhost_nodeports = !plan.no_localhost;
        let localhost: IpAddr =
            if self.family == Family::V4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        config.nodeport_addresses = match plan.nodeport_addresses {
            0 => None,
            1 => Some(vec![self.node(0)]),
            _ => Some(vec![self.node(0), localhost]),
        };
        config.masquerade_bit = 14_u8.saturating_sub(plan.lower_bit);
        config.conntrack_tcp_liberal = plan.is_liberal;
        config.nfacct = plan.has_nfacct;
        if plan.is_large {
            config.large_cluster_endpoints = 0;
        }
        config
    }

    fn service(&self, number: u16, plan: &ServicePlan) -> Service {
        let mut service = Service::new(namespace(number), format!("svc-{number}"));
        service.cluster_ips = vec![self.ip([10, 96, 0], [0xfd00, 0x96, 0], 10 + 2 * number)];
        for (at, port) in (0_u16..).zip(&plan.ports) {
            service.ports.push(ServicePort {
                name: port_name(plan, at),
                node_port: port.has_node_port.then_some(30_000 + 10 * number + at),
                ..ServicePort::new(protocol(*port), port_number(at))
            });
        }
        let addresses = |count: u8, v4: [u8; 3], v6: [u16; 3]| -> Vec<IpAddr> {
            // The addresses between stay free, so that a mask that is too wide shows.
            (0..u16::from(count)).map(|at| self.ip(v4, v6, 10 + 8 * number + 2 * at)).collect()
        };
        service.external_ips = addresses(plan.externals, [198, 51, 100], [0x2001, 0xdb8, 0x198]);
        let balancers = addresses(plan.balancers, [203, 0, 113], [0x2001, 0xdb8, 0x203]);
        service.load_balancer =
            balancers.into_iter().map(|ip| LoadBalancerIngress { ip, mode: IpMode::Vip }).collect();
        let ranges =
            [self.range("198.18.0.0/15", "2001:db8:18::/48"), self.range("192.0.2.0/24", "2001:db8::/64")];
        service.source_ranges = ranges.into_iter().flatten().take(usize::from(plan.ranges)).collect();
        let has_node_port = plan.ports.iter().any(|port| port.has_node_port);
        service.service_type = match (plan.balancers, has_node_port) {
            (1.., _) => ServiceType::LoadBalancer,
            (0, true) => ServiceType::NodePort,
            (0, false) => ServiceType::ClusterIp,
        };
        let policy = |is_local| if is_local { TrafficPolicy::Local } else { TrafficPolicy::Cluster };
        (service.internal_policy, service.external_policy) =
            (policy(plan.internal_local), policy(plan.external_local));
        service.affinity_seconds = (plan.affinity > 0).then_some(u32::from(plan.affinity));
        if plan.external_local && service.service_type == ServiceType::LoadBalancer {
            service.health_check_node_port = Some(32_000 + number);
        }
        service
    }

    fn slices(&self, number: u16, plan: &ServicePlan) -> Vec<EndpointSlice> {
        let ports: Vec<EndpointPort> = (0_u16..)
            .zip(&plan.ports)
            .map(|(at, port)| EndpointPort {
                name: port_name(plan, at),
                ..EndpointPort::new(protocol(*port), 8_000 + port_number(at))
            })
            .collect();
        let slice = |at: usize, endpoints: Vec<Endpoint>| EndpointSlice {
            namespace: namespace(number).into(),
            name: format!("svc-{number}-{at}"),
            service: format!("svc-{number}"),
            address_type: if self.family == Family::V4 { AddressType::Ipv4 } else { AddressType::Ipv6 },
            ports: ports.clone(),
            endpoints,
        };
        let mut all: Vec<Endpoint> = Vec::new();
        for (at, endpoint) in (0_u16..).zip(&plan.endpoints) {
            let endpoint = self.endpoint(number, at, *endpoint);
            // A node has one address: a second endpoint there would be the same one.
            if !all.iter().any(|earlier| earlier.address == endpoint.address) {
                all.push(endpoint);
            }
        }
        if plan.two_slices {
            let (first, second) = all.split_at(all.len() / 2);
            vec![slice(0, first.to_vec()), slice(1, second.to_vec())]
        } else {
            vec![slice(0, all)]
        }
    }

    fn endpoint(&self, service: u16, at: u16, plan: EndpointPlan) -> Endpoint {
        let pod =
            self.ip([10, 64, 8 * plan.node], [0xfd00, 0x64, u16::from(plan.node)], 96 * service + 2 * at + 2);
        let address = if plan.is_host_network { self.node(plan.node) } else { pod };
        let endpoint = Endpoint::new(address).on(format!("node-{}", plan.node));
        match plan.state {
            EndpointState::Ready => endpoint,
            EndpointState::ServingTerminating => endpoint.terminating(true),
            EndpointState::Terminating => endpoint.terminating(false),
            EndpointState::NotReady => Endpoint { ready: false, serving: false, ..endpoint },
        }
    }
}

fn namespace(number: u16) -> &'static str {
    match number % 3 {
        0 => "shop",
        1 => "default",
        _ => "kube-system",
    }
}

/// Ports have names where there are several, as the API demands.
fn port_name(plan: &ServicePlan, at: u16) -> String {
    if plan.ports.len() > 1 { format!("p{at}") } else { String::new() }
}

fn port_number(at: u16) -> u16 {
    80 + at
}

fn protocol(port: PortPlan) -> Protocol {
    match port.protocol {
        0 => Protocol::TCP,
        1 => Protocol::UDP,
        _ => Protocol::SCTP,
    }
}
