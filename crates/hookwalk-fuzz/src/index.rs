//! Rulesets and packets made of bytes: what the index answers is what the reference answers.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk::types::Protocol;
use hookwalk::{
    AddressSet, CompactOutcome, Engine, Host, InterfaceName, Limits, NextHop, Outcome, Packet, PacketState,
    Route, SetEntry, parse,
};

/// Takes choices out of bytes; those behind the end are 0.
struct Choices<'b> {
    bytes: &'b [u8],
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn below(&mut self, count: u8) -> u8 {
        self.byte() % count.max(1)
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let at = usize::from(self.byte()) % texts.len().max(1);
        texts.get(at).copied().unwrap_or_default()
    }
}

/// Conditions that an index groups rules by, most often; then all else.
fn condition(choices: &mut Choices<'_>, v6: bool) -> String {
    let not = if choices.below(8) == 0 { "! " } else { "" };
    let number = choices.below(4);
    let net = |choices: &mut Choices<'_>| match (v6, choices.below(5)) {
        (false, 0) => format!("10.0.{number}.0/24"),
        (false, 1) => "10.0.0.0/8".to_owned(),
        (false, 2) => format!("10.0.0.{number}/255.0.0.255"),
        (false, _) => format!("10.0.0.{number}/32"),
        (true, 0) => format!("fd00:{number}::/32"),
        (true, 1) => "fd00::/8".to_owned(),
        (true, 2) => format!("fd00::{number}/ffff::ffff"),
        (true, _) => format!("fd00::{number}/128"),
    };
    match choices.below(64) {
        0..=11 => format!(" {not}-d {}", net(choices)),
        12..=17 => format!(" {not}-s {}", net(choices)),
        18..=29 => {
            let protocol = choices.of(&["tcp", "udp"]);
            format!(" -d {} -p {protocol} -m {protocol} {not}--dport 8{number}", net(choices))
        }
        30..=33 => format!(" -p tcp -m tcp {not}--dport 8{number}"),
        34 | 35 => format!(" -p udp -m udp {not}--sport 8{number}:9{number}"),
        36..=39 => format!(" {not}-i {}", choices.of(&["eth0", "eth+", "cali1", "+"])),
        40..=43 => format!(" {not}-o {}", choices.of(&["eth0", "eth+", "cali1"])),
        44..=47 => format!(" -m mark {not}--mark {number:#x}/{}", choices.of(&["0x3", "0xffffffff", "0x1"])),
        48..=50 => {
            let states = choices.of(&["NEW", "INVALID", "RELATED,ESTABLISHED", "DNAT"]);
            format!(" -m conntrack {not}--ctstate {states}")
        }
        51 => format!(" -m statistic --mode random {not}--probability 0.{number}5"),
        52 => " -m statistic --mode nth --every 2 --packet 0".to_owned(),
        53 => format!(" -m set {not}--match-set s{number} src"),
        54 => " -m recent --name r --rcheck".to_owned(),
        55 => " -m recent --name r --set".to_owned(),
        56 => " -m addrtype --dst-type LOCAL".to_owned(),
        57 | 58 => " -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN".to_owned(),
        59 => choices.of(&[" -m foo --bar", " -f", " -m length --length 40:80"]).to_owned(),
        _ => choices.of(&["", " -p tcp", " -m comment --comment x"]).to_owned(),
    }
}

/// Conditions on mark, protocol, interfaces and what connection tracking says.
const LITTLE: &[&str] = &[
    "",
    " -p tcp",
    " ! -p udp -m mark ! --mark 0x1/0x3",
    " -m mark --mark 0x2/0xffffffff",
    " -i eth+",
    " ! -o eth0",
    " -m conntrack --ctstate NEW,DNAT",
    " -m conntrack ! --ctstate RELATED,ESTABLISHED",
];

/// What is legal in nat PREROUTING, where every chain of a ruleset hangs.
fn target(choices: &mut Choices<'_>, chain: u8, chains: u8, v6: bool) -> String {
    let number = choices.below(3);
    match choices.below(8) {
        0..=2 if chain + 1 < chains => {
            format!(" -{} C{}", choices.of(&["j", "j", "g"]), chain + 1 + choices.below(chains - chain - 1))
        }
        3 if v6 => format!(" -j DNAT --to-destination [fd00::{number}]:80"),
        3 => format!(" -j DNAT --to-destination 10.0.0.{number}:80"),
        4 => format!(" -j MARK --set-xmark {number:#x}/0x3"),
        5 => choices.of(&[" -j RETURN", " -j ACCEPT", " -j REDIRECT --to-ports 81"]).to_owned(),
        6 => " -j LOG".to_owned(),
        _ => String::new(),
    }
}

