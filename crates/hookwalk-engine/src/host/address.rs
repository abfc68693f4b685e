use std::net::IpAddr;

use hookwalk_parser::extensions::AddressType;
use ipnet::IpNet;
use rustc_hash::FxHashMap;

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
    }

    pub(super) fn address_type(&self, address: IpAddr) -> AddressType {
        self.types.get(&address).copied().unwrap_or(AddressType::Unicast)
    }
}
