//! The node: interfaces, addresses, routes and switches, for the kernel and for whoever is compared with it.

mod text;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::types::Family;

use crate::dice::Dice;
use crate::ruleset::{Hint, Ruleset};

pub use text::LineError;

/// An address with the length of its prefix; host bits are kept (`10.0.0.1/24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    /// The address as written.
    pub address: IpAddr,
    /// The length of the prefix, up to 32 or 128.
    pub prefix: u8,
}

impl Subnet {
    /// `address/prefix`; a longer prefix than the address counts as all of it.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix: prefix.min(longest) }
    }

    /// The family of the address.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    fn bits(address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        }
    }

    fn with_bits(&self, bits: u128) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap_or(0)).into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
        }
    }

    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0)
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.with_bits(Self::bits(self.address) & self.mask())
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.with_bits(Self::bits(self.address) | !self.mask())
    }

    /// Whether the address is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && Self::bits(address) & self.mask() == Self::bits(self.address) & self.mask()
    }

    /// The address `offset` above the first one (below, when negative), which may lie outside.
    pub fn nth(&self, offset: i32) -> IpAddr {
        let step = i128::from(offset) << if self.address.is_ipv4() { 96 } else { 0 };
        self.with_bits((Self::bits(self.address) & self.mask()).wrapping_add_signed(step))
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
    Via(IpAddr),
    /// On-link at this interface.
    Device(String),
    /// To the node itself.
    Local(String),
    /// Nowhere, and the sender is told (ICMP host unreachable).
    Unreachable,
    /// Nowhere, and the sender is told (ICMP communication prohibited).
    Prohibit,
    /// Nowhere, silently.
    Blackhole,
    /// On to the next routing rule.
    Throw,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destinations: `0.0.0.0/0` and `::/0` are default routes.
    pub to: Subnet,
    /// Where they go.
    pub hop: Hop,
    /// The table it stands in; `None` for the main table.
    pub table: Option<u32>,
}

impl Route {
    /// A route of the main table.
    pub fn new(to: Subnet, hop: Hop) -> Self {
        Self { to, hop, table: None }
    }
}

impl fmt::Display for Route {
    /// As `ip route add` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.to;
        match &self.hop {
            Hop::Via(gateway) => write!(f, "{to} via {gateway}")?,
            Hop::Device(name) => write!(f, "{to} dev {name}")?,
            Hop::Local(name) => write!(f, "local {to} dev {name}")?,
            Hop::Unreachable => write!(f, "unreachable {to}")?,
            Hop::Prohibit => write!(f, "prohibit {to}")?,
            Hop::Blackhole => write!(f, "blackhole {to}")?,
            Hop::Throw => write!(f, "throw {to}")?,
        }
        self.table.map_or(Ok(()), |table| write!(f, " table {table}"))
    }
}

/// A routing rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingRule {
    /// The family it is of.
    pub family: Family,
    /// As `ip rule add` takes it: `priority 100 fwmark 0x4000/0x4000 lookup 100`.
    pub text: String,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The interfaces beside `lo`, which is always there with `127.0.0.1/8` and `::1/128`.
    pub interfaces: Vec<Interface>,
    /// The routes beside those that addresses bring along.
    pub routes: Vec<Route>,
    /// The routing rules beside the kernel's own three.
    pub rules: Vec<RoutingRule>,
    /// Switches: `("net.ipv4.conf.all.rp_filter", "1")`. Forwarding is on and reverse path filters are off
    /// where they do not say otherwise.
    pub sysctls: Vec<(String, String)>,
    /// Whether connections are tracked whatever the rules say. The kernel tracks none before a rule
    /// asks for it (a NAT target, a `conntrack` match), and an untracked packet never meets a rule
    /// of nat. A node of a cluster always tracks, so this is the default; with `false` the rules decide.
    pub track_connections: bool,
}

impl Topology {
    /// With an interface, without addresses, for each that a ruleset names beside `lo`.
    #[must_use]
    pub fn with_interfaces_of(mut self, ruleset: &Ruleset) -> Self {
        let edges = ruleset.rules().flat_map(|rule| rule.conditions.iter().flat_map(|one| &one.edges));
        for hint in edges.flatten() {
            let Hint::In(name) = hint else { continue };
            let is_new = name != "lo" && self.interfaces.iter().all(|known| known.name != *name);
            if is_new {
                self.interfaces.push(Interface { name: name.clone(), addresses: vec![] });
            }
        }
        self
    }
}

