//! What the node around a packet answers: addresses, sets, sockets, ports of bridges.

use crate::ruleset::draw::{Draw, condition};
use crate::ruleset::{Condition, Element, Hint, Set};

pub(super) fn addrtype(draw: &mut Draw<'_>, _: u8) -> Condition {
    let kinds = if draw.is_v4() {
        draw.word(["LOCAL", "LOCAL", "LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "LOCAL,BROADCAST"])
    } else {
        // nft knows these alone of IPv6.
        draw.word(["LOCAL", "LOCAL", "LOCAL", "UNICAST", "MULTICAST", "ANYCAST"])
    };
    let option = draw.word(["--dst-type", "--dst-type", "--dst-type", "--src-type"]);
    let own = draw.own_address();
    let edges = if option == "--src-type" { Hint::Source(own) } else { Hint::Destination(own) };
    condition("addrtype", format!("-m addrtype {}{option} {kinds}", draw.not()), [edges])
}

pub(super) fn addrtype_in(draw: &mut Draw<'_>, _: u8) -> Condition {
    let own = draw.own_address();
    condition(
        "addrtype",
        format!("-m addrtype {}--dst-type LOCAL --limit-iface-in", draw.not()),
        [Hint::Destination(own)],
    )
}

/// A lookup in one of the sets; a comment where there is none.
pub(super) fn set(draw: &mut Draw<'_>, protocol: u8) -> Condition {
    let Some(set) = draw.dice.pick(&draw.sets).cloned() else {
        return super::header::comment(draw, protocol);
    };
    let sides: Vec<&str> = (0..set.dimensions).map(|_| draw.word(["src", "dst", "dst"])).collect();
    let edges = set.elements.iter().map(|element| hints(element, &sides)).collect();
    let Set { name, .. } = set;
    let text = format!("-m set {}--match-set {name} {}", draw.not(), sides.join(","));
    Condition { ext: "set", text, edges }
}

/// The same where only what is excepted matches.
pub(super) fn set_nomatch(draw: &mut Draw<'_>, protocol: u8) -> Condition {
    let mut condition = set(draw, protocol);
    if condition.ext == "set" {
        condition.text.push_str(" --return-nomatch");
    }
    condition
}

/// What a packet has to be so that a lookup finds an element.
fn hints(element: &[Element], sides: &[&str]) -> Vec<Hint> {
    let mut hints = Vec::new();
    for (part, side) in element.iter().zip(sides) {
        let is_source = *side == "src";
        match part {
            Element::Address(address) if is_source => hints.push(Hint::Source(*address)),
            Element::Address(address) => hints.push(Hint::Destination(*address)),
            Element::Port(protocol, port) => {
                hints.push(Hint::Protocol(*protocol));
                hints.push(if is_source { Hint::SourcePort(*port) } else { Hint::DestinationPort(*port) });
            }
            Element::Interface(name) if is_source => hints.push(Hint::In(name.clone())),
            Element::Interface(_) => {}
        }
    }
    hints
}

pub(super) fn physdev(draw: &mut Draw<'_>, _: u8) -> Condition {
    let option = draw.word([
        "--physdev-in veth+",
        "--physdev-is-in",
        "--physdev-is-bridged",
        "--physdev-out veth1 --physdev-is-bridged",
    ]);
    condition("physdev", format!("-m physdev {}{option}", draw.not()), [])
}

pub(super) fn mac(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("mac", format!("-m mac {}--mac-source 02:00:00:00:00:01", draw.not()), [])
}

pub(super) fn owner(draw: &mut Draw<'_>, _: u8) -> Condition {
    let option = draw.word([
        "--uid-owner 0",
        "--uid-owner 1-1000",
        "--gid-owner 0",
        "--gid-owner 5",
        "--socket-exists",
    ]);
    condition("owner", format!("-m owner {}{option}", draw.not()), [])
}

pub(super) fn rpfilter(draw: &mut Draw<'_>, _: u8) -> Condition {
    let options = draw.word([
        "",
        " --loose",
        " --validmark",
        " --accept-local",
        " --invert",
        " --loose --invert",
        " --validmark --invert",
    ]);
    condition("rpfilter", format!("-m rpfilter{options}"), [])
}

pub(super) fn pkttype(draw: &mut Draw<'_>, _: u8) -> Condition {
    let kind = draw.word(["unicast", "broadcast", "multicast"]);
    condition("pkttype", format!("-m pkttype {}--pkt-type {kind}", draw.not()), [])
}

pub(super) fn devgroup(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("devgroup", format!("-m devgroup {}--src-group 0x0", draw.not()), [])
}

pub(super) fn realm(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("realm", format!("-m realm {}--realm 0x0", draw.not()), [])
}

pub(super) fn policy(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("policy", format!("-m policy --dir in --pol {}", draw.word(["none", "ipsec"])), [])
}

pub(super) fn socket(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("socket", format!("-m socket{}", draw.word(["", " --transparent", " --nowildcard"])), [])
}

pub(super) fn cgroup(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("cgroup", format!("-m cgroup {}--cgroup 7", draw.not()), [])
}

pub(super) fn time(draw: &mut Draw<'_>, _: u8) -> Condition {
    let options = draw.word([
        "--timestart 00:00:00 --timestop 23:59:59",
        "--datestart 2037-01-01T00:00:00",
        "--weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun",
    ]);
    condition("time", format!("-m time {options}"), [])
}
