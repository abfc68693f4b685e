//! Random targets.

#![expect(clippy::unnecessary_wraps, reason = "the functions of one table have one type")]

use super::draw::{Draw, MASQUERADE_MARK, hook};
use super::random::asks_tracking;
use super::{Hint, Target};
use crate::packets::proto;

/// A target that rulesets are made with.
#[derive(Debug, Clone, Copy)]
pub struct TargetKind {
    /// The extension; empty for a verdict.
    pub ext: &'static str,
    tables: &'static [&'static str],
    hooks: u8,
    weight: u32,
    /// What the walk leaves unknown.
    exotic: bool,
    draw: fn(&mut Draw<'_>, Place) -> Option<Target>,
}

impl TargetKind {
    /// Whether a walk may leave unknown what it does.
    pub fn is_exotic(&self) -> bool {
        self.exotic
    }
}

/// Where a target stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The protocol its rule names; 0: none.
    pub(super) protocol: u8,
    /// The hooks its chain is reached from.
    pub(super) hooks: u8,
    /// Whether it is met by everything that comes to a base chain.
    pub(super) unconditional: bool,
}

const ANY: &[&str] = &["raw", "mangle", "nat", "filter", "security"];
const NAT: &[&str] = &["nat"];
const MANGLE: &[&str] = &["mangle"];
const NAT_IN: u8 = hook::PREROUTING | hook::OUTPUT;

const fn plain(
    ext: &'static str,
    tables: &'static [&'static str],
    hooks: u8,
    weight: u32,
    draw: fn(&mut Draw<'_>, Place) -> Option<Target>,
) -> TargetKind {
    TargetKind { ext, tables, hooks, weight, exotic: false, draw }
}

const fn exotic(kind: TargetKind) -> TargetKind {
    TargetKind { exotic: true, ..kind }
}

/// Every target that rulesets are made with. What is not here is not compared with the kernel.
pub const TARGETS: &[TargetKind] = &[
    plain("", ANY, hook::ALL, 12, nothing),
    plain("", ANY, hook::ALL, 12, accept),
    plain("", &["filter"], hook::ALL, 14, drop),
    plain("", &["raw", "mangle", "security"], hook::ALL, 2, drop),
    plain("", ANY, hook::ALL, 12, give_back),
    plain("REJECT", &["filter"], hook::ALL, 16, reject),
    plain("MARK", &["raw", "filter", "security"], hook::ALL, 4, mark),
    plain("MARK", &["mangle", "nat"], hook::ALL, 25, mark),
    plain("CONNMARK", ANY, hook::ALL, 6, connmark),
    plain("CT", &["raw"], hook::ALL, 12, ct),
    plain("NOTRACK", &["raw"], hook::ALL, 4, notrack),
    plain("DNAT", NAT, NAT_IN, 40, dnat),
    plain("REDIRECT", NAT, NAT_IN, 8, redirect),
    plain("NETMAP", NAT, NAT_IN | hook::POSTROUTING, 5, netmap),
    plain("SNAT", NAT, hook::POSTROUTING | hook::INPUT, 20, snat),
    plain("MASQUERADE", NAT, hook::POSTROUTING, 25, masquerade),
    plain("TOS", MANGLE, hook::ALL, 4, tos),
    plain("DSCP", MANGLE, hook::ALL, 3, dscp),
    plain("TTL", MANGLE, hook::ALL, 5, ttl),
    plain("HL", MANGLE, hook::ALL, 5, hl),
    plain("ECN", MANGLE, hook::ALL, 2, ecn),
    plain("TCPMSS", MANGLE, hook::FORWARD | hook::OUTPUT | hook::POSTROUTING, 2, tcpmss),
    plain("TCPOPTSTRIP", MANGLE, hook::ALL, 1, tcpoptstrip),
    plain("CHECKSUM", MANGLE, hook::ALL, 1, checksum),
    plain("CLASSIFY", MANGLE, hook::FORWARD | hook::OUTPUT | hook::POSTROUTING, 2, classify),
    plain("LOG", ANY, hook::ALL, 1, log),
    plain("NFLOG", ANY, hook::ALL, 2, nflog),
    plain("NFQUEUE", ANY, hook::ALL, 1, nfqueue),
    plain("AUDIT", ANY, hook::ALL, 1, audit),
    plain("RATEEST", MANGLE, hook::ALL, 1, rateest),
    plain("CONNSECMARK", MANGLE, hook::ALL, 1, connsecmark),
    plain("SYNPROXY", &["filter"], hook::INPUT | hook::FORWARD, 4, synproxy),
    exotic(plain("SNPT", MANGLE, hook::POSTROUTING, 2, snpt)),
    exotic(plain("SET", ANY, hook::ALL, 2, set)),
    exotic(plain("TPROXY", MANGLE, hook::PREROUTING, 3, tproxy)),
    exotic(plain("HMARK", MANGLE, hook::ALL, 3, hmark)),
    exotic(plain("DNPT", MANGLE, hook::PREROUTING, 2, dnpt)),
];

