//! What a dump does not hold and a walk may need: the node's addresses, routes, sets and sysctls.
//!
//! Everything is optional. What is absent is unknown: a walk asks, and answers in cases.

mod address;
mod connection;
mod prefixes;
mod route;
mod set;
mod source6;
mod sysctl;

use std::net::IpAddr;

use hookwalk_parser::extensions::AddressType;
use hookwalk_parser::types::Text;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::packet::InterfaceName;

use address::InterfaceAddresses;
pub use address::{InterfaceAddress, Scope};
pub(crate) use connection::{ConnectionTable, Direction};
pub use connection::{ConnectionTuple, TcpState, TrackedConnection};
pub use route::{NextHop, Route, RouteKind, RouteTableId, RoutingAction, RoutingRule};
pub(crate) use route::{RouteKey, Routed, RoutingTables};
pub use set::{AddressSet, IpNetwork, IpSet, SetDimension, SetEntry, SetMember, SetPart};
pub(crate) use set::{Lookup, Wanted};
pub(crate) use source6::source6;
pub use sysctl::{InterfaceSysctls, ReversePath, Sysctls};

/// The node around the dump.
///
/// ```
/// use hookwalk_engine::Host;
/// let host = Host::default().with_node_address("192.168.50.10".parse().unwrap());
/// assert_eq!(host.is_local("192.168.50.10".parse().unwrap()), Some(true));
/// assert_eq!(host.is_local("10.0.0.5".parse().unwrap()), Some(false));
/// assert_eq!(Host::default().is_local("10.0.0.5".parse().unwrap()), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Host {
    node_addresses: Option<Vec<IpAddr>>,
    /// The same, to be found by.
    is_node_address: FxHashSet<IpAddr>,
    interfaces: Option<InterfaceAddresses>,
    /// Addresses may be missing from what was told.
    addresses_lack: bool,
    routing: RoutingTables,
    sets: FxHashMap<Text, IpSet>,
    connections: ConnectionTable,
    /// Kernel settings; each has a default.
    pub sysctls: Sysctls,
}

impl Host {
    /// One of the node's own addresses. Together they are all of them, 127.0.0.0/8 and `::1` aside.
    #[must_use]
    pub fn with_node_address(mut self, address: IpAddr) -> Self {
        self.node_addresses.get_or_insert_default().push(address);
        self.is_node_address.insert(address);
        self
    }

    /// The addresses of all interfaces, as `ip addr` lists them.
    #[must_use]
    pub fn with_interface_addresses(mut self, addresses: Vec<InterfaceAddress>) -> Self {
        self.interfaces.get_or_insert_default().extend(addresses);
        self
    }

    /// Some addresses could not be read: one that is not listed may be the node's own all the same.
    #[must_use]
    pub fn with_addresses_missing(mut self) -> Self {
        self.addresses_lack = true;
        self
    }

    /// Some routes or routing rules could not be read: where a packet goes is then not certain.
    #[must_use]
    pub fn with_routes_missing(mut self) -> Self {
        self.routing.lack = true;
        self
    }

    /// Routes of any tables, as `ip route show table all` lists them. Destinations that none of
    /// them covers have no route.
    #[must_use]
    pub fn with_routes(mut self, routes: Vec<Route>) -> Self {
        self.routing.add_routes(routes);
        self
    }

    /// The routing rules, as `ip rule` lists them; without, the kernel's three.
    #[must_use]
    pub fn with_routing_rules(mut self, rules: Vec<RoutingRule>) -> Self {
        self.routing.set_rules(rules);
        self
    }

    /// A set by name; a second one of the same name takes its place.
    #[must_use]
    pub fn with_set(mut self, name: Text, set: IpSet) -> Self {
        self.sets.insert(name, set);
        self
    }

    /// The connections that the node tracks, as `conntrack -L` lists them: all there are.
    #[must_use]
    pub fn with_connections(mut self, connections: Vec<TrackedConnection>) -> Self {
        self.connections.told = true;
        for connection in connections {
            self.connections.insert(connection);
        }
        self
    }

    /// Some connections could not be read: a packet may belong to one that is not listed.
    #[must_use]
    pub fn with_connections_missing(mut self) -> Self {
        self.connections.lacks = true;
        self
    }

    /// The connections that the node tracks.
    pub fn connections(&self) -> impl Iterator<Item = &TrackedConnection> {
        self.connections.iter()
    }

