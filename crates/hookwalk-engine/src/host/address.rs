use std::net::IpAddr;

use hookwalk_parser::extensions::AddressType;
use ipnet::IpNet;
use rustc_hash::FxHashMap;

use super::prefixes::Prefixes;
use crate::packet::InterfaceName;

/// One address of an interface, as `ip addr` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface.
    pub interface: InterfaceName,
    address: IpNet,
    /// How far it is valid.
    pub scope: Scope,
    /// Whether another address of the same subnet stands before it.
    pub secondary: bool,
    /// The broadcast address, where one is set.
    pub broadcast: Option<IpAddr>,
}

/// How far an address is valid (rtnetlink(7), `rtm_scope`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// In its site, IPv6 only.
    Site,
    /// On its link.
    Link,
    /// On this node.
    Host,
}

impl InterfaceAddress {
    /// A primary address of global scope; none when the prefix is longer than the address.
    pub fn new(interface: InterfaceName, address: IpAddr, prefix_len: u8) -> Option<Self> {
        let address = IpNet::new(address, prefix_len).ok()?;
        Some(InterfaceAddress { interface, address, scope: Scope::Global, secondary: false, broadcast: None })
    }

    /// The address itself.
    pub fn address(&self) -> IpAddr {
        self.address.addr()
    }

    /// How many bits of it name the subnet.
    pub fn prefix_len(&self) -> u8 {
        self.address.prefix_len()
    }

    /// Whether it may stand in for the source of packets of others: IPv4 takes primary global ones.
    fn may_masquerade(&self) -> bool {
        self.scope == Scope::Global && !self.secondary && self.address().is_ipv4()
    }

    /// Whether an address lies in its subnet.
    pub fn subnet_contains(&self, other: IpAddr) -> bool {
        self.address.contains(&other)
    }
}

/// The addresses of all interfaces, in order and by what they are.
#[derive(Clone, Debug, Default)]
pub(super) struct InterfaceAddresses {
    pub(super) listed: Vec<InterfaceAddress>,
    types: FxHashMap<IpAddr, AddressType>,
    /// By interface, as places in the list.
    by_interface: FxHashMap<InterfaceName, OfInterface>,
    /// The first that MASQUERADE may give.
    first: Option<u32>,
}

#[derive(Clone, Debug, Default)]
struct OfInterface {
    all: Vec<u32>,
    /// The first that MASQUERADE may give.
    first: Option<u32>,
    /// The subnets of all such.
    subnets: Prefixes,
}

impl InterfaceAddresses {
    pub(super) fn extend(&mut self, more: Vec<InterfaceAddress>) {
        for own in &more {
            self.types.insert(own.address(), AddressType::Local);
            let of_subnet =
                (own.address().is_ipv4() && own.prefix_len() < 31).then(|| own.address.broadcast());
            for broadcast in own.broadcast.into_iter().chain(of_subnet) {
                self.types.entry(broadcast).or_insert(AddressType::Broadcast);
            }
        }
        self.listed.extend(more);
        self.by_interface.clear();
        for (place, own) in (0..).zip(&self.listed) {
            let of = self.by_interface.entry(own.interface).or_default();
            of.all.push(place);
            if own.may_masquerade() {
                of.first = of.first.or(Some(place));
                self.first = self.first.or(Some(place));
            }
        }
        let listed = &self.listed;
        for of in self.by_interface.values_mut() {
            let all = of.all.iter().filter_map(|place| Some((listed.get(*place as usize)?, *place)));
            let usable = all.filter(|(own, _)| own.may_masquerade());
            of.subnets = Prefixes::new(usable.map(|(own, place)| (own.address, place)));
        }
    }

    /// Those of one interface, in order.
    pub(super) fn of(&self, interface: InterfaceName) -> impl Iterator<Item = &InterfaceAddress> {
        let places = self.by_interface.get(&interface).map(|of| of.all.as_slice()).unwrap_or_default();
        places.iter().filter_map(|place| self.listed.get(*place as usize))
    }

    /// Of the usable addresses of an interface the first one whose subnet holds the next hop, else the first,
    /// else one of another interface.
    pub(super) fn toward(&self, out: InterfaceName, next_hop: IpAddr) -> Option<IpAddr> {
        let of = self.by_interface.get(&out);
        let place = of.and_then(|of| of.subnets.holding(next_hop).min().or(of.first)).or(self.first)?;
        self.listed.get(place as usize).map(InterfaceAddress::address)
    }

    pub(super) fn address_type(&self, address: IpAddr) -> AddressType {
        self.types.get(&address).copied().unwrap_or(AddressType::Unicast)
    }
}