impl Draw<'_> {
    /// A target for which the conditions are enough: some need a protocol.
    pub(super) fn target(&mut self, table: &str, place: Place) -> Target {
        let fits = |kind: &&TargetKind| {
            kind.tables.contains(&table)
                && place.hooks & !kind.hooks == 0
                && (!kind.exotic || self.exotic)
                && self.allows(kind.ext)
                && (self.tracked || !asks_tracking(kind.ext))
        };
        let legal: Vec<&TargetKind> = TARGETS.iter().filter(fits).collect();
        let total: u32 = legal.iter().map(|kind| kind.weight).sum();
        let mut left = self.dice.number(1..=total.max(1));
        for kind in legal {
            if left <= kind.weight {
                return (kind.draw)(self, place).unwrap_or_else(|| target("", ""));
            }
            left -= kind.weight;
        }
        target("", "")
    }
}

fn target(ext: &'static str, text: impl Into<String>) -> Target {
    Target { ext, text: text.into(), edges: vec![] }
}

fn nothing(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    None
}

/// In a base chain this would end almost everything.
fn accept(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (!place.unconditional).then(|| target("", "-j ACCEPT"))
}

fn drop(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (!place.unconditional).then(|| target("", "-j DROP"))
}

fn give_back(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("", "-j RETURN"))
}

fn reject(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let with = if place.protocol == proto::TCP && draw.chance(50) {
        "tcp-reset"
    } else if draw.is_v4() {
        draw.word([
            "icmp-port-unreachable",
            "icmp-host-unreachable",
            "icmp-net-unreachable",
            "icmp-proto-unreachable",
            "icmp-net-prohibited",
            "icmp-host-prohibited",
            "icmp-admin-prohibited",
        ])
    } else {
        draw.word([
            "icmp6-no-route",
            "icmp6-adm-prohibited",
            "icmp6-addr-unreachable",
            "icmp6-port-unreachable",
            "icmp6-policy-fail",
            "icmp6-reject-route",
        ])
    };
    (!place.unconditional).then(|| target("REJECT", format!("-j REJECT --reject-with {with}")))
}

fn mark(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    let value = draw.mark();
    let mask = draw.dice.of([value, u32::MAX, 0xff00, 0]);
    Some(target("MARK", format!("-j MARK --set-xmark {value:#x}/{mask:#x}")))
}

fn connmark(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    let value = draw.mark();
    let text = match draw.dice.number(0..=4) {
        0 | 1 => format!("--set-xmark {value:#x}/{:#x}", draw.dice.of([value, u32::MAX])),
        2 => "--save-mark".to_owned(),
        3 => "--restore-mark".to_owned(),
        _ => "--restore-mark --nfmask 0xf000 --ctmask 0xf000".to_owned(),
    };
    Some(target("CONNMARK", format!("-j CONNMARK {text}")))
}

