//! What neither headers nor host answer here: payload, options, IPv6 header chains.

use crate::ruleset::Condition;
use crate::ruleset::draw::{Draw, condition};

pub(super) fn ah(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("ah", format!("-m ah {}--ahspi 7:9", draw.not()), [])
}

pub(super) fn esp(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("esp", format!("-m esp {}--espspi 7:9", draw.not()), [])
}

pub(super) fn dccp(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("dccp", format!("-m dccp {}--dport 80", draw.not()), [])
}

pub(super) fn tcpmss(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("tcpmss", format!("-m tcpmss {}--mss 500:1500", draw.not()), [])
}

pub(super) fn osf(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("osf", format!("-m osf {}--genre Linux", draw.not()), [])
}

pub(super) fn u32(draw: &mut Draw<'_>, _: u8) -> Condition {
    let test = draw.word(["0x0>>0x1c=0x4", "0x0>>0x1c=0x6", "0x4&0xff=0x0"]);
    condition("u32", format!("-m u32 {}--u32 \"{test}\"", draw.not()), [])
}

/// Packets here hold the letter `h`.
pub(super) fn string(draw: &mut Draw<'_>, _: u8) -> Condition {
    let pattern = draw.word(["hhhh", "hookwalk"]);
    condition("string", format!("-m string {}--string \"{pattern}\" --algo bm", draw.not()), [])
}

/// Every packet, or none.
pub(super) fn bpf(draw: &mut Draw<'_>, _: u8) -> Condition {
    let code = draw.word(["1,6 0 0 65535", "1,6 0 0 0"]);
    condition("bpf", format!("-m bpf --bytecode \"{code}\""), [])
}

pub(super) fn cpu(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("cpu", format!("-m cpu {}--cpu 0", draw.not()), [])
}

pub(super) fn ipcomp(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("ipcomp", format!("-m ipcomp {}--ipcompspi 7:9", draw.not()), [])
}

pub(super) fn nfacct(_: &mut Draw<'_>, _: u8) -> Condition {
    condition("nfacct", "-m nfacct --nfacct-name counted", [])
}

pub(super) fn frag(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("frag", format!("-m frag {}", draw.word(["--fragfirst", "--fragmore", "--fraglast"])), [])
}

pub(super) fn rt(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("rt", format!("-m rt {}--rt-type 0", draw.not()), [])
}

pub(super) fn hbh(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("hbh", format!("-m hbh {}--hbh-len 8", draw.not()), [])
}

pub(super) fn dst(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("dst", format!("-m dst {}--dst-len 8", draw.not()), [])
}

pub(super) fn ipv6header(draw: &mut Draw<'_>, _: u8) -> Condition {
    let options =
        draw.word(["--header ipv6-frag --soft", "--header ipv6-nonxt --soft", "--header ipv6-route"]);
    condition("ipv6header", format!("-m ipv6header {}{options}", draw.not()), [])
}

pub(super) fn mh(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("mh", format!("-m mh {}--mh-type 1", draw.not()), [])
}

pub(super) fn srh(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("srh", format!("-m srh {}--srh-next-hdr 6", draw.not()), [])
}

pub(super) fn eui64(_: &mut Draw<'_>, _: u8) -> Condition {
    condition("eui64", "-m eui64", [])
}