/// A ruleset in which long chains repeat few addresses, ports, marks and interfaces.
fn ruleset(choices: &mut Choices<'_>, v6: bool) -> String {
    let chains = 1 + choices.below(4);
    let mut text = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n".to_owned();
    // Writing to a string cannot fail.
    for chain in 0..chains {
        let _ = writeln!(text, ":C{chain} - [0:0]");
    }
    text += "-A PREROUTING -j C0\n-A OUTPUT -j C0\n-A POSTROUTING -m mark --mark 0x1/0x1 -j MASQUERADE\n";
    for chain in 0..chains {
        for _ in 0..choices.below(60) {
            if choices.below(250) == 1 {
                text += "-A C0 is no rule --dport\n";
            }
            let mut conditions = condition(choices, v6);
            if choices.below(6) == 0 {
                conditions += " -m comment --comment second";
                conditions += &condition(choices, v6);
            }
            let target = target(choices, chain, chains, v6);
            let _ = writeln!(text, "-A C{chain}{conditions}{target}");
        }
    }
    text += "COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n";
    // Tables that look at little are taken by a way of their own.
    let looks_at_little = choices.below(2) == 1;
    for _ in 0..choices.below(30) {
        let condition = if looks_at_little { choices.of(LITTLE).to_owned() } else { condition(choices, v6) };
        let _ = writeln!(text, "-A FORWARD{condition}{}", choices.of(&[" -j ACCEPT", " -j DROP", ""]));
    }
    text + "COMMIT\n"
}

fn packet(choices: &mut Choices<'_>, v6: bool) -> Packet {
    let address = |number: u8| -> IpAddr {
        if v6 {
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into()
        } else {
            Ipv4Addr::new(10, 0, 0, number).into()
        }
    };
    let mut packet = Packet::new(address(choices.below(6)), address(choices.below(6)));
    packet.in_interface = InterfaceName::new(choices.of(&["eth0", "cali1", "lo", ""]).as_bytes());
    packet.protocol = if choices.below(3) == 0 { Protocol::UDP } else { Protocol::TCP };
    let port = |choice: u8| (choice != 0).then_some(79 + u16::from(choice));
    (packet.sport, packet.dport) = (port(choices.below(6)), port(choices.below(6)));
    packet.mark = choices.below(4).into();
    packet.fragment_offset = if choices.below(16) == 1 { 64 } else { 0 };
    let states =
        [PacketState::New, PacketState::New, PacketState::Reply, PacketState::Second, PacketState::Invalid];
    packet.state = states.get(usize::from(choices.below(5))).copied().unwrap_or_default();
    packet
}

/// Whether a compact outcome tells what the outcome in full does.
fn is_same(compact: CompactOutcome<'_>, told: &Outcome) -> bool {
    let mut rules: Vec<_> = compact.rules().filter_map(|rule| compact.name(rule)).collect();
    rules.reverse();
    Some(rules) == told.matched_rules
        && *compact.probability() == told.probability
        && (compact.verdict(), compact.decided_by()) == (told.verdict, told.decided_by.clone())
        && (compact.src(), compact.sport(), compact.dst(), compact.dport())
            == (told.src, told.sport, told.dst, told.dport)
        && (compact.mark(), compact.dnat(), compact.snat(), compact.masquerade())
            == (told.mark, told.dnat, told.snat, told.masquerade)
}

/// The index answers as the reference does, step for step, also past the limits.
///
/// Returns how many pairs of a ruleset and a packet were compared.
///
/// # Panics
/// Where the answers differ.
#[must_use]
pub fn check_index(bytes: &[u8]) -> usize {
    let mut choices = Choices { bytes };
    let v6 = choices.below(4) == 1;
    let known = choices.byte();
    let text = ruleset(&mut choices, v6);
    let mut host = Host::default();
    if known & 3 != 0 {
        host = host.with_node_address("10.0.0.1".parse().expect("an address"));
        host = host.with_node_address("fd00::1".parse().expect("an address"));
    }
    if known & 0x18 != 0 {
        for set in ["s0", "s1", "s2"] {
            let entry = SetEntry::new("10.0.0.2".parse().expect("an address"), 32);
            host = host.with_set(set.into(), entry.into_iter().collect::<AddressSet>());
        }
    }
    if known & 0x60 != 0 {
        let hop = NextHop { via: None, interface: InterfaceName::new(b"eth0") };
        let all = ["0.0.0.0", "::"].map(|all| Route::new(all.parse().expect("an address"), 0, hop));
        host = host.with_routes(all.into_iter().flatten().collect());
    }
    // Small ones, since most rulesets of chance ask and draw without end.
    let limits = if known & 4 == 0 { Limits::new(96, 2_000) } else { Limits::new(24, 150) };
    let engine = || Engine::new(vec![parse(text.clone())], host.clone()).with_limits(limits);
    let (indexed, reference) = (engine(), engine().without_index());
    let mut walker = indexed.walker();
    let mut pairs = 0;
    loop {
        let packet = packet(&mut choices, v6);
        let walk = reference.walk(&packet).expect("one family");
        // The walker keeps its memory from packet to packet, which must not show.
        let compact = walker.walk(&packet).expect("one family");
        assert_eq!(compact.to_walk(), walk, "{packet:?}\n{text}");
        let certain = !walk.truncated && walk.cases.len() == 1;
        if let Some(outcomes) = compact.certain() {
            assert!(certain);
            let told = walk.cases.first().into_iter().flat_map(|case| &case.outcomes);
            assert!(outcomes.zip(told).all(|(compact, told)| is_same(compact, told)), "{packet:?}\n{text}");
        }
        pairs += 1;
        if choices.bytes.is_empty() {
            return pairs;
        }
    }
}
