//! Packets at the edges of a ruleset.

use std::net::Ipv4Addr;

use super::fit::fit;
use super::{PacketSpec, flag, icmp, proto};
use crate::dice::Dice;
use crate::ruleset::{Match, Rule, Ruleset, Target};
use crate::topology::{Subnet, Topology};

/// The addresses and ports at which a ruleset and a node may change their mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// Addresses of rules, those beside a prefix, and those of the node and its neighbours.
    pub addresses: Vec<Ipv4Addr>,
    /// Ports of rules, and those beside a range.
    pub ports: Vec<u16>,
}

impl Aim {
    /// What a ruleset on a node gives to aim at.
    pub fn new(ruleset: &Ruleset, topology: &Topology) -> Self {
        let (mut addresses, mut ports) = (Vec::new(), vec![53, 80, 40000]);
        for one in ruleset.matches() {
            match one {
                Match::Address(_, _, masked) => {
                    let (bits, mask) = (masked.address.to_bits(), masked.mask);
                    let (first, last) = (bits & mask, bits | !mask);
                    let edges = [bits, bits, first, last, first.wrapping_sub(1), last.wrapping_add(1)];
                    addresses.extend(edges.map(Ipv4Addr::from_bits));
                }
                Match::Ports(_, _, _, range) => ports.extend(around(range.low, range.high)),
                Match::Multiport(_, _, ranges) => {
                    ports.extend(ranges.iter().flat_map(|range| around(range.low, range.high)));
                }
                _ => {}
            }
        }
        for rule in ruleset.rules() {
            if let Target::Dnat(address, port) = rule.target {
                addresses.extend(address);
                ports.extend(port);
            }
        }
        addresses.retain(|address| !is_special(*address, topology));
        for subnet in topology.subnets() {
            addresses.extend([subnet.address, subnet.nth(5), subnet.nth(9)]);
        }
        for route in topology.routes.iter().filter(|route| route.to.prefix > 0) {
            addresses.push(route.to.nth(0x0105));
        }
        addresses.extend([Ipv4Addr::new(203, 0, 113, 9), Ipv4Addr::new(198, 51, 100, 77)]);
        Self { addresses, ports }
    }
}

/// The ends of a range and the ports beside them.
fn around(low: u16, high: u16) -> [u16; 4] {
    [low, high, low.saturating_sub(1), high.saturating_add(1)]
}

/// Addresses that stand for many, for none, or for the node itself: drawn on purpose, not by accident.
fn is_special(address: Ipv4Addr, topology: &Topology) -> bool {
    let is_none = matches!(address.octets(), [0, ..]);
    let is_many = address.is_broadcast() || address.is_multicast();
    is_none || is_many || address.is_loopback() || topology.subnets().any(|subnet| subnet.last() == address)
}

/// `count` packets aimed at a ruleset: the same ones for the same seed.
///
/// They arrive by any interface or are sent locally, mostly as TCP SYN, UDP or ICMP echo requests. Half of
/// them are made for one of the rules, half stand at the edges of any; now and then one is odd (a martian,
/// TTL 1, strange flags).
pub fn aimed_at(ruleset: &Ruleset, topology: &Topology, seed: u64, count: usize) -> Vec<PacketSpec> {
    let aim = Aim::new(ruleset, topology);
    let rules: Vec<&Rule> = ruleset.rules().filter(|rule| !rule.matches.is_empty()).collect();
    let mut draw = Draw { dice: Dice::new(seed), aim: &aim, topology };
    let packet = |_| {
        let mut packet = draw.packet();
        if draw.dice.chance(50)
            && let Some(rule) = draw.dice.pick(&rules)
        {
            fit(&mut packet, rule, topology, &mut draw.dice, |address| !is_special(address, topology));
        }
        packet
    };
    (0..count).map(packet).collect()
}

struct Draw<'a> {
    dice: Dice,
    aim: &'a Aim,
    topology: &'a Topology,
}

impl Draw<'_> {
    fn packet(&mut self) -> PacketSpec {
        let interface = if self.dice.chance(70) { self.dice.pick(&self.topology.interfaces) } else { None };
        let neighbour = interface.and_then(|interface| self.dice.pick(&interface.addresses)).copied();
        let src = match (neighbour, self.dice.number(0..=9)) {
            (Some(subnet), 0..=4) => subnet.nth(self.dice.of([5, 9, 77])),
            (None, 0..=7) => self.own_address(),
            (_, 9) if self.dice.chance(20) => self.odd_source(),
            _ => self.address(),
        };
        let dst = match self.dice.number(0..=99) {
            0 | 1 if interface.is_some() => self.odd_destination(),
            2 | 3 => Ipv4Addr::LOCALHOST,
            _ => self.address(),
        };
        let proto = match self.dice.number(0..=99) {
            0..=49 => proto::TCP,
            50..=84 => proto::UDP,
            85..=97 => proto::ICMP,
            _ => 47,
        };
        let (icmp_type, icmp_code) = if self.dice.chance(85) {
            (icmp::ECHO_REQUEST, 0)
        } else {
            self.dice.of([(8, 1), (0, 0), (13, 0)])
        };
        let odd_flags = [
            flag::ACK,
            flag::SYN | flag::ACK,
            flag::RST,
            flag::FIN | flag::ACK,
            0,
            flag::FIN | flag::PSH | flag::URG,
        ];
        PacketSpec {
            in_iface: interface.map(|interface| interface.name.clone()),
            src,
            dst,
            proto,
            sport: if self.dice.chance(50) { 40000 } else { self.port() },
            dport: self.port(),
            flags: if self.dice.chance(90) { flag::SYN } else { self.dice.of(odd_flags) },
            icmp_type,
            icmp_code,
            ttl: if self.dice.chance(97) { 64 } else { 1 },
            ..PacketSpec::default()
        }
    }

    fn address(&mut self) -> Ipv4Addr {
        self.dice.pick(&self.aim.addresses).copied().unwrap_or(Ipv4Addr::LOCALHOST)
    }

    fn own_address(&mut self) -> Ipv4Addr {
        let own: Vec<Ipv4Addr> = self.topology.addresses().collect();
        self.dice.pick(&own).copied().unwrap_or(Ipv4Addr::LOCALHOST)
    }

    fn port(&mut self) -> u16 {
        self.dice.pick(&self.aim.ports).copied().unwrap_or(80)
    }

    fn odd_source(&mut self) -> Ipv4Addr {
        let own = self.own_address();
        self.dice.of([own, Ipv4Addr::LOCALHOST, Ipv4Addr::new(224, 0, 0, 5), Ipv4Addr::new(240, 0, 0, 1)])
    }

    /// Only for what arrives: what a process sends to many comes back to the node as a second packet.
    fn odd_destination(&mut self) -> Ipv4Addr {
        let subnets: Vec<_> = self.topology.subnets().collect();
        let broadcast = self.dice.pick(&subnets).map_or(Ipv4Addr::BROADCAST, Subnet::last);
        self.dice.of([broadcast, Ipv4Addr::BROADCAST, Ipv4Addr::new(240, 0, 0, 1), Ipv4Addr::UNSPECIFIED])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_stand_at_the_edges() {
        let topology = Topology::default();
        let ruleset = Ruleset::random(3, &topology);
        let packets = aimed_at(&ruleset, &topology, 3, 200);
        assert_eq!(packets, aimed_at(&ruleset, &topology, 3, 200));
        let ports = Aim::new(&ruleset, &topology).ports;
        assert!(packets.iter().filter(|packet| ports.contains(&packet.dport)).count() > 150);
        assert!(packets.iter().any(|packet| packet.in_iface.is_none()));
    }
}
