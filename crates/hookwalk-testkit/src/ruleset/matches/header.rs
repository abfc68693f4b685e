//! What the headers of a packet answer.

use crate::packets::{flag, proto};
use crate::ruleset::draw::{Draw, around, condition, protocol_name, range};
use crate::ruleset::{Condition, Hint};

pub(super) fn ports(draw: &mut Draw<'_>, protocol: u8) -> Condition {
    let (not, ports) = (draw.not(), draw.ports());
    let name = protocol_name(protocol);
    let ext = match protocol {
        proto::TCP => "tcp",
        proto::UDP => "udp",
        _ => "sctp",
    };
    if draw.chance(25) {
        let edges = around(ports).map(Hint::SourcePort);
        return condition(ext, format!("-m {name} {not}--sport {}", range(ports)), edges);
    }
    condition(
        ext,
        format!("-m {name} {not}--dport {}", range(ports)),
        around(ports).map(Hint::DestinationPort),
    )
}

pub(super) fn tcp_flags(draw: &mut Draw<'_>, _: u8) -> Condition {
    let (mask, set, mask_bits, set_bits) = draw.dice.of([
        ("FIN,SYN,RST,ACK", "SYN", flag::FIN | flag::SYN | flag::RST | flag::ACK, flag::SYN),
        ("SYN,ACK", "ACK", flag::SYN | flag::ACK, flag::ACK),
        ("ALL", "NONE", 0x3f, 0),
        ("RST", "RST", flag::RST, flag::RST),
        ("FIN,PSH,URG", "FIN,PSH,URG", flag::FIN | flag::PSH | flag::URG, flag::FIN | flag::PSH | flag::URG),
    ]);
    let text = format!("-m tcp {}--tcp-flags {mask} {set}", draw.not());
    condition("tcp", text, [Hint::Flags(mask_bits, set_bits), Hint::Flags(0x3f, flag::SYN)])
}

pub(super) fn tcp_option(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("tcp", format!("-m tcp {}--tcp-option 3", draw.not()), [])
}

pub(super) fn multiport(draw: &mut Draw<'_>, _: u8) -> Condition {
    let ranges: Vec<(u16, u16)> = (0..draw.dice.number(1..=4)).map(|_| draw.ports()).collect();
    let text: Vec<String> = ranges.iter().map(|ports| range(*ports)).collect();
    let option = draw.word(["--dports", "--dports", "--sports", "--ports"]);
    let edges = ranges.iter().flat_map(|ports| around(*ports));
    let is_source = option == "--sports";
    let edges =
        edges.map(|port| if is_source { Hint::SourcePort(port) } else { Hint::DestinationPort(port) });
    condition("multiport", format!("-m multiport {}{option} {}", draw.not(), text.join(",")), edges)
}

pub(super) fn icmp(draw: &mut Draw<'_>, _: u8) -> Condition {
    let (text, icmp_type, code) = draw.dice.of([
        ("8", 8, 0),
        ("8/0", 8, 0),
        ("8/1", 8, 1),
        ("0", 0, 0),
        ("3", 3, 1),
        ("3/4", 3, 4),
        ("any", 8, 0),
        ("13", 13, 0),
    ]);
    let edges = [Hint::Icmp(icmp_type, code), Hint::Icmp(8, 0), Hint::Icmp(8, 1)];
    condition("icmp", format!("-m icmp {}--icmp-type {text}", draw.not()), edges)
}

pub(super) fn icmp6(draw: &mut Draw<'_>, _: u8) -> Condition {
    let (text, icmp_type, code) = draw.dice.of([
        ("128", 128, 0),
        ("128/0", 128, 0),
        ("128/1", 128, 1),
        ("129", 129, 0),
        ("1", 1, 1),
        ("1/4", 1, 4),
        ("2", 2, 0),
        ("3", 3, 0),
    ]);
    let edges = [Hint::Icmp(icmp_type, code), Hint::Icmp(128, 0), Hint::Icmp(128, 1)];
    condition("icmp6", format!("-m icmp6 {}--icmpv6-type {text}", draw.not()), edges)
}

pub(super) fn length(draw: &mut Draw<'_>, _: u8) -> Condition {
    let low = draw.dice.of([28_u16, 36, 48, 56, 68, 100]);
    let high = low + draw.dice.of([0, 4, 20, 1000]);
    condition(
        "length",
        format!("-m length {}--length {}", draw.not(), range((low, high))),
        around((low, high)).map(Hint::Length),
    )
}

pub(super) fn ttl(draw: &mut Draw<'_>, _: u8) -> Condition {
    hops(draw, "ttl")
}

pub(super) fn hl(draw: &mut Draw<'_>, _: u8) -> Condition {
    hops(draw, "hl")
}

fn hops(draw: &mut Draw<'_>, name: &'static str) -> Condition {
    let value = draw.dice.of([1_u8, 2, 63, 64, 65]);
    let test = draw.word(["eq", "lt", "gt"]);
    let not = if test == "eq" { draw.not() } else { "" };
    let edges = [value, value.saturating_sub(1).max(1), value + 1].map(Hint::Ttl);
    condition(name, format!("-m {name} {not}--{name}-{test} {value}"), edges)
}

pub(super) fn tos(draw: &mut Draw<'_>, _: u8) -> Condition {
    let (value, mask) =
        draw.dice.of([(0x10_u8, 0xff_u8), (0x10, 0x3f), (0x0, 0xff), (0xb8, 0xfc), (0x02, 0x03)]);
    let edges = [Hint::Tos(value), Hint::Tos(value | !mask), Hint::Tos(value ^ 4)];
    condition("tos", format!("-m tos {}--tos {value:#04x}/{mask:#04x}", draw.not()), edges)
}

pub(super) fn dscp(draw: &mut Draw<'_>, _: u8) -> Condition {
    let value = draw.dice.of([0_u8, 4, 46, 63]);
    let edges = [Hint::Tos(value << 2), Hint::Tos(value << 2 | 3), Hint::Tos((value ^ 1) << 2)];
    condition("dscp", format!("-m dscp {}--dscp {value:#04x}", draw.not()), edges)
}

pub(super) fn ecn(draw: &mut Draw<'_>, _: u8) -> Condition {
    let value = draw.dice.of([0_u8, 1, 2, 3]);
    let edges = [Hint::Tos(value), Hint::Tos(value ^ 1)];
    condition("ecn", format!("-m ecn {}--ecn-ip-ect {value}", draw.not()), edges)
}

pub(super) fn iprange(draw: &mut Draw<'_>, _: u8) -> Condition {
    let first = draw.address();
    let beyond = draw.dice.of([0_u8, 1, 5, 40]);
    let moved = |by: i32| crate::topology::Subnet::new(first, 128).nth(by);
    let last = moved(i32::from(beyond));
    let (option, is_source) =
        draw.dice.of([("--src-range", true), ("--dst-range", false), ("--dst-range", false)]);
    let edges = [first, last, first, moved(-1), moved(i32::from(beyond) + 1)];
    let edges =
        edges.map(|address| if is_source { Hint::Source(address) } else { Hint::Destination(address) });
    condition("iprange", format!("-m iprange {}{option} {first}-{last}", draw.not()), edges)
}

pub(super) fn comment(draw: &mut Draw<'_>, _: u8) -> Condition {
    let text = draw.word(["default/web:http", "a \\\"b\\\" -j DROP", "x"]);
    condition("comment", format!("-m comment --comment \"{text}\""), [])
}
