//! Random matches, each with the packets at which it changes its mind.

mod connection;
mod header;
mod host;
mod other;

use super::Condition;
use super::draw::{Draw, hook};
use crate::packets::proto;

/// Families as bits.
const V4: u8 = 1;
const V6: u8 = 2;
const BOTH: u8 = 3;

/// A match that rulesets are made with.
#[derive(Debug, Clone, Copy)]
pub struct MatchKind {
    /// The extension.
    pub ext: &'static str,
    families: u8,
    hooks: u8,
    tables: &'static [&'static str],
    /// The protocols of which one has to be named before it; none: any.
    protocols: &'static [u8],
    weight: u32,
    /// What the packet alone cannot answer, or what is not modelled: drawn in some rulesets only.
    exotic: bool,
    /// What keeps something from packet to packet: drawn more often for sessions.
    remembers: bool,
    /// The word that tells it apart from others of the extension.
    word: &'static str,
    draw: fn(&mut Draw<'_>, u8) -> Condition,
}

const NONE: &[u8] = &[];
const TCP: &[u8] = &[proto::TCP];
const PORTS: &[u8] = &[proto::TCP, proto::UDP, proto::SCTP];
/// Before routing has chosen the interface it leaves by.
const ARRIVED: u8 = hook::PREROUTING | hook::INPUT | hook::FORWARD;

const fn plain(ext: &'static str, weight: u32, draw: fn(&mut Draw<'_>, u8) -> Condition) -> MatchKind {
    MatchKind {
        ext,
        families: BOTH,
        hooks: hook::ALL,
        tables: &[],
        protocols: NONE,
        weight,
        exotic: false,
        remembers: false,
        word: "",
        draw,
    }
}

impl MatchKind {
    const fn of(self, protocols: &'static [u8]) -> Self {
        Self { protocols, ..self }
    }

    const fn family(self, families: u8) -> Self {
        Self { families, ..self }
    }

    const fn at(self, hooks: u8) -> Self {
        Self { hooks, ..self }
    }

    const fn within(self, tables: &'static [&'static str]) -> Self {
        Self { tables, ..self }
    }

    const fn exotic(self) -> Self {
        Self { exotic: true, ..self }
    }

    const fn remembers(self) -> Self {
        Self { remembers: true, ..self }
    }

    const fn with(self, word: &'static str) -> Self {
        Self { word, ..self }
    }

    /// Whether the packet and its node leave it unanswered, so that a walk may be in cases because of it.
    pub fn is_exotic(&self) -> bool {
        self.exotic
    }

    /// What a rule with it is known by: `-m time`, or an option of its own.
    pub fn word(&self) -> String {
        if self.word.is_empty() { format!("-m {}", self.ext) } else { self.word.to_owned() }
    }

    /// Whether a rule with it has to name a protocol.
    pub(super) fn is_of_a_protocol(&self) -> bool {
        !self.protocols.is_empty()
    }

    /// Whether it may stand in a rule of this protocol in a chain that these hooks reach.
    pub(super) fn is_legal(&self, draw: &Draw<'_>, table: &str, hooks: u8, protocol: u8) -> bool {
        let family = if draw.is_v4() { V4 } else { V6 };
        self.families & family != 0
            && hooks & !self.hooks == 0
            && (self.tables.is_empty() || self.tables.contains(&table))
            && (self.protocols.is_empty() || self.protocols.contains(&protocol))
            && (!self.exotic || draw.exotic)
            && draw.allows(self.ext)
    }
}

