use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_engine::{Host, InterfaceName};
use hookwalk_parser::Dump;
use hookwalk_parser::types::{Family, MaskedAddress};
use rustc_hash::FxHashSet;

use super::Vantage;
use crate::inventory::Inventory;
use crate::objects::{Node, NodeAddressKind};
use crate::settings::Detector;

/// The addresses and interfaces that stand for each kind of sender, for one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// A Pod of this node that is no endpoint.
    pub pod: IpAddr,
    /// The interface its packets come by.
    pub pod_interface: InterfaceName,
    /// An address of this node.
    pub node: IpAddr,
    /// The address at which node ports are asked for: the same, or one of those that alone serve them.
    pub node_port: IpAddr,
    /// Whether nothing tells the node's address, so that one stands for it that no rule names.
    pub node_is_made_up: bool,
    /// Another node.
    pub other_node: IpAddr,
    /// Somewhere else.
    pub outside: IpAddr,
    /// The interface that packets of other nodes and from outside come by.
    pub outside_interface: InterfaceName,
    /// The host does not know `node` yet.
    pub(super) adds_node_address: bool,
}

impl Places {
    pub(super) fn choose(
        dumps: &[Dump],
        host: &Host,
        inventory: &Inventory,
        node: Option<&Node>,
        others: &[Node],
        family: Family,
    ) -> Places {
        let named = Named::read(dumps);
        let settings = inventory.settings_of(family);
        let detector = settings.and_then(|settings| settings.detector);
        let of_family = |address: &IpAddr| Family::of(*address) == family;
        let is_pods = |address: &IpAddr| {
            matches!(detector, Some(Detector::Cidr(cidr)) if cidr.contains(*address))
                || is_link_local(*address)
        };
        // A bridge for Pods has an address of theirs.
        let mut told: Vec<IpAddr> = host.node_addresses().into_iter().filter(of_family).collect();
        told.sort_by_key(is_pods);
        let told = told.first().copied();
        let of_object = node.and_then(|node| internal_ip(node, family));
        let made_up = named.unnamed(family, &[]);
        let served = served_addresses(inventory, family);
        // kube-proxy serves node ports at no address but the node's.
        let of_rules = served.first().copied();
        let own = told.or(of_object).or(of_rules).unwrap_or(made_up);
        let node_port = of_rules.filter(|_| !served.contains(&own)).unwrap_or(own);
        let others = others.iter().filter(|other| node.is_none_or(|node| node.name != other.name));
        let other_node = others
            .filter_map(|other| internal_ip(other, family))
            .find(|address| *address != own)
            .unwrap_or_else(|| named.free(around(own), &[own]));
        let outside = named.unnamed(family, &[own, other_node]);
        let pods = pod_network(inventory, node, detector, family);
        let free = named.free(pods, &[own, other_node]);
        let (pod, pod_interface) = routed_pod(dumps, host, detector, &named, family)
            .unwrap_or_else(|| (free, pod_interface(dumps, host, detector)));
        Places {
            pod,
            pod_interface,
            node: own,
            node_port,
            node_is_made_up: told.or(of_object).or(of_rules).is_none(),
            other_node,
            outside,
            outside_interface: interface_of(host, |address| address == own).unwrap_or(interface(b"eth0")),
            adds_node_address: told.is_none() && host.is_local(own).is_none_or(|known| !known),
        }
    }

    /// The source address of a vantage.
    pub fn source(&self, vantage: Vantage) -> IpAddr {
        match vantage {
            Vantage::Pod => self.pod,
            Vantage::ThisNode => self.node,
            Vantage::OtherNode => self.other_node,
            Vantage::Outside => self.outside,
        }
    }

    /// The interface that its packets come by; none for those of this node.
    pub fn interface(&self, vantage: Vantage) -> Option<InterfaceName> {
        match vantage {
            Vantage::Pod => Some(self.pod_interface),
            Vantage::ThisNode => None,
            Vantage::OtherNode | Vantage::Outside => Some(self.outside_interface),
        }
    }
}

fn internal_ip(node: &Node, family: Family) -> Option<IpAddr> {
    let of_family = |kind| {
        let mut found =
            node.addresses.iter().filter(move |a| a.kind == kind && Family::of(a.address) == family);
        found.next().map(|address| address.address)
    };
    of_family(NodeAddressKind::InternalIp).or_else(|| of_family(NodeAddressKind::ExternalIp))
}