fn subnet(text: &str, prefix: u8) -> Subnet {
    Subnet::new(text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), prefix)
}

impl Default for Topology {
    /// Three interfaces: an uplink with the default route, and two towards Pods.
    ///
    /// | interface | addresses | leads to |
    /// |---|---|---|
    /// | `tun0` | 10.0.0.1/24, 192.0.2.1/24, `fd00::1/64`, `2001:db8::1/64` | default via 10.0.0.254, `fd00::fe` |
    /// | `tun1` | 10.1.0.1/24, `fd00:1::1/64` | |
    /// | `tun2` | 10.2.0.1/24, `fd00:2::1/64` | 10.3.0.0/16 via 10.2.0.9, `fd00:3::/48` via `fd00:2::9` |
    ///
    /// 10.66.0.0/16 and `fd00:66::/48` are a `blackhole`.
    fn default() -> Self {
        let interface = |name: &str, addresses| Interface { name: name.to_owned(), addresses };
        let via = |gateway: &str| Hop::Via(subnet(gateway, 0).address);
        Self {
            interfaces: vec![
                interface(
                    "tun0",
                    vec![
                        subnet("10.0.0.1", 24),
                        subnet("192.0.2.1", 24),
                        subnet("fd00::1", 64),
                        subnet("2001:db8::1", 64),
                    ],
                ),
                interface("tun1", vec![subnet("10.1.0.1", 24), subnet("fd00:1::1", 64)]),
                interface("tun2", vec![subnet("10.2.0.1", 24), subnet("fd00:2::1", 64)]),
            ],
            routes: vec![
                Route::new(subnet("0.0.0.0", 0), via("10.0.0.254")),
                Route::new(subnet("10.3.0.0", 16), via("10.2.0.9")),
                Route::new(subnet("10.66.0.0", 16), Hop::Blackhole),
                Route::new(subnet("::", 0), via("fd00::fe")),
                Route::new(subnet("fd00:3::", 48), via("fd00:2::9")),
                Route::new(subnet("fd00:66::", 48), Hop::Blackhole),
            ],
            rules: vec![],
            sysctls: vec![],
            track_connections: true,
        }
    }
}

impl Topology {
    /// A node of the default shape with some of what real nodes differ in, by a seed: more tables with
    /// rules by mark, destination and in interface, failing routes, no default route, a second address, reverse path
    /// filters, `route_localnet`, no forwarding. Seed 0 is the default.
    pub fn random(seed: u64) -> Self {
        let mut node = Self::default();
        if seed == 0 {
            return node;
        }
        let mut dice = Dice::new(seed ^ 0x0070_7010_6779);
        if dice.chance(60) {
            node.add_tables(&mut dice);
        }
        if dice.chance(40) {
            for (to, prefix) in [("198.51.100.0", 24), ("2001:db8:51::", 48)] {
                let hop = [Hop::Unreachable, Hop::Prohibit, Hop::Device("tun2".into())];
                node.routes
                    .push(Route::new(subnet(to, prefix), dice.pick(&hop).cloned().unwrap_or(Hop::Blackhole)));
            }
        }
        if dice.chance(15) {
            node.routes.retain(|route| route.to.prefix > 0);
        }
        if dice.chance(20) {
            node.routes.push(Route::new(subnet("10.96.1.0", 24), Hop::Local("lo".into())));
            node.routes.push(Route::new(subnet("fd00:96:1::", 64), Hop::Local("lo".into())));
        }
        if dice.chance(30)
            && let Some(interface) = node.interfaces.last_mut()
        {
            interface.addresses.extend([
                subnet("10.2.0.2", 24),
                subnet("10.5.0.1", 30),
                subnet("fd00:5::1", 126),
            ]);
        }
        let mut set = |name: &str, value: &str| node.sysctls.push((name.to_owned(), value.to_owned()));
        if dice.chance(20) {
            let scope = dice.of(["all", "tun0", "tun1"]);
            set(&format!("net.ipv4.conf.{scope}.rp_filter"), dice.of(["1", "1", "2"]));
        }
        if dice.chance(25) {
            let scope = dice.of(["all", "tun0", "tun1", "tun2"]);
            set(&format!("net.ipv4.conf.{scope}.route_localnet"), "1");
        }
        if dice.chance(8) {
            set("net.ipv4.ip_forward", "0");
            set("net.ipv6.conf.all.forwarding", "0");
        }
        node
    }

