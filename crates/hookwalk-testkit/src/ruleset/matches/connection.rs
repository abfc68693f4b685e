//! What the connection of a packet and the memory of rules answer.
//!
//! Each packet of a comparison meets a node that knows no connections, but rules keep what they counted. So
//! buckets, quotas and lists are drawn where a fresh one and a used one answer alike; for a session, where rules are
//! loaded anew for a few packets, so that these use them up.

use crate::packets::proto;
use crate::ruleset::draw::{Draw, MASQUERADE_MARK, condition, range};
use crate::ruleset::{Condition, Hint};

pub(super) fn mark(draw: &mut Draw<'_>, _: u8) -> Condition {
    let (value, mask) = (draw.mark(), draw.dice.of([MASQUERADE_MARK, MASQUERADE_MARK, u32::MAX, 0]));
    let text = format!("-m mark {}--mark {value:#x}/{mask:#x}", draw.not());
    condition("mark", text, [Hint::Mark(value), Hint::Mark(value ^ 1)])
}

pub(super) fn connmark(draw: &mut Draw<'_>, _: u8) -> Condition {
    let (value, mask) = (draw.dice.of([0, 0x1, MASQUERADE_MARK]), draw.dice.of([MASQUERADE_MARK, u32::MAX]));
    condition("connmark", format!("-m connmark {}--mark {value:#x}/{mask:#x}", draw.not()), [])
}

pub(super) fn state(draw: &mut Draw<'_>, _: u8) -> Condition {
    let states = draw.word(["NEW", "RELATED,ESTABLISHED", "INVALID", "UNTRACKED", "INVALID,NEW"]);
    condition("state", format!("-m state {}--state {states}", draw.not()), [])
}

pub(super) fn ctstate(draw: &mut Draw<'_>, _: u8) -> Condition {
    let states = draw.word([
        "NEW",
        "RELATED,ESTABLISHED",
        "INVALID",
        "DNAT",
        "SNAT",
        "NEW,UNTRACKED",
        "RELATED",
        "ESTABLISHED",
    ]);
    condition("conntrack", format!("-m conntrack {}--ctstate {states}", draw.not()), [])
}

pub(super) fn conntrack(draw: &mut Draw<'_>, protocol: u8) -> Condition {
    let (text, edges) = match draw.dice.number(0..=8) {
        0 => {
            let number = draw.protocol();
            (format!("{}--ctproto {number}", draw.not()), vec![Hint::Protocol(number)])
        }
        1 => {
            let (masked, edges) = draw.masked();
            (format!("{}--ctorigsrc {masked}", draw.not()), edges.into_iter().map(Hint::Source).collect())
        }
        2 | 3 => {
            let (masked, edges) = draw.masked();
            (
                format!("{}--ctorigdst {masked}", draw.not()),
                edges.into_iter().map(Hint::Destination).collect(),
            )
        }
        4 if proto::has_ports(protocol) => {
            let ports = draw.ports();
            let edges = super::super::draw::around(ports).map(Hint::DestinationPort).to_vec();
            (format!("{}--ctorigdstport {}", draw.not(), range(ports)), edges)
        }
        5 => {
            let (masked, _) = draw.masked();
            (format!("{}--ctreplsrc {masked}", draw.not()), vec![])
        }
        6 => {
            let (masked, _) = draw.masked();
            (format!("{}--ctrepldst {masked}", draw.not()), vec![])
        }
        7 => {
            let status = draw.word([
                "NONE",
                "SEEN_REPLY",
                "ASSURED",
                "CONFIRMED",
                "SEEN_REPLY",
                "SEEN_REPLY,CONFIRMED",
            ]);
            (format!("{}--ctstatus {status}", draw.not()), vec![])
        }
        _ => (format!("--ctdir {}", draw.word(["ORIGINAL", "REPLY"])), vec![]),
    };
    condition("conntrack", format!("-m conntrack {text}"), edges)
}

pub(super) fn connlimit(draw: &mut Draw<'_>, _: u8) -> Condition {
    let option = if draw.session {
        draw.word(["--connlimit-above 1", "--connlimit-upto 2"])
    } else {
        draw.word([
            "--connlimit-above 0",
            "--connlimit-above 70000",
            "--connlimit-upto 70000",
            "--connlimit-upto 0",
        ])
    };
    let side = draw.word(["--connlimit-saddr", "--connlimit-daddr"]);
    let mask = if draw.is_v4() { 24 } else { 64 };
    condition("connlimit", format!("-m connlimit {option} --connlimit-mask {mask} {side}"), [])
}

