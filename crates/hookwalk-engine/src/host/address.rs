use std::net::IpAddr;

use hookwalk_parser::extensions::AddressType;
use ipnet::IpNet;

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

pub(super) fn address_type(all: &[InterfaceAddress], address: IpAddr) -> AddressType {
    if all.iter().any(|own| own.address() == address) {
        return AddressType::Local;
    }
    let is_broadcast = |own: &InterfaceAddress| {
        own.broadcast == Some(address)
            || (own.address().is_ipv4() && own.prefix_len() < 31 && own.address.broadcast() == address)
    };
    if all.iter().any(is_broadcast) { AddressType::Broadcast } else { AddressType::Unicast }
}