    pub(crate) fn connection_table(&self) -> &ConnectionTable {
        &self.connections
    }

    /// The set of this name, where it is known.
    pub fn set(&self, name: &Text) -> Option<&IpSet> {
        self.sets.get(name)
    }

    /// Whether an address is one of the node's own, where that is known.
    pub fn is_local(&self, address: IpAddr) -> Option<bool> {
        self.address_type(address).map(|kind| kind == AddressType::Local)
    }

    /// What the table `local` calls an address (kernel: `net/ipv4/fib_frontend.c`, `inet_addr_type`),
    /// where that is known.
    pub fn address_type(&self, address: IpAddr) -> Option<AddressType> {
        if let Some(kind) = type_of_special(address) {
            return Some(kind);
        }
        if let Some(kind) = self.routing.address_type(address) {
            return Some(kind);
        }
        if let Some(interfaces) = &self.interfaces {
            let kind = interfaces.address_type(address);
            return Some(kind).filter(|kind| !self.addresses_lack || *kind != AddressType::Unicast);
        }
        let own = self.node_addresses.as_ref()?;
        // A few are compared as fast as one is hashed.
        let is_own = match own.as_slice() {
            few @ ([] | [_] | [_, _]) => few.contains(&address),
            _ => self.is_node_address.contains(&address),
        };
        Some(if is_own { AddressType::Local } else { AddressType::Unicast })
    }

    /// The node's own addresses, as far as they are told, 127.0.0.0/8 and `::1` aside.
    pub fn node_addresses(&self) -> Vec<IpAddr> {
        match &self.interfaces {
            Some(interfaces) => interfaces
                .listed
                .iter()
                .map(InterfaceAddress::address)
                .filter(|own| !own.is_loopback())
                .collect(),
            None => self.node_addresses.clone().unwrap_or_default(),
        }
    }

    /// The address behind an interface that has a route of its own, as those of Pods often have.
    pub fn address_behind(&self, interface: InterfaceName) -> Option<IpAddr> {
        self.routing.host_behind(interface)
    }

    /// The addresses of an interface, in order, where they are known.
    pub fn interface_addresses(&self) -> Option<&[InterfaceAddress]> {
        self.interfaces.as_ref().map(|interfaces| interfaces.listed.as_slice())
    }

    /// The addresses of one interface, in order; none where addresses are not known.
    pub(crate) fn addresses_of(
        &self,
        interface: InterfaceName,
    ) -> Option<impl Iterator<Item = &InterfaceAddress>> {
        Some(self.interfaces.as_ref()?.of(interface))
    }

    /// The IPv4 address that stands for others behind an interface, toward a next hop; none where addresses are
    /// not known, or there is no such one.
    pub(crate) fn address_toward(&self, out: InterfaceName, next_hop: IpAddr) -> Option<IpAddr> {
        self.interfaces.as_ref()?.toward(out, next_hop)
    }

    /// The node's address of the same family, where it has exactly one.
    pub(crate) fn only_node_address(&self, like: IpAddr) -> Option<IpAddr> {
        let mut own = self.node_addresses.iter().flatten().filter(|own| own.is_ipv4() == like.is_ipv4());
        own.next().copied().filter(|_| own.next().is_none())
    }

    /// The interface by which packets of this node to an address leave, where the routes given tell. It is
    /// also the one by which packets from there are expected to come.
    pub fn out_interface(&self, address: IpAddr) -> Option<InterfaceName> {
        if !self.routing.is_known() {
            return None;
        }
        match self.routing.route(&RouteKey::to(address)) {
            Routed::Forward(hop) => hop.interface,
            _ => None,
        }
    }

    pub(crate) fn routing(&self) -> &RoutingTables {
        &self.routing
    }
}

/// Addresses that need no table.
fn type_of_special(address: IpAddr) -> Option<AddressType> {
    match address {
        IpAddr::V4(v4) if v4.is_multicast() => Some(AddressType::Multicast),
        IpAddr::V4(v4) if v4.is_loopback() => Some(AddressType::Local),
        IpAddr::V4(v4) if v4.is_broadcast() || v4.is_unspecified() => Some(AddressType::Broadcast),
        IpAddr::V6(v6) if v6.is_multicast() => Some(AddressType::Multicast),
        IpAddr::V6(v6) if v6.is_loopback() => Some(AddressType::Local),
        _ => None,
    }
}