pub(super) fn connbytes(draw: &mut Draw<'_>, _: u8) -> Condition {
    let not = draw.not();
    condition(
        "connbytes",
        format!("-m connbytes {not}--connbytes 0:9 --connbytes-mode packets --connbytes-dir both"),
        [],
    )
}

pub(super) fn connlabel(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("connlabel", format!("-m connlabel {}--label 7", draw.not()), [])
}

pub(super) fn cluster(draw: &mut Draw<'_>, _: u8) -> Condition {
    let total = draw.dice.number(2..=4);
    let (not, seed) = (draw.not(), draw.dice.of([0, 0xbeef]));
    let text = format!(
        "-m cluster --cluster-total-nodes {total} {not}--cluster-local-node 1 --cluster-hash-seed {seed:#x}"
    );
    condition("cluster", text, [])
}

pub(super) fn helper(draw: &mut Draw<'_>, _: u8) -> Condition {
    condition("helper", format!("-m helper {}--helper ftp", draw.not()), [])
}

pub(super) fn random(draw: &mut Draw<'_>, _: u8) -> Condition {
    if draw.session {
        let probability = draw.word(["0.00000000001", "1.00000000000"]);
        return condition("statistic", format!("-m statistic --mode random --probability {probability}"), []);
    }
    let probability = draw.word(["0.5", "0.33333333349", "0.00000000001", "0.99999999999", "0.2", "0.5"]);
    let not = draw.not();
    condition("statistic", format!("-m statistic --mode random {not}--probability {probability}"), [])
}

/// Every one is the only one that answers the same each time.
pub(super) fn nth(draw: &mut Draw<'_>, _: u8) -> Condition {
    let every = if draw.session {
        draw.word(["2 --packet 0", "2 --packet 1", "3 --packet 1"])
    } else {
        "1 --packet 0"
    };
    condition("statistic", format!("-m statistic --mode nth {}--every {every}", draw.not()), [])
}

pub(super) fn limit(draw: &mut Draw<'_>, _: u8) -> Condition {
    if draw.session {
        let burst = draw.dice.number(1..=3);
        return condition("limit", format!("-m limit --limit 1/hour --limit-burst {burst}"), []);
    }
    condition("limit", "-m limit --limit 10000/sec --limit-burst 10000", [])
}

pub(super) fn hashlimit(draw: &mut Draw<'_>, _: u8) -> Condition {
    let option = draw.word(["upto", "above"]);
    let mode = draw.word(["srcip", "dstip", "srcip,dstport", "dstip,srcport"]);
    let name = draw.dice.number(0..=99_999);
    let rate = if draw.session {
        draw.word(["1/hour --hashlimit-burst 1", "2/hour --hashlimit-burst 2"])
    } else {
        "10000/sec --hashlimit-burst 10000"
    };
    let text =
        format!("-m hashlimit --hashlimit-{option} {rate} --hashlimit-mode {mode} --hashlimit-name h{name}");
    condition("hashlimit", text, [])
}

pub(super) fn quota(draw: &mut Draw<'_>, _: u8) -> Condition {
    let bytes =
        if draw.session { draw.dice.of([60_u64, 100, 200]) } else { draw.dice.of([0, 1_000_000_000]) };
    condition("quota", format!("-m quota {}--quota {bytes}", draw.not()), [])
}

/// Lists that nothing fills, or that nothing asks.
pub(super) fn recent(draw: &mut Draw<'_>, _: u8) -> Condition {
    let not = draw.not();
    if draw.session {
        let list = draw.word(["LIST-A", "LIST-B"]);
        let side = draw.word(["--rsource", "--rsource", "--rdest"]);
        let how = draw.word([
            "--set",
            "--set",
            "--rcheck",
            "--rcheck --seconds 10800 --reap",
            "--rcheck --hitcount 2",
            "--update --seconds 3600",
            "--update --seconds 3600 --hitcount 3",
            "--rcheck --rttl",
            "--remove",
        ]);
        return condition("recent", format!("-m recent {not}{how} --name {list} {side}"), []);
    }
    let text = match draw.dice.number(0..=3) {
        0 => format!("{not}--set --name FILLED --rsource"),
        1 => format!("{not}--rcheck --seconds 10800 --reap --name EMPTY --rsource"),
        2 => format!("{not}--update --seconds 60 --name EMPTY --rdest"),
        _ => format!("{not}--remove --name EMPTY --rsource"),
    };
    condition("recent", format!("-m recent {text}"), [])
}