fn ct(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let option = draw.word(["--notrack", "--notrack", "--zone 5"]);
    (!place.unconditional).then(|| target("CT", format!("-j CT {option}")))
}

fn notrack(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (!place.unconditional).then(|| target("NOTRACK", "-j NOTRACK"))
}

fn dnat(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let first = draw.endpoint();
    let has_ports = proto::has_ports(place.protocol);
    let bracket = |text: String| if first.is_ipv6() { format!("[{text}]") } else { text };
    let port = draw.port();
    let mut edges = vec![vec![Hint::Destination(first)]];
    let to = match draw.dice.number(0..=11) {
        0 | 1 if has_ports => format!(":{port}"),
        2..=5 if has_ports => {
            edges.push(vec![Hint::DestinationPort(port)]);
            format!("{}:{port}", bracket(first.to_string()))
        }
        6 if has_ports => format!("{}:{port}-{}", bracket(first.to_string()), port.saturating_add(9)),
        7 if has_ports => format!("{}:{port}-{}/80", bracket(first.to_string()), port.saturating_add(9)),
        8 if has_ports => {
            let last = crate::topology::Subnet::new(first, 128).nth(2);
            format!("{}:{port}", bracket(format!("{first}-{last}")))
        }
        9 => format!("{first}-{}", crate::topology::Subnet::new(first, 128).nth(1)),
        _ => first.to_string(),
    };
    let random = if draw.session { "" } else { " --random" };
    let how = if draw.chance(6) { draw.dice.of([random, " --persistent"]) } else { "" };
    Some(Target { ext: "DNAT", text: format!("-j DNAT --to-destination {to}{how}"), edges })
}

fn redirect(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let ports = match draw.dice.number(0..=3) {
        0 | 1 if proto::has_ports(place.protocol) => format!(" --to-ports {}", draw.port()),
        2 if proto::has_ports(place.protocol) => format!(" --to-ports {0}-{0}9", draw.dice.of([300, 800])),
        _ => String::new(),
    };
    Some(target("REDIRECT", format!("-j REDIRECT{ports}")))
}

fn netmap(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    let network = if draw.is_v4() {
        draw.word(["10.2.0.0/24", "10.1.0.0/28", "10.3.0.0/16", "10.2.0.7/32"])
    } else {
        draw.word(["fd00:2::/64", "fd00:1::/124", "fd00:3::/48", "fd00:2::7/128"])
    };
    Some(target("NETMAP", format!("-j NETMAP --to {network}")))
}

fn snat(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let first = if draw.chance(60) { draw.own_address() } else { draw.address() };
    let bracket = |text: String| if first.is_ipv6() { format!("[{text}]") } else { text };
    let port = draw.port();
    let to = match draw.dice.number(0..=6) {
        0 | 1 if proto::has_ports(place.protocol) => format!("{}:{port}", bracket(first.to_string())),
        2 if proto::has_ports(place.protocol) => {
            format!("{}:{port}-{}", bracket(first.to_string()), port.saturating_add(20))
        }
        3 => format!("{first}-{}", crate::topology::Subnet::new(first, 128).nth(3)),
        _ => first.to_string(),
    };
    let is_drawn = draw.chance(10) && !draw.session;
    let how = if is_drawn { draw.word([" --random", " --random-fully", " --persistent"]) } else { "" };
    Some(target("SNAT", format!("-j SNAT --to-source {to}{how}")))
}

fn masquerade(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let options = match draw.dice.number(0..=9) {
        0 if proto::has_ports(place.protocol) => " --to-ports 2000-2100",
        1 if !draw.session => " --random-fully",
        2 if !draw.session => " --random",
        _ => "",
    };
    Some(target("MASQUERADE", format!("-j MASQUERADE{options}")))
}

fn tos(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("TOS", format!("-j TOS --set-tos {}", draw.word(["0x10/0xff", "0x08/0x3f", "0x00/0xff"]))))
}

