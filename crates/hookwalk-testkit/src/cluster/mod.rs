//! One node of a Kubernetes cluster: its kube-proxy's settings, the API's objects, and who is around it.
//!
//! A [`Cluster`] comes from objects of your own ([`Cluster::new`]), from a seed
//! ([`Cluster::random`]), or, with the features `proptest1` and `arbitrary1`, from those crates.
//! [`Cluster::probes`] are packets from every side to every address of every Service, each with what
//! has to become of it by the objects alone.
//!
//! ```
//! use hookwalk_testkit::cluster::Cluster;
//! let cluster = Cluster::random(7);
//! assert_eq!(cluster, Cluster::random(7));
//! assert!(!cluster.probes().is_empty());
//! ```

#[cfg(feature = "arbitrary1")]
mod arbitrary;
mod expect;
mod plan;
mod probe;
#[cfg(feature = "proptest1")]
mod strategy;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hookwalk_engine::{Host, InterfaceAddress, InterfaceName, NextHop, Route};
use hookwalk_kube::objects::{EndpointSlice, Service};
use hookwalk_kube::writer::{Config, KubeProxy, KubeRules, LocalDetector, Version};
use hookwalk_parser::types::{Family, MaskedAddress};

pub use expect::Expected;
pub use plan::{EndpointPlan, EndpointState, Plan, PortPlan, ServicePlan, SettingsPlan};
pub use probe::{AddressKind, Probe, Vantage};
#[cfg(feature = "proptest1")]
pub use strategy::{clusters, clusters_of, plans};

/// A node with its kube-proxy, in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// What kube-proxy is told: its version and settings.
    pub config: Config,
    /// The Services.
    pub services: Vec<Service>,
    /// Their `EndpointSlices`.
    pub slices: Vec<EndpointSlice>,
    /// All of the node's own addresses, 127.0.0.0/8 and `::1` aside.
    pub node_addresses: Vec<IpAddr>,
    /// The interface to everywhere else: `eth0`.
    pub uplink: InterfaceName,
    /// The interface that the node's Pods are behind; `cni0` where the local detector does not name one.
    pub pod_interface: InterfaceName,
    /// A Pod of this node that is no endpoint.
    pub local_pod: IpAddr,
    /// A Pod of another node.
    pub remote_pod: IpAddr,
    /// Another node.
    pub other_node: IpAddr,
    /// Hosts outside the cluster: one anywhere, and one just beyond the cluster's CIDR. Those of a
    /// Service's source ranges come beside.
    pub outside: Vec<IpAddr>,
}

impl Cluster {
    /// A node among these objects. Who is around it is chosen so that it is nobody of the objects, and
    /// can be changed in the fields.
    pub fn new(config: Config, services: Vec<Service>, slices: Vec<EndpointSlice>) -> Self {
        let around = Around::new(&config, &slices);
        let mut node_addresses: Vec<IpAddr> = config.node_ip.into_iter().collect();
        let others = config.nodeport_addresses.iter().flatten();
        node_addresses.extend(
            others.filter(|ip| !ip.is_loopback() && Some(**ip) != config.node_ip && is_of(&config, **ip)),
        );
        let pod_interface = match &config.local_detector {
            LocalDetector::Bridge(bridge) => bridge.parse().ok(),
            LocalDetector::InterfacePrefix(prefix) => format!("{prefix}1").parse().ok(),
            _ => None,
        };
        let mut outside = vec![around.outside];
        if let LocalDetector::Cidr(cidr) = &config.local_detector {
            outside.extend(beyond(cidr).map(|ip| next(ip, 5)).filter(|ip| is_of(&config, *ip)));
        }
        Cluster {
            uplink: interface("eth0"),
            pod_interface: pod_interface.unwrap_or_else(|| interface("cni0")),
            local_pod: around.local_pod,
            remote_pod: around.remote_pod,
            other_node: around.other_node,
            outside,
            node_addresses,
            config,
            services,
            slices,
        }
    }

    /// The rules that kube-proxy writes here.
    pub fn rules(&self) -> KubeRules {
        KubeProxy::new(self.config.clone()).rules(&self.services, &self.slices)
    }

    /// The node as walks see it: addresses, routes to its Pods and to everywhere else, and the sysctls
    /// that kube-proxy sets.
    pub fn host(&self) -> Host {
        let len = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
        let addresses = self.node_addresses.iter();
        let addresses =
            addresses.filter_map(|ip| InterfaceAddress::new(self.uplink, *ip, len(*ip))).collect();
        let via = |interface| NextHop { via: None, interface: Some(interface) };
        let everywhere: IpAddr = match self.config.family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut routes: Vec<Route> = Route::new(everywhere, 0, via(self.uplink)).into_iter().collect();
        for pod in self.local_endpoint_addresses().chain([self.local_pod]) {
            routes.extend(Route::new(pod, len(pod), via(self.pod_interface)));
        }
        let mut host = Host::default().with_interface_addresses(addresses).with_routes(routes);
        // Up to 1.25 there was no flag.
        if self.config.localhost_nodeports || self.config.version < Version::V1_26 {
            host.sysctls.all_mut(Family::V4).route_localnet = Some(true);
        }
        host
    }

