//! The values in rules: addresses, ports, marks, names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::types::Family;

use super::{Condition, Hint, Set};
use crate::dice::Dice;
use crate::packets::proto;
use crate::topology::Topology;

/// Hooks as bits: where a chain can be met, and where a match or target is legal.
pub(super) mod hook {
    pub(in crate::ruleset) const PREROUTING: u8 = 1;
    pub(in crate::ruleset) const INPUT: u8 = 2;
    pub(in crate::ruleset) const FORWARD: u8 = 4;
    pub(in crate::ruleset) const OUTPUT: u8 = 8;
    pub(in crate::ruleset) const POSTROUTING: u8 = 16;
    pub(in crate::ruleset) const ALL: u8 = 31;

    /// The bit of a base chain.
    pub(in crate::ruleset) fn of(chain: &str) -> u8 {
        match chain {
            "PREROUTING" => PREROUTING,
            "INPUT" => INPUT,
            "FORWARD" => FORWARD,
            "OUTPUT" => OUTPUT,
            _ => POSTROUTING,
        }
    }
}

/// The bit that asks for masquerading, as kube-proxy uses it.
pub(super) const MASQUERADE_MARK: u32 = 0x4000;

/// A ruleset being drawn.
pub(super) struct Draw<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) family: Family,
    pub(super) topology: &'a Topology,
    /// The sets that rules may name.
    pub(super) sets: Vec<Set>,
    /// Whether what the packet alone cannot answer occurs too.
    pub(super) exotic: bool,
    /// Whether connections are tracked, so that fragments are put together before any rule.
    pub(super) tracked: bool,
    /// The extensions that may occur; none for all.
    pub(super) extensions: Option<&'a [&'static str]>,
    /// Whether rules remember what they counted from packet to packet, and nothing is left to chance.
    pub(super) session: bool,
}