/// The addresses that alone serve node ports, those of loopback aside; none where all of the node's do.
pub(super) fn served_addresses(inventory: &Inventory, family: Family) -> Vec<IpAddr> {
    let served = inventory.settings_of(family).and_then(|settings| settings.node_ports.addresses.as_ref());
    served.into_iter().flatten().copied().filter(|address| !address.is_loopback()).collect()
}

/// `fe80::/10`, 169.254.0.0/16: no service is served there.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The interface that has an address, where they are told.
fn interface_of(host: &Host, holds: impl Fn(IpAddr) -> bool) -> Option<InterfaceName> {
    host.interface_addresses()?.iter().find(|own| holds(own.address())).map(|own| own.interface)
}

fn interface(name: &[u8]) -> InterfaceName {
    InterfaceName::new(name).unwrap_or(InterfaceName::LOOPBACK)
}

/// Networks that no cluster has its nodes or clients in: for documentation (RFC 5737, RFC 3849) and
/// benchmarks (RFC 2544). Rules may name some of them all the same.
fn stand_ins(family: Family) -> Vec<MaskedAddress> {
    let v4 = |a, b, c| network(Ipv4Addr::new(a, b, c, 0).into(), 24);
    match family {
        Family::V4 => {
            vec![
                v4(203, 0, 113),
                v4(198, 51, 100),
                v4(192, 0, 2),
                v4(198, 18, 77),
                v4(100, 127, 77),
                v4(11, 77, 77),
            ]
        }
        Family::V6 => (0..4)
            .map(|which| network(Ipv6Addr::new(0x2001, 0xdb8, 0xff77 + which, 0, 0, 0, 0, 0).into(), 64))
            .collect(),
    }
}

fn stand_in_of(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, 0).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xff77, 0, 0, 0, 0, 0).into(),
    }
}

/// The network of a node's neighbours.
fn around(address: IpAddr) -> MaskedAddress {
    network(address, if address.is_ipv4() { 24 } else { 64 })
}

fn network(address: IpAddr, prefix_len: u32) -> MaskedAddress {
    match address {
        IpAddr::V4(v4) => {
            MaskedAddress::v4(v4, Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - prefix_len).unwrap_or(0)))
        }
        IpAddr::V6(v6) => {
            MaskedAddress::v6(v6, Ipv6Addr::from_bits(u128::MAX.checked_shl(128 - prefix_len).unwrap_or(0)))
        }
    }
}

/// Where a Pod of this node has its address.
fn pod_network(
    inventory: &Inventory,
    node: Option<&Node>,
    detector: Option<Detector>,
    family: Family,
) -> MaskedAddress {
    let of_node = node.and_then(|node| node.pod_cidrs.iter().find(|cidr| cidr.family() == family).copied());
    if let Some(Detector::Cidr(cidr)) = detector {
        return of_node.filter(|own| cidr.contains(own.address())).unwrap_or(cidr);
    }
    let endpoints = inventory.services.iter().flat_map(|service| &service.endpoints);
    let mut endpoints = endpoints.filter(|endpoint| Family::of(endpoint.address.ip()) == family);
    let endpoint = endpoints.clone().find(|e| e.local == Some(true)).or_else(|| endpoints.next());
    of_node.or_else(|| endpoint.map(|endpoint| around(endpoint.address.ip()))).unwrap_or(match family {
        Family::V4 => network(Ipv4Addr::new(10, 244, 0, 0).into(), 24),
        Family::V6 => network(Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, 0).into(), 64),
    })
}

/// How the interfaces of Pods are called by the plugins there are.
const POD_INTERFACES: &[&[u8]] = &[b"cali", b"lxc", b"eni", b"azv", b"veth", b"cni", b"cbr", b"weave"];

/// A Pod whose interface some rule names and whose address a route has; one that is no endpoint first.
fn routed_pod(
    dumps: &[Dump],
    host: &Host,
    detector: Option<Detector>,
    named: &Named,
    family: Family,
) -> Option<(IpAddr, InterfaceName)> {
    let is_pods = |address: IpAddr, interface: InterfaceName| match detector {
        Some(Detector::Cidr(cidr)) => cidr.contains(address),
        Some(Detector::Interface(pattern)) => pattern.matches(interface.as_bytes()),
        None => true,
    };
    let mut pods: Vec<(IpAddr, InterfaceName)> = named_pod_interfaces(dumps)
        .filter_map(|interface| Some((host.address_behind(interface)?, interface)))
        .filter(|(address, interface)| Family::of(*address) == family && is_pods(*address, *interface))
        .collect();
    pods.sort_by_key(|(address, _)| named.hosts.contains(address));
    pods.first().copied()
}

