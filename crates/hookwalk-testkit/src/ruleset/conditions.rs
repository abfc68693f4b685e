//! Random matches, and the values in them.

use std::net::Ipv4Addr;

use super::random::{Draw, MASQUERADE_MARK};
use super::{Masked, Match, Not, Ports, Protocol, Side};

impl Draw<'_> {
    /// Up to four matches that are legal together and in that chain.
    pub(super) fn matches(&mut self, base: Option<&str>) -> Vec<Match> {
        let mut matches = Vec::new();
        if self.dice.chance(20) {
            matches.push(Match::Address(self.not(), Side::Source, self.masked()));
        }
        if self.dice.chance(40) {
            matches.push(Match::Address(self.not(), Side::Destination, self.masked()));
        }
        if self.dice.chance(12) && !matches!(base, Some("OUTPUT" | "POSTROUTING")) {
            matches.push(Match::In(self.not(), self.interface()));
        }
        if self.dice.chance(12) && !matches!(base, Some("PREROUTING" | "INPUT")) {
            matches.push(Match::Out(self.not(), self.interface()));
        }
        if self.dice.chance(55) {
            self.protocol(&mut matches);
        }
        match self.dice.number(0..=11) {
            0 => {
                matches.push(Match::Mark(self.not(), self.mark(), self.dice.of([MASQUERADE_MARK, u32::MAX])));
            }
            1 => {
                let states: &[&[&str]] = &[
                    &["NEW"],
                    &["RELATED", "ESTABLISHED"],
                    &["INVALID"],
                    &["DNAT"],
                    &["SNAT"],
                    &["NEW", "UNTRACKED"],
                ];
                let states = self.dice.pick(states).copied().unwrap_or_default();
                matches.push(Match::State(self.not(), states.to_vec()));
            }
            2 => matches.push(Match::IsLocal(self.not(), self.side())),
            3 => matches
                .push(Match::Comment(self.dice.of(["default/web:http", "a \\\"b\\\" -j DROP", "x"]).into())),
            _ => {}
        }
        matches
    }

    /// A protocol, mostly with something that needs it.
    fn protocol(&mut self, matches: &mut Vec<Match>) {
        if self.dice.chance(8) {
            let protocol = self.dice.of([Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::Other(47)]);
            matches.push(Match::Protocol(Not(true), protocol));
            return;
        }
        let protocol =
            self.dice.of([Protocol::Tcp, Protocol::Tcp, Protocol::Udp, Protocol::Udp, Protocol::Icmp]);
        matches.push(Match::Protocol(Not(false), protocol));
        match (protocol, self.dice.number(0..=9)) {
            (_, 0 | 1) => {}
            (Protocol::Icmp, _) => {
                let (icmp_type, code) =
                    self.dice.of([(8, None), (8, Some(0)), (8, Some(1)), (0, None), (3, None)]);
                matches.push(Match::IcmpType(self.not(), icmp_type, code));
            }
            (Protocol::Tcp, 2 | 3) => {
                let (mask, set) = self.dice.of([
                    ("FIN,SYN,RST,ACK", "SYN"),
                    ("SYN,ACK", "ACK"),
                    ("ALL", "NONE"),
                    ("RST", "RST"),
                    ("FIN,PSH,URG", "FIN,PSH,URG"),
                ]);
                matches.push(Match::TcpFlags(self.not(), mask, set));
            }
            (_, 4 | 5) => {
                let ports = (0..self.dice.number(1..=4)).map(|_| self.ports()).collect();
                matches.push(Match::Multiport(self.not(), self.side(), ports));
            }
            _ => matches.push(Match::Ports(self.not(), protocol, self.side(), self.ports())),
        }
    }

    fn not(&mut self) -> Not {
        Not(self.dice.chance(15))
    }

    fn side(&mut self) -> Side {
        if self.dice.chance(25) { Side::Source } else { Side::Destination }
    }

    fn interface(&mut self) -> String {
        let interfaces = &self.topology.interfaces;
        let name = self.dice.pick(interfaces).map_or("lo", |interface| &*interface.name);
        match self.dice.number(0..=5) {
            0 => "lo".to_owned(),
            1 => format!("{}+", name.trim_end_matches(|character: char| character.is_ascii_digit())),
            _ => name.to_owned(),
        }
    }

    pub(super) fn mark(&mut self) -> u32 {
        self.dice.of([MASQUERADE_MARK, MASQUERADE_MARK, 0x8000, 0xc001, 0x1])
    }

    pub(super) fn port(&mut self) -> u16 {
        self.dice.of([53, 80, 443, 8080, 30080, 40000])
    }

    fn ports(&mut self) -> Ports {
        let low = self.port();
        let beyond = self.dice.of([0, 0, 1, 10, 1000]);
        if self.dice.chance(5) { Ports { low: 0, high: low } } else { Ports { low, high: low + beyond } }
    }

    /// Where DNAT leads: mostly next to the node, sometimes far, to the node itself, or nowhere.
    pub(super) fn endpoint(&mut self) -> Ipv4Addr {
        match self.dice.number(0..=19) {
            0 => Ipv4Addr::LOCALHOST,
            1 => Ipv4Addr::new(10, 66, 0, 9),
            2 => Ipv4Addr::new(203, 0, 113, 9),
            3 => Ipv4Addr::new(10, 3, 4, 5),
            4 => self.own_address(),
            _ => self.neighbour(),
        }
    }

    fn own_address(&mut self) -> Ipv4Addr {
        let own: Vec<Ipv4Addr> = self.topology.addresses().collect();
        self.dice.pick(&own).copied().unwrap_or(Ipv4Addr::LOCALHOST)
    }

    fn neighbour(&mut self) -> Ipv4Addr {
        let subnets: Vec<_> = self.topology.subnets().collect();
        let offset = self.dice.of([5, 6, 7, 8]);
        self.dice.pick(&subnets).map_or(Ipv4Addr::LOCALHOST, |subnet| subnet.nth(offset))
    }

    fn masked(&mut self) -> Masked {
        let address = match self.dice.number(0..=5) {
            0 => self.own_address(),
            1 => self.neighbour(),
            2 => Ipv4Addr::new(203, 0, 113, 9),
            _ => self.dice.of([[10, 96, 0, 10], [10, 96, 0, 11], [10, 96, 1, 77]]).into(),
        };
        let mask = self.dice.of([
            u32::MAX,
            u32::MAX,
            u32::MAX,
            u32::MAX,
            0xffff_ff00,
            0xffff_0000,
            0xff00_0000,
            0xffff_fffe,
            0xffff_ff80,
            0xff00_ff00,
            0x0000_00ff,
            0xffff_fffd,
        ]);
        Masked { address, mask }
    }
}