impl Draw<'_> {
    /// Whether an extension may occur.
    pub(super) fn allows(&self, ext: &str) -> bool {
        ext.is_empty() || self.extensions.is_none_or(|allowed| allowed.contains(&ext))
    }

    pub(super) fn is_v4(&self) -> bool {
        self.family == Family::V4
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.dice.chance(percent)
    }

    /// The text of a negation, with its blank, or nothing.
    pub(super) fn not(&mut self) -> &'static str {
        if self.dice.chance(15) { "! " } else { "" }
    }

    pub(super) fn address_of(&self, v4: [u8; 4], v6: &str) -> IpAddr {
        if self.is_v4() { v4.into() } else { v6.parse().unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST)) }
    }

    /// The address of a service, on no interface.
    pub(super) fn service(&mut self) -> IpAddr {
        let (v4, v6) = self.dice.of([
            ([10, 96, 0, 10], "fd00:96::10"),
            ([10, 96, 0, 11], "fd00:96::11"),
            ([10, 96, 1, 77], "fd00:96:1::77"),
        ]);
        self.address_of(v4, v6)
    }

    pub(super) fn own_address(&mut self) -> IpAddr {
        let own: Vec<IpAddr> = self.topology.addresses(self.family).collect();
        self.dice.pick(&own).copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(super) fn neighbour(&mut self) -> IpAddr {
        let subnets: Vec<_> =
            self.topology.subnets(self.family).filter(|subnet| subnet.prefix <= 64).collect();
        let offset = self.dice.of([5, 6, 7, 8]);
        self.dice.pick(&subnets).map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |subnet| subnet.nth(offset))
    }

    /// Where DNAT leads: mostly next to the node, sometimes far, to the node itself, or nowhere.
    pub(super) fn endpoint(&mut self) -> IpAddr {
        match self.dice.number(0..=19) {
            0 => self.address_of([127, 0, 0, 1], "::1"),
            1 => self.address_of([10, 66, 0, 9], "fd00:66::9"),
            2 => self.address_of([203, 0, 113, 9], "2001:db8:9::9"),
            3 => self.address_of([10, 3, 4, 5], "fd00:3::4:5"),
            4 => self.own_address(),
            _ => self.neighbour(),
        }
    }

    /// An address that a rule may name.
    pub(super) fn address(&mut self) -> IpAddr {
        match self.dice.number(0..=5) {
            0 => self.own_address(),
            1 => self.neighbour(),
            2 => self.address_of([203, 0, 113, 9], "2001:db8:9::9"),
            _ => self.service(),
        }
    }

    /// An address with a mask, and the addresses at its edges: within first.
    pub(super) fn masked(&mut self) -> (String, Vec<IpAddr>) {
        match self.address() {
            IpAddr::V4(v4) => {
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
                let mask = Ipv4Addr::from_bits(mask);
                (format!("{v4}/{mask}"), around_address(v4.into(), mask.into()).to_vec())
            }
            IpAddr::V6(v6) => {
                let (length, mask) = self.dice.of([
                    (128, u128::MAX),
                    (128, u128::MAX),
                    (128, u128::MAX),
                    (64, u128::MAX << 64),
                    (48, u128::MAX << 80),
                    (16, u128::MAX << 112),
                    (127, u128::MAX << 1),
                    (121, u128::MAX << 7),
                    (0, (u128::MAX << 96) | 0xff),
                    (0, 0xffff_ffff),
                ]);
                let mask = Ipv6Addr::from_bits(mask);
                let text = if length == 0 { mask.to_string() } else { length.to_string() };
                (format!("{v6}/{text}"), around_address(v6.into(), mask.into()).to_vec())
            }
        }
    }

    /// The name of an interface, or a prefix with `+`.
    pub(super) fn interface(&mut self) -> String {
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

    /// A range of ports.
    pub(super) fn ports(&mut self) -> (u16, u16) {
        let low = self.port();
        let beyond = self.dice.of([0, 0, 1, 10, 1000]);
        if self.dice.chance(5) { (0, low) } else { (low, low + beyond) }
    }

    /// A protocol that packets here have.
    pub(super) fn protocol(&mut self) -> u8 {
        let icmp = if self.is_v4() { proto::ICMP } else { proto::ICMPV6 };
        self.dice.of([
            proto::TCP,
            proto::TCP,
            proto::TCP,
            proto::UDP,
            proto::UDP,
            proto::UDP,
            icmp,
            icmp,
            proto::SCTP,
            proto::GRE,
        ])
    }

    /// One of the texts.
    pub(super) fn word<const N: usize>(&mut self, words: [&'static str; N]) -> &'static str {
        self.dice.of(words)
    }
}

/// A port range as matches write it.
pub(super) fn range((low, high): (u16, u16)) -> String {
    if low == high { low.to_string() } else { format!("{low}:{high}") }
}

/// The name of a protocol as `-p` and `-m` take it.
pub(super) fn protocol_name(number: u8) -> String {
    match number {
        proto::TCP => "tcp".to_owned(),
        proto::UDP => "udp".to_owned(),
        proto::SCTP => "sctp".to_owned(),
        proto::ICMP => "icmp".to_owned(),
        proto::ICMPV6 => "ipv6-icmp".to_owned(),
        other => other.to_string(),
    }
}

/// A condition whose ways are single fields.
pub(super) fn condition(
    ext: &'static str,
    text: impl Into<String>,
    edges: impl IntoIterator<Item = Hint>,
) -> Condition {
    Condition { ext, text: text.into(), edges: edges.into_iter().map(|hint| vec![hint]).collect() }
}

/// The ends of a range and the ports beside them; within first.
pub(super) fn around((low, high): (u16, u16)) -> [u16; 5] {
    [low, high, low, low.saturating_sub(1), high.saturating_add(1)]
}

/// The address, the ends of what it stands for under its mask, and the addresses beside them; within first.
/// A mask of the other family counts as all of it.
pub(super) fn around_address(address: IpAddr, mask: IpAddr) -> [IpAddr; 6] {
    match (address, mask) {
        (IpAddr::V4(v4), mask) => {
            let mask = if let IpAddr::V4(mask) = mask { mask.to_bits() } else { u32::MAX };
            let (address, first, last) = (v4.to_bits(), v4.to_bits() & mask, v4.to_bits() | !mask);
            [address, address, first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        (IpAddr::V6(v6), mask) => {
            let mask = if let IpAddr::V6(mask) = mask { mask.to_bits() } else { u128::MAX };
            let (address, first, last) = (v6.to_bits(), v6.to_bits() & mask, v6.to_bits() | !mask);
            [address, address, first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    }
}