    /// Whether an address is one of the node's own.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.node_addresses.contains(&ip)
    }

    /// The addresses of this node's Pods that are endpoints.
    fn local_endpoint_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let endpoints = self.slices.iter().flat_map(|slice| &slice.endpoints);
        let local = endpoints.filter(|endpoint| endpoint.node.as_ref() == Some(&self.config.node_name));
        local.map(|e| e.address).filter(|ip| is_of(&self.config, *ip) && !self.is_own(*ip))
    }

    /// All endpoints of the node's family, `ip:port`.
    pub fn endpoints(&self) -> Vec<SocketAddr> {
        let mut all = Vec::new();
        for slice in &self.slices {
            for port in &slice.ports {
                let of_family = slice.endpoints.iter().filter(|e| is_of(&self.config, e.address));
                all.extend(of_family.map(|e| SocketAddr::new(e.address, port.port)));
            }
        }
        all
    }
}

fn is_of(config: &Config, ip: IpAddr) -> bool {
    Family::of(ip) == config.family
}

fn interface(name: &str) -> InterfaceName {
    // Names in this module are short enough.
    InterfaceName::new(name.as_bytes()).unwrap_or(InterfaceName::LOOPBACK)
}

/// The first address of the prefix beside one: its last bit is the other. None beside everything.
fn beyond(prefix: &MaskedAddress) -> Option<IpAddr> {
    let len = prefix.prefix_len().filter(|len| *len > 0)?;
    Some(match prefix.address() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() ^ 1_u32.checked_shl(u32::from(32 - len))?).into(),
        IpAddr::V6(ip) => {
            Ipv6Addr::from_bits(ip.to_bits() ^ 1_u128.checked_shl(u32::from(128 - len))?).into()
        }
    })
}

/// The address beside one: its last bit is the other.
fn beside(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() ^ 1).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() ^ 1).into(),
    }
}

/// The address so many behind another.
fn next(ip: IpAddr, by: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits().wrapping_add(by)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits().wrapping_add(u128::from(by))).into(),
    }
}

/// Who is around the node.
struct Around {
    local_pod: IpAddr,
    remote_pod: IpAddr,
    other_node: IpAddr,
    outside: IpAddr,
}

impl Around {
    fn new(config: &Config, slices: &[EndpointSlice]) -> Self {
        let endpoints =
            || slices.iter().flat_map(|slice| &slice.endpoints).filter(|e| is_of(config, e.address));
        let is_local = |e: &hookwalk_kube::objects::Endpoint| e.node.as_ref() == Some(&config.node_name);
        let cidr = match &config.local_detector {
            LocalDetector::Cidr(cidr) if cidr.family() == config.family => Some(cidr.address()),
            _ => None,
        };
        let (pods, nodes, outside): (IpAddr, IpAddr, IpAddr) = match config.family {
            Family::V4 => (
                Ipv4Addr::new(10, 64, 0, 0).into(),
                Ipv4Addr::new(192, 0, 2, 0).into(),
                Ipv4Addr::new(203, 0, 113, 0).into(),
            ),
            Family::V6 => (
                Ipv6Addr::new(0xfd00, 0x64, 0, 0, 0, 0, 0, 0).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0).into(),
            ),
        };
        let of = |local: bool| {
            let own = endpoints().filter(|e| Some(e.address) != config.node_ip);
            own.into_iter().find(|e| is_local(e) == local).map(|e| e.address)
        };
        let is_free = |ip: &IpAddr| !endpoints().any(|e| e.address == *ip) && Some(*ip) != config.node_ip;
        let free = |near: IpAddr| (101..1_101).map(|by| next(near, by)).find(is_free).unwrap_or(near);
        let inside = cidr.unwrap_or(pods);
        let near = |found: Option<IpAddr>| match (found, &config.local_detector) {
            (Some(found), LocalDetector::Cidr(cidr)) if !cidr.contains(found) => inside,
            (Some(found), _) => found,
            (None, _) => inside,
        };
        let local_pod = free(near(of(true)));
        let remote_pod = Some(free(near(of(false)))).filter(|ip| *ip != local_pod);
        Around {
            local_pod,
            remote_pod: remote_pod.unwrap_or_else(|| free(next(local_pod, 1))),
            other_node: free(next(config.node_ip.unwrap_or(nodes), 60)),
            outside: free(next(outside, 100)),
        }
    }
}
