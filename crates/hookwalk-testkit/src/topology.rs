//! The node: interfaces, addresses and routes, for the kernel and for whoever is compared with it.

use std::fmt;
use std::net::Ipv4Addr;

/// An address with the length of its prefix; host bits are kept (`10.0.0.1/24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    /// The address as written.
    pub address: Ipv4Addr,
    /// The length of the prefix, 0 to 32.
    pub prefix: u8,
}

impl Subnet {
    /// `address/prefix`; a prefix beyond 32 counts as 32.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Self {
        Self { address, prefix: prefix.min(32) }
    }

    /// The netmask as bits.
    pub fn mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// The lowest address.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask())
    }

    /// The highest address.
    pub fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// Whether the address is inside.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.address.to_bits() & self.mask()
    }

    /// The address `offset` above the first one (below, when negative), which may lie outside.
    pub fn nth(&self, offset: i32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first().to_bits().wrapping_add_signed(offset))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A network interface; in the kernel it becomes a TUN device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name: at most 15 bytes.
    pub name: String,
    /// Its addresses; the first of a subnet is the primary one.
    pub addresses: Vec<Subnet>,
}

/// Where a route leads.
///
/// The kernel tells a sender of a failed route at most about once a second (after a burst of five), by a
/// limit that is not a namespace's own. So whether there is a reply depends on the packets before, for
/// [`Hop::Unreachable`], [`Hop::Prohibit`] and where there is no route at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// To a gateway that is on-link.
    Via(Ipv4Addr),
    /// On-link at this interface.
    Device(String),
    /// Nowhere, and the sender is told (ICMP host unreachable).
    Unreachable,
    /// Nowhere, and the sender is told (ICMP communication prohibited).
    Prohibit,
    /// Nowhere, silently.
    Blackhole,
}

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destinations: `0.0.0.0/0` is the default route.
    pub to: Subnet,
    /// Where they go.
    pub hop: Hop,
}

impl fmt::Display for Route {
    /// As `ip route add` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.to;
        match &self.hop {
            Hop::Via(gateway) => write!(f, "{to} via {gateway}"),
            Hop::Device(name) => write!(f, "{to} dev {name}"),
            Hop::Unreachable => write!(f, "unreachable {to}"),
            Hop::Prohibit => write!(f, "prohibit {to}"),
            Hop::Blackhole => write!(f, "blackhole {to}"),
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The interfaces beside `lo`, which is always there with `127.0.0.1/8`.
    pub interfaces: Vec<Interface>,
    /// The routes beside those that addresses bring along.
    pub routes: Vec<Route>,
    /// Whether connections are tracked whatever the rules say. The kernel tracks none before a rule
    /// asks for it (a NAT target, a `conntrack` match), and an untracked packet never meets a rule
    /// of nat. A node of a cluster always tracks, so this is the default; with `false` the rules decide.
    pub track_connections: bool,
}

impl Default for Topology {
    /// Three interfaces: an uplink with the default route, and two towards Pods.
    ///
    /// | interface | addresses | leads to |
    /// |---|---|---|
    /// | `tun0` | 10.0.0.1/24, 192.0.2.1/24 | default via 10.0.0.254 |
    /// | `tun1` | 10.1.0.1/24 | |
    /// | `tun2` | 10.2.0.1/24 | 10.3.0.0/16 via 10.2.0.9 |
    ///
    /// 10.66.0.0/16 is a `blackhole`.
    fn default() -> Self {
        let subnet = |a, b, c, d, prefix| Subnet::new(Ipv4Addr::new(a, b, c, d), prefix);
        let interface = |name: &str, addresses| Interface { name: name.to_owned(), addresses };
        let route = |to, hop| Route { to, hop };
        Self {
            interfaces: vec![
                interface("tun0", vec![subnet(10, 0, 0, 1, 24), subnet(192, 0, 2, 1, 24)]),
                interface("tun1", vec![subnet(10, 1, 0, 1, 24)]),
                interface("tun2", vec![subnet(10, 2, 0, 1, 24)]),
            ],
            routes: vec![
                route(subnet(0, 0, 0, 0, 0), Hop::Via(Ipv4Addr::new(10, 0, 0, 254))),
                route(subnet(10, 3, 0, 0, 16), Hop::Via(Ipv4Addr::new(10, 2, 0, 9))),
                route(subnet(10, 66, 0, 0, 16), Hop::Blackhole),
            ],
            track_connections: true,
        }
    }
}

impl Topology {
    /// The addresses of all interfaces, that of `lo` aside.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.subnets().map(|subnet| subnet.address)
    }

    /// The subnets of all interfaces, that of `lo` aside, each with the node's own address in it.
    pub fn subnets(&self) -> impl Iterator<Item = Subnet> + '_ {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnet_edges() {
        let subnet = Subnet::new(Ipv4Addr::new(10, 1, 2, 3), 23);
        assert_eq!(subnet.first(), Ipv4Addr::new(10, 1, 2, 0));
        assert_eq!(subnet.last(), Ipv4Addr::new(10, 1, 3, 255));
        assert!(subnet.contains(Ipv4Addr::new(10, 1, 3, 9)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 1, 4, 0)));
        assert_eq!(subnet.nth(-1), Ipv4Addr::new(10, 1, 1, 255));
        assert_eq!(Subnet::new(Ipv4Addr::UNSPECIFIED, 0).mask(), 0);
        assert_eq!(Subnet::new(Ipv4Addr::UNSPECIFIED, 99).mask(), u32::MAX);
    }
}