/// Every match that rulesets are made with. What is not here is not compared with the kernel.
pub const MATCHES: &[MatchKind] = &[
    plain("tcp", 12, header::ports).of(&[proto::TCP]),
    plain("udp", 12, header::ports).of(&[proto::UDP]),
    plain("sctp", 12, header::ports).of(&[proto::SCTP]),
    plain("tcp", 5, header::tcp_flags).of(TCP),
    plain("tcp", 1, header::tcp_option).of(TCP).exotic().with("--tcp-option"),
    plain("multiport", 8, header::multiport).of(PORTS),
    plain("icmp", 30, header::icmp).of(&[proto::ICMP]).family(V4),
    plain("icmp6", 30, header::icmp6).of(&[proto::ICMPV6]).family(V6),
    plain("length", 2, header::length),
    plain("ttl", 3, header::ttl).family(V4),
    plain("hl", 3, header::hl).family(V6),
    plain("tos", 2, header::tos),
    plain("dscp", 2, header::dscp),
    plain("ecn", 2, header::ecn).of(TCP),
    plain("iprange", 4, header::iprange),
    plain("comment", 2, header::comment),
    plain("mark", 5, connection::mark),
    plain("connmark", 3, connection::connmark),
    plain("state", 2, connection::state),
    plain("conntrack", 5, connection::ctstate),
    plain("conntrack", 5, connection::conntrack),
    plain("connlimit", 1, connection::connlimit).remembers(),
    plain("connbytes", 1, connection::connbytes).exotic(),
    plain("connlabel", 1, connection::connlabel).exotic(),
    plain("helper", 1, connection::helper).exotic(),
    plain("statistic", 2, connection::random),
    plain("statistic", 1, connection::nth).remembers(),
    plain("limit", 1, connection::limit).remembers(),
    plain("hashlimit", 1, connection::hashlimit).remembers(),
    plain("quota", 1, connection::quota).remembers(),
    plain("recent", 2, connection::recent).remembers(),
    plain("addrtype", 5, host::addrtype),
    plain("addrtype", 1, host::addrtype_in).at(ARRIVED),
    plain("set", 8, host::set),
    plain("set", 1, host::set_nomatch).exotic().with("--return-nomatch"),
    plain("physdev", 1, host::physdev).at(ARRIVED).exotic(),
    plain("mac", 1, host::mac).at(ARRIVED).exotic(),
    plain("owner", 3, host::owner).at(hook::OUTPUT | hook::POSTROUTING),
    plain("rpfilter", 4, host::rpfilter).at(hook::PREROUTING).within(&["raw", "mangle"]),
    plain("pkttype", 1, host::pkttype).exotic(),
    plain("devgroup", 1, host::devgroup).at(ARRIVED).exotic(),
    plain("realm", 1, host::realm)
        .family(V4)
        .at(hook::INPUT | hook::FORWARD | hook::OUTPUT | hook::POSTROUTING)
        .exotic(),
    plain("policy", 1, host::policy).at(ARRIVED).exotic(),
    plain("socket", 1, host::socket).at(hook::PREROUTING | hook::INPUT).exotic(),
    plain("cgroup", 1, host::cgroup).at(hook::OUTPUT | hook::POSTROUTING).exotic(),
    plain("time", 1, host::time).exotic(),
    plain("ah", 1, other::ah).of(&[51]).exotic(),
    plain("esp", 1, other::esp).of(&[50]).exotic(),
    plain("dccp", 1, other::dccp).of(&[33]).exotic(),
    plain("tcpmss", 1, other::tcpmss).of(TCP).exotic(),
    plain("osf", 1, other::osf).of(TCP).family(V4).at(ARRIVED).exotic(),
    plain("u32", 1, other::u32).exotic(),
    plain("string", 1, other::string).exotic(),
    plain("bpf", 1, other::bpf).exotic(),
    plain("cpu", 1, other::cpu).exotic(),
    plain("ipcomp", 1, other::ipcomp).of(&[108]).exotic(),
    plain("cluster", 1, connection::cluster),
    plain("nfacct", 1, other::nfacct),
    plain("frag", 1, other::frag).family(V6).exotic(),
    plain("rt", 1, other::rt).family(V6).exotic(),
    plain("hbh", 1, other::hbh).family(V6).exotic(),
    plain("dst", 1, other::dst).family(V6).exotic(),
    plain("ipv6header", 1, other::ipv6header).family(V6).exotic(),
    plain("mh", 1, other::mh).of(&[135]).family(V6).exotic(),
    plain("srh", 1, other::srh).family(V6).exotic(),
    plain("eui64", 1, other::eui64).family(V6).at(ARRIVED).exotic(),
];

impl Draw<'_> {
    /// One of the matches that are legal here, by weight.
    pub(super) fn condition(&mut self, table: &str, hooks: u8, protocol: u8) -> Option<Condition> {
        let legal: Vec<&MatchKind> =
            MATCHES.iter().filter(|kind| kind.is_legal(self, table, hooks, protocol)).collect();
        let session = self.session;
        let weight = |kind: &MatchKind| kind.weight * if session && kind.remembers { 10 } else { 1 };
        let total: u32 = legal.iter().map(|kind| weight(kind)).sum();
        let mut left = self.dice.number(1..=total.max(1));
        for kind in legal {
            if left <= weight(kind) {
                return Some((kind.draw)(self, protocol));
            }
            left -= weight(kind);
        }
        None
    }
}