/// Interfaces of Pods that some rule names.
fn named_pod_interfaces(dumps: &[Dump]) -> impl Iterator<Item = InterfaceName> {
    let rules =
        dumps.iter().flat_map(Dump::tables).flat_map(|table| &table.chains).flat_map(|chain| &chain.rules);
    let named =
        rules.filter_map(|rule| rule.base.in_interface()).filter(|i| !i.negated && !i.value.is_prefix());
    let pods = named.filter(|i| POD_INTERFACES.iter().any(|prefix| i.value.name().starts_with(prefix)));
    pods.filter_map(|i| InterfaceName::new(i.value.name()))
}

/// The interface that the detector names, else one of a Pod that some rule names, else the bridge
/// that has an address of theirs.
fn pod_interface(dumps: &[Dump], host: &Host, detector: Option<Detector>) -> InterfaceName {
    if let Some(Detector::Interface(pattern)) = detector {
        let mut name = pattern.name().to_vec();
        if pattern.is_prefix() && name.len() < InterfaceName::MAX {
            name.push(b'0');
        }
        return interface(&name);
    }
    let bridge = match detector {
        Some(Detector::Cidr(cidr)) => interface_of(host, |address| cidr.contains(address)),
        _ => None,
    };
    named_pod_interfaces(dumps).next().or(bridge).unwrap_or(interface(b"cni0"))
}

/// An address of a network, as far from its ends as it has room for; none when all are taken.
pub(crate) fn member(network: MaskedAddress, taken: &[IpAddr]) -> Option<IpAddr> {
    let one = network.address();
    if network == MaskedAddress::host(one) {
        return Some(one).filter(|one| !taken.contains(one));
    }
    network.prefix_len()?;
    candidates(network).find(|address| !taken.contains(address))
}

/// The addresses that rules name: what stands for "any" must be none of them.
struct Named {
    hosts: FxHashSet<IpAddr>,
    networks: Vec<MaskedAddress>,
}

impl Named {
    fn read(dumps: &[Dump]) -> Self {
        let mut named = Named { hosts: FxHashSet::default(), networks: Vec::new() };
        for table in dumps.iter().flat_map(Dump::tables) {
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                for address in [rule.base.source(), rule.base.destination()].into_iter().flatten() {
                    let one = address.value.address();
                    if address.value == MaskedAddress::host(one) {
                        named.hosts.insert(one);
                    } else if !address.value.is_any() && !named.networks.contains(&address.value) {
                        named.networks.push(address.value);
                    }
                }
            }
        }
        named
    }

    /// An address of the network that no rule names, alone or by a narrower network.
    fn free(&self, within: MaskedAddress, taken: &[IpAddr]) -> IpAddr {
        let narrower = |other: &&MaskedAddress| {
            **other != within && other.prefix_len() > within.prefix_len() && within.contains(other.address())
        };
        let narrower: Vec<&MaskedAddress> = self.networks.iter().filter(narrower).collect();
        let is_free = |address: &IpAddr| {
            !taken.contains(address)
                && !self.hosts.contains(address)
                && !narrower.iter().any(|network| network.contains(*address))
        };
        candidates(within).find(is_free).unwrap_or_else(|| within.address())
    }

    /// An address that no rule names at all, but by "any".
    fn unnamed(&self, family: Family, taken: &[IpAddr]) -> IpAddr {
        let networks = stand_ins(family);
        let is_named = |address: &IpAddr| {
            taken.contains(address)
                || self.hosts.contains(address)
                || self.networks.iter().any(|network| network.contains(*address))
        };
        let mut free =
            networks.iter().filter_map(|within| candidates(*within).find(|address| !is_named(address)));
        free.next().unwrap_or_else(|| self.free(around(stand_in_of(family)), taken))
    }
}

/// Addresses all over a network, none at its ends.
fn candidates(within: MaskedAddress) -> impl Iterator<Item = IpAddr> {
    let host_bits = match within.address() {
        IpAddr::V4(_) => 32 - u32::from(within.prefix_len().unwrap_or(32)),
        IpAddr::V6(_) => 128 - u32::from(within.prefix_len().unwrap_or(128)),
    };
    let size = 1_u64.checked_shl(host_bits.min(40)).unwrap_or(1);
    (0..4096_u64).filter_map(move |step| {
        // A step that is odd comes to every address of a network in turn.
        let offset = (77 + step * 259) % size;
        if offset == 0 || offset == size - 1 {
            return None;
        }
        Some(match within.address() {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() | u32::try_from(offset).ok()?).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | u128::from(offset)).into(),
        })
    })
}
