//! Packets at the edges of a ruleset.

use std::net::IpAddr;

use hookwalk_parser::types::Family;

use super::{Fragment, PacketSpec, flag, icmp, proto};
use crate::dice::Dice;
use crate::ruleset::{Hint, Rule, Ruleset};
use crate::topology::{Subnet, Topology};

/// `count` packets aimed at a ruleset: the same ones for the same seed.
///
/// They arrive by any interface or are sent locally, mostly as TCP SYN, UDP or ICMP echo requests. Half of
/// them are made for one of the rules, half stand at the edges of any; now and then one is odd (a martian,
/// TTL 1, strange flags).
pub fn aimed_at(ruleset: &Ruleset, topology: &Topology, seed: u64, count: usize) -> Vec<PacketSpec> {
    let aim = Aim::at(ruleset, topology);
    let mut dice = Dice::new(seed);
    (0..count).map(|_| aim.packet(&mut dice)).collect()
}

/// The addresses and ports at which a ruleset and a node may change their mind.
pub(super) struct Aim<'a> {
    family: Family,
    topology: &'a Topology,
    rules: Vec<&'a Rule>,
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
}

impl<'a> Aim<'a> {
    pub(super) fn at(ruleset: &'a Ruleset, topology: &'a Topology) -> Self {
        let rules: Vec<&Rule> = ruleset.rules().collect();
        let edges = rules.iter().flat_map(|rule| {
            rule.conditions.iter().flat_map(|condition| &condition.edges).chain(&rule.target.edges)
        });
        let hints: Vec<&Hint> = edges.flatten().collect();
        let ports = vec![53, 80, 40000];
        let mut aim = Aim { family: ruleset.family, topology, rules, addresses: vec![], ports };
        for hint in hints {
            match hint {
                Hint::Source(address) | Hint::Destination(address) if aim.is_usable(*address) => {
                    aim.addresses.push(*address);
                }
                Hint::SourcePort(port) | Hint::DestinationPort(port) => aim.ports.push(*port),
                _ => {}
            }
        }
        aim.add_places();
        aim
    }

    /// The next packet.
    pub(super) fn packet(&self, dice: &mut Dice) -> PacketSpec {
        let mut draw = Draw { dice, aim: self };
        let mut packet = draw.packet();
        if draw.dice.chance(50)
            && let Some(rule) = draw.dice.pick(&self.rules)
        {
            draw.fit(&mut packet, rule);
        }
        draw.finish(packet)
    }

    fn is_v4(&self) -> bool {
        self.family == Family::V4
    }

    fn fixed(&self, v4: [u8; 4], v6: &str) -> IpAddr {
        if self.is_v4() { v4.into() } else { v6.parse().unwrap_or_else(|_| v4.into()) }
    }

    /// The node's own addresses, its neighbours, and what lies behind each route.
    fn add_places(&mut self) {
        let topology = self.topology;
        for subnet in topology.subnets(self.family) {
            self.addresses.extend([subnet.address, subnet.nth(5), subnet.nth(9)]);
        }
        let routes = topology.routes.iter().filter(|route| route.to.prefix > 0);
        for route in routes.filter(|route| route.to.family() == self.family) {
            self.addresses.push(route.to.nth(0x0105));
        }
        let far = [
            self.fixed([203, 0, 113, 9], "2001:db8:9::9"),
            self.fixed([198, 51, 100, 77], "2001:db8:51::77"),
        ];
        self.addresses.extend(far);
        self.addresses.retain(|address| Family::of(*address) == self.family);
        let usable: Vec<IpAddr> =
            self.addresses.iter().copied().filter(|address| self.is_usable(*address)).collect();
        self.addresses = usable;
    }

    /// Not one of the addresses that stand for many, for none, or for the node itself: those are drawn on
    /// purpose, not by accident.
    fn is_usable(&self, address: IpAddr) -> bool {
        let is_special = match address {
            IpAddr::V4(v4) => v4.octets().first() == Some(&0) || v4.is_broadcast(),
            IpAddr::V6(v6) => {
                v6.is_unspecified() || v6.segments().first().is_some_and(|s| s & 0xffc0 == 0xfe80)
            }
        };
        let is_last = |subnet: Subnet| address.is_ipv4() && subnet.last() == address;
        Family::of(address) == self.family
            && !is_special
            && !address.is_multicast()
            && !address.is_loopback()
            && !self.topology.subnets(self.family).any(is_last)
    }
}

