//! Generated rulesets with draws, sets, marks, jumps and things that cannot be judged.

use hookwalk_engine::Packet;
use hookwalk_parser::types::Protocol;
use proptest::prelude::*;

/// One rule of chain `CHAIN`, which may jump to chains behind it.
fn rule(chain: usize, chains: usize) -> impl Strategy<Value = String> {
    let condition = prop_oneof![
        3 => Just(String::new()),
        2 => (0_u32..=100).prop_map(|p| format!(" -m statistic --mode random --probability 0.{p:02}")),
        1 => Just(" -m statistic --mode random ! --probability 0.25".to_owned()),
        1 => Just(" -m statistic --mode random --probability 1".to_owned()),
        1 => Just(" -m statistic --mode random --probability 0".to_owned()),
        1 => (0_u8..3).prop_map(|n| format!(" -m set --match-set s{n} src")),
        1 => (0_u8..3).prop_map(|n| format!(" -m set ! --match-set s{n} dst")),
        1 => Just(" -p tcp -m tcp --dport 80".to_owned()),
        1 => Just(" -p tcp -m tcp ! --sport 1024:65535".to_owned()),
        1 => Just(" -m mark --mark 0x1/0x1".to_owned()),
        1 => Just(" -m addrtype --dst-type LOCAL".to_owned()),
        1 => Just(" -m foo --bar".to_owned()),
        1 => Just(" -o eth1".to_owned()),
    ];
    let jump = (chain + 1..=chains).prop_map(move |to| match to {
        to if to < chains => format!(" -j C{to}"),
        _ => " -j RETURN".to_owned(),
    });
    let target = prop_oneof![
        2 => jump,
        1 => Just(" -j RETURN".to_owned()),
        2 => (1_u8..4).prop_map(|n| format!(" -j DNAT --to-destination 10.1.0.{n}:80")),
        1 => Just(" -j MARK --set-xmark 0x1/0x1".to_owned()),
        1 => Just(" -j ACCEPT".to_owned()),
        1 => Just(" -j LOG".to_owned()),
        1 => Just(String::new()),
    ];
    (condition, target).prop_map(move |(condition, target)| format!("-A C{chain}{condition}{target}\n"))
}

pub(crate) fn ruleset() -> impl Strategy<Value = String> {
    (1_usize..5).prop_flat_map(|chains| {
        let of = |chain| prop::collection::vec(rule(chain, chains), 0..5).prop_map(|rules| rules.concat());
        let rules: Vec<_> = (0..chains).map(of).collect();
        rules.prop_map(move |rules| {
            let declared = (0..chains).map(|n| format!(":C{n} - [0:0]\n")).collect::<Vec<_>>().concat();
            format!(
                "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{declared}\
                 -A PREROUTING -j C0\n-A OUTPUT -j C0\n-A POSTROUTING -m mark --mark 0x1/0x1 -j MASQUERADE\n{}COMMIT\n\
                 *filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
                 -A FORWARD -d 10.1.0.2/32 -m statistic --mode random --probability 0.5 -j DROP\nCOMMIT\n",
                rules.concat()
            )
        })
    })
}

pub(crate) fn packet(arrives: bool) -> Packet {
    let packet = Packet::new("10.0.0.5".parse().unwrap(), "10.96.0.10".parse().unwrap())
        .protocol(Protocol::TCP)
        .destination_port(80);
    if arrives { packet.arriving_by("eth0".parse().unwrap()) } else { packet }
}