fn dscp(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("DSCP", format!("-j DSCP --set-dscp {}", draw.word(["0x2e", "0x04"]))))
}

fn ttl(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    let change = draw.word(["set 1", "set 64", "dec 1", "dec 63", "inc 1", "inc 250"]);
    draw.is_v4().then(|| target("TTL", format!("-j TTL --ttl-{change}")))
}

fn hl(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    let change = draw.word(["set 1", "set 64", "dec 1", "dec 63", "inc 1", "inc 250"]);
    (!draw.is_v4()).then(|| target("HL", format!("-j HL --hl-{change}")))
}

fn ecn(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    (draw.is_v4() && place.protocol == proto::TCP).then(|| target("ECN", "-j ECN --ecn-tcp-remove"))
}

/// It wants a rule of SYN packets, which kube nodes write so.
fn tcpmss(draw: &mut Draw<'_>, place: Place) -> Option<Target> {
    let option = draw.word(["--clamp-mss-to-pmtu", "--set-mss 500"]);
    let syn = "-m tcp --tcp-flags SYN,RST SYN";
    (place.protocol == proto::TCP).then(|| target("TCPMSS", format!("{syn} -j TCPMSS {option}")))
}

fn tcpoptstrip(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (place.protocol == proto::TCP)
        .then(|| target("TCPOPTSTRIP", "-j TCPOPTSTRIP --strip-options sack-permitted"))
}

fn checksum(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (place.protocol == proto::UDP).then(|| target("CHECKSUM", "-j CHECKSUM --checksum-fill"))
}

fn classify(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("CLASSIFY", "-j CLASSIFY --set-class 1:1"))
}

fn log(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("LOG", "-j LOG --log-prefix \"x: \""))
}

fn nflog(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("NFLOG", "-j NFLOG --nflog-group 5"))
}

/// Nobody listens.
fn nfqueue(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (!place.unconditional).then(|| target("NFQUEUE", "-j NFQUEUE --queue-num 3"))
}

/// Into a set that no match asks.
fn set(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    (!draw.sets.is_empty()).then(|| target("SET", "-j SET --add-set SINK src --exist"))
}

fn tproxy(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    matches!(place.protocol, proto::TCP | proto::UDP)
        .then(|| target("TPROXY", format!("-j TPROXY --on-port 9 --tproxy-mark {MASQUERADE_MARK:#x}")))
}

fn hmark(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("HMARK", "-j HMARK --hmark-tuple src --hmark-mod 3 --hmark-offset 1 --hmark-rnd 0xbeef"))
}

fn dnpt(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    (!draw.is_v4()).then(|| target("DNPT", "-j DNPT --src-pfx fd00:96::/64 --dst-pfx fd00:2::/64"))
}

/// NAT goes by the source as conntrack has seen it, before this target: where both rewrite it the walk does not follow.
fn snpt(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    (!draw.is_v4() && !draw.tracked)
        .then(|| target("SNPT", "-j SNPT --src-pfx fd00:1::/64 --dst-pfx fd00:9::/64"))
}

fn audit(_: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("AUDIT", "-j AUDIT --type accept"))
}

fn rateest(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    let name = draw.dice.number(0..=99_999);
    let text = format!("-j RATEEST --rateest-name r{name} --rateest-interval 250ms --rateest-ewmalog 500ms");
    Some(target("RATEEST", text))
}

fn connsecmark(draw: &mut Draw<'_>, _: Place) -> Option<Target> {
    Some(target("CONNSECMARK", draw.word(["-j CONNSECMARK --save", "-j CONNSECMARK --restore"])))
}

fn synproxy(_: &mut Draw<'_>, place: Place) -> Option<Target> {
    (place.protocol == proto::TCP)
        .then(|| target("SYNPROXY", "-j SYNPROXY --sack-perm --wscale 7 --mss 1460"))
}