struct Draw<'a> {
    dice: &'a mut Dice,
    aim: &'a Aim<'a>,
}

impl Draw<'_> {
    fn packet(&mut self) -> PacketSpec {
        let topology = self.aim.topology;
        let interface = if self.dice.chance(70) { self.dice.pick(&topology.interfaces) } else { None };
        let family = self.aim.family;
        let near = interface.map(|interface| {
            let subnets = interface.addresses.iter().filter(|subnet| subnet.family() == family);
            subnets.copied().collect::<Vec<_>>()
        });
        let neighbour = near.and_then(|subnets| self.dice.pick(&subnets).copied());
        let src = match (neighbour, self.dice.number(0..=9)) {
            (Some(subnet), 0..=4) => subnet.nth(self.dice.of([5, 9, 77])),
            // As a transparent proxy sends, from an address that is not its own.
            (None, 0) => self.address(),
            (None, _) => self.own_address(),
            (_, 9) if self.dice.chance(20) => self.odd_source(),
            _ => self.address(),
        };
        let dst = match self.dice.number(0..=99) {
            0 | 1 if interface.is_some() => self.odd_destination(),
            2 | 3 => self.loopback(),
            _ => self.address(),
        };
        let icmp_proto = if self.aim.is_v4() { proto::ICMP } else { proto::ICMPV6 };
        let proto = self.dice.of([
            proto::TCP,
            proto::TCP,
            proto::TCP,
            proto::TCP,
            proto::UDP,
            proto::UDP,
            proto::UDP,
            icmp_proto,
            icmp_proto,
            proto::SCTP,
            proto::GRE,
            // AH is an upper layer in IPv4 alone.
            if self.aim.is_v4() { proto::AH } else { proto::GRE },
        ]);
        let (icmp_type, icmp_code) = if self.aim.is_v4() {
            self.dice.of([(icmp::ECHO_REQUEST, 0), (8, 0), (8, 0), (8, 1), (0, 0), (3, 1), (13, 0)])
        } else {
            self.dice.of([(icmp::ECHO_REQUEST_V6, 0), (128, 0), (128, 0), (128, 1), (129, 0), (1, 1), (3, 0)])
        };
        let odd_flags =
            [flag::ACK, flag::SYN | flag::ACK, flag::RST, flag::FIN | flag::ACK, flag::SYN | flag::PSH];
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
            ttl: if self.dice.chance(97) { 64 } else { self.dice.of([1, 2]) },
            tos: if self.dice.chance(92) { 0 } else { self.dice.of([0x10, 0xb8, 1, 2]) },
            mark: if interface.is_none() && self.dice.chance(10) {
                self.dice.of([0x4000, 1, 0xc001])
            } else {
                0
            },
            ..PacketSpec::default()
        }
    }

    /// Changes a packet so that it stands within the rule's conditions, or mostly within and beside one.
    fn fit(&mut self, packet: &mut PacketSpec, rule: &Rule) {
        for condition in &rule.conditions {
            let Some(edge) = self.dice.pick(&condition.edges) else { continue };
            for hint in edge {
                self.apply(packet, hint);
            }
        }
    }

    fn apply(&mut self, packet: &mut PacketSpec, hint: &Hint) {
        match hint {
            Hint::Source(address) if self.aim.is_usable(*address) && self.may_come_from(packet, *address) => {
                packet.src = *address;
            }
            Hint::Destination(address) if self.aim.is_usable(*address) => packet.dst = *address,
            Hint::Mark(mark) if packet.in_iface.is_none() => packet.mark = *mark,
            Hint::Source(_) | Hint::Destination(_) | Hint::Mark(_) => {}
            Hint::Protocol(number) => packet.proto = *number,
            Hint::SourcePort(port) => packet.sport = *port,
            Hint::DestinationPort(port) => packet.dport = *port,
            Hint::Flags(mask, set) => packet.flags = packet.flags & !mask | set,
            Hint::Icmp(icmp_type, code) => (packet.icmp_type, packet.icmp_code) = (*icmp_type, *code),
            Hint::In(name) => {
                let known = self.aim.topology.interfaces.iter().any(|interface| interface.name == *name);
                if packet.in_iface.is_some() && known {
                    packet.in_iface = Some(name.clone());
                }
            }
            Hint::Tos(tos) => packet.tos = *tos,
            Hint::Ttl(ttl) => packet.ttl = *ttl,
            Hint::Length(length) => {
                let headers = PacketSpec { data: 0, ..packet.clone() }.length();
                packet.data = length.saturating_sub(headers).min(1200);
            }
            Hint::LaterFragment => packet.fragment = Some(Fragment { offset: 3, more: self.dice.chance(50) }),
        }
    }

    fn may_come_from(&self, packet: &PacketSpec, address: IpAddr) -> bool {
        let topology = self.aim.topology;
        packet.in_iface.is_some() || topology.addresses(self.aim.family).any(|own| own == address)
    }

    /// Fragments where nothing puts them together, and whole packets elsewhere.
    fn finish(&mut self, mut packet: PacketSpec) -> PacketSpec {
        if self.aim.topology.track_connections {
            packet.fragment = None;
        } else if packet.fragment.is_none() && self.dice.chance(8) {
            packet.fragment = Some(Fragment { offset: self.dice.of([0, 0, 3]), more: true });
        }
        // Less than its header is malformed.
        let header = match packet.proto {
            proto::GRE => 8,
            proto::AH => 12,
            _ => 0,
        };
        packet.data = packet.data.max(header);
        // The arbiter does not see where fragments of IPv6 go.
        if !self.aim.is_v4() {
            packet.fragment = None;
        }
        // Of SCTP there is no data for a part to hold.
        if packet.proto == proto::SCTP {
            packet.fragment = None;
        }
        if packet.fragment.is_some() {
            // A part that is followed by another is a multiple of 8 bytes.
            packet.data = 64;
        }
        packet
    }

    fn address(&mut self) -> IpAddr {
        let all = self.aim;
        self.dice.pick(&all.addresses).copied().unwrap_or_else(|| all.fixed([10, 0, 0, 5], "fd00::5"))
    }

    fn own_address(&mut self) -> IpAddr {
        let own: Vec<IpAddr> = self.aim.topology.addresses(self.aim.family).collect();
        self.dice.pick(&own).copied().unwrap_or_else(|| self.aim.fixed([127, 0, 0, 1], "::1"))
    }

    fn loopback(&self) -> IpAddr {
        self.aim.fixed([127, 0, 0, 1], "::1")
    }

    fn port(&mut self) -> u16 {
        self.dice.pick(&self.aim.ports).copied().unwrap_or(80)
    }

    fn odd_source(&mut self) -> IpAddr {
        let (own, loopback) = (self.own_address(), self.loopback());
        let group = self.aim.fixed([224, 0, 0, 5], "ff02::5");
        let other = self.aim.fixed([240, 0, 0, 1], "fec0::1");
        self.dice.of([own, loopback, group, other])
    }

    /// Only for what arrives: what a process sends to many comes back to the node as a second packet.
    fn odd_destination(&mut self) -> IpAddr {
        let subnets: Vec<_> = self.aim.topology.subnets(self.aim.family).collect();
        let edge = self
            .dice
            .pick(&subnets)
            .map(|subnet| if self.aim.is_v4() { subnet.last() } else { subnet.first() });
        let edge = edge.unwrap_or_else(|| self.loopback());
        let all = self.aim.fixed([255, 255, 255, 255], "::");
        let other = self.aim.fixed([240, 0, 0, 1], "fec0::1");
        let none = self.aim.fixed([0, 0, 0, 0], "::");
        self.dice.of([edge, all, other, none])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_stand_at_the_edges() {
        let topology = Topology::default();
        for family in [Family::V4, Family::V6] {
            let ruleset = Ruleset::random(3, family, &topology);
            let packets = aimed_at(&ruleset, &topology, 3, 200);
            assert_eq!(packets, aimed_at(&ruleset, &topology, 3, 200));
            assert!(packets.iter().all(|packet| Family::of(packet.src) == Family::of(packet.dst)));
            assert!(packets.iter().any(|packet| packet.in_iface.is_none()));
            let ports: Vec<u16> = packets.iter().map(|packet| packet.dport).collect();
            assert!(ports.iter().any(|port| *port != 53 && *port != 80 && *port != 40000), "{ports:?}");
        }
    }
}