    fn add_tables(&mut self, dice: &mut Dice) {
        let conditions_v4 = [
            "fwmark 0x4000/0x4000",
            "fwmark 0x1",
            "to 10.96.0.0/24",
            "iif tun1",
            "from 10.1.0.0/24",
            "not fwmark 0x8000/0x8000",
        ];
        let conditions_v6 = [
            "fwmark 0x4000/0x4000",
            "fwmark 0x1",
            "to fd00:96::/64",
            "iif tun1",
            "from fd00:1::/64",
            "not fwmark 0x8000/0x8000",
        ];
        for (table, priority) in [(100, 100), (200, 32_000)] {
            let at = dice.number(0..=5);
            for (family, conditions) in [(Family::V4, conditions_v4), (Family::V6, conditions_v6)] {
                let condition = conditions.get(usize::try_from(at).unwrap_or(0)).unwrap_or(&"fwmark 0x1");
                let action = if dice.chance(85) {
                    format!("lookup {table}")
                } else {
                    dice.of(["blackhole", "prohibit", "unreachable"]).to_owned()
                };
                let text = format!("priority {priority} {condition} {action}");
                self.rules.push(RoutingRule { family, text });
            }
            let routes = match dice.number(0..=3) {
                0 => [
                    ("0.0.0.0", 0, Hop::Via(subnet("10.2.0.9", 0).address)),
                    ("::", 0, Hop::Via(subnet("fd00:2::9", 0).address)),
                ],
                1 => {
                    [("10.0.0.0", 8, Hop::Device("tun1".into())), ("fd00::", 16, Hop::Device("tun1".into()))]
                }
                2 => [
                    ("203.0.113.0", 24, Hop::Device("tun2".into())),
                    ("2001:db8:9::", 48, Hop::Device("tun2".into())),
                ],
                _ => [("10.2.0.0", 24, Hop::Throw), ("fd00:2::", 64, Hop::Throw)],
            };
            for (to, prefix, hop) in routes {
                self.routes.push(Route { to: subnet(to, prefix), hop, table: Some(table) });
            }
        }
    }

    /// The addresses of all interfaces, that of `lo` aside.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        self.subnets(family).map(|subnet| subnet.address)
    }

    /// The subnets of all interfaces, that of `lo` aside, each with the node's own address in it.
    pub fn subnets(&self, family: Family) -> impl Iterator<Item = Subnet> + '_ {
        let all = self.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied());
        all.filter(move |subnet| subnet.family() == family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnet_edges() {
        let v4 = subnet("10.1.2.3", 23);
        let at = |text: &str| -> IpAddr { text.parse().unwrap() };
        assert_eq!((v4.first(), v4.last()), (at("10.1.2.0"), at("10.1.3.255")));
        assert!(v4.contains(at("10.1.3.9")) && !v4.contains(at("10.1.4.0")));
        assert_eq!((v4.nth(-1), v4.nth(5)), (at("10.1.1.255"), at("10.1.2.5")));
        let v6 = subnet("fd00:1::7", 64);
        assert_eq!((v6.first(), v6.last()), (at("fd00:1::"), at("fd00:1::ffff:ffff:ffff:ffff")));
        assert_eq!(
            (v6.nth(-1), v6.nth(0x105)),
            (at("fd00:0:ffff:ffff:ffff:ffff:ffff:ffff"), at("fd00:1::105"))
        );
        assert!(!v6.contains(at("10.0.0.1")) && subnet("0.0.0.0", 99).prefix == 32);
        assert!(subnet("::", 0).contains(at("ff02::1")));
    }

    #[test]
    fn seed_0_is_the_default() {
        assert_eq!(Topology::random(0), Topology::default());
        assert_eq!(Topology::random(9), Topology::random(9));
        assert!((1..50).any(|seed| !Topology::random(seed).rules.is_empty()));
    }
}
