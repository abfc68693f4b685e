//! Single facts about the kernel, each a small dump and packet: found by asking it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

use hookwalk_engine::{
    Case, Engine, Host, InterfaceAddress, NextHop, Outcome, Packet, PacketState, Route, Verdict, Walk,
};
use hookwalk_parser::types::Protocol;

fn walk(text: &str, packet: &Packet) -> Walk {
    let host = Host::default().with_node_address("9.9.9.9".parse().unwrap());
    Engine::new(vec![hookwalk_parser::parse(text)], host).walk(packet).unwrap()
}

fn packet() -> Packet {
    Packet::new("1.1.1.1".parse().unwrap(), "2.2.2.2".parse().unwrap())
        .arriving_by("eth0".parse().unwrap())
        .source_port(40000)
        .destination_port(80)
}

fn only(text: &str, packet: &Packet) -> Outcome {
    let walk = walk(text, packet);
    let [case] = walk.cases.as_slice() else { panic!("{:#?}", walk.cases) };
    let [outcome] = case.outcomes.as_slice() else { panic!("{:#?}", case.outcomes) };
    outcome.clone()
}

fn filter(rules: &str) -> String {
    format!(
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:X - [0:0]\n{rules}COMMIT\n"
    )
}

#[test]
fn in_raw_a_packet_is_not_tracked_yet() {
    let raw = |rule: &str| {
        format!(
            "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING {rule} -j DROP\nCOMMIT\n{}",
            filter("")
        )
    };
    for (rule, dropped) in [
        ("-m conntrack --ctstate INVALID", true),
        ("-m state --state INVALID", true),
        ("-m conntrack --ctstate NEW", false),
        ("-m conntrack ! --ctstate INVALID", false),
        ("-m connmark --mark 0x0", false),
        ("-m connmark ! --mark 0x1", false),
        ("-m conntrack --ctorigdst 2.2.2.2", false),
    ] {
        let verdict = if dropped { Verdict::Dropped } else { Verdict::Forwarded };
        assert_eq!(only(&raw(rule), &packet()).verdict, verdict, "{rule}");
    }
}

#[test]
fn ctstatus_none_holds_never() {
    let rule = |rule: &str| filter(&format!("-A FORWARD -m conntrack {rule} -j DROP\n"));
    assert_eq!(only(&rule("--ctstatus NONE"), &packet()).verdict, Verdict::Forwarded);
    assert_eq!(only(&rule("! --ctstatus NONE"), &packet()).verdict, Verdict::Dropped);
}

#[test]
fn nth_counts_within_one_walk() {
    let text = filter(
        "-A FORWARD -j X\n-A FORWARD -j X\n-A X -m statistic --mode nth --every 2 --packet 1 -j DROP\n",
    );
    let outcome = only(&text, &packet());
    assert_eq!(outcome.verdict, Verdict::Dropped);
    assert_eq!(outcome.matched_rules.unwrap().len(), 3);
}

#[test]
fn recent_remembers_within_one_walk() {
    let text = filter(
        "-A FORWARD -m recent --set --name x\n\
         -A FORWARD -m recent --rcheck --seconds 10 --name x -p tcp -j REJECT --reject-with tcp-reset\n",
    );
    assert_eq!(only(&text, &packet()).verdict, Verdict::Rejected);
    let other_list = text.replace("--rcheck --seconds 10 --name x", "--rcheck --seconds 10 --name y");
    assert_eq!(only(&other_list, &packet()).verdict, Verdict::Forwarded);
}

#[test]
fn a_rewrite_to_the_same_destination_is_none() {
    let text = format!(
        "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -j DNAT --to-destination 2.2.2.2:53\nCOMMIT\n{}",
        filter("-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n-A FORWARD -j DROP\n")
    );
    let mut query = packet().protocol(Protocol::UDP).destination_port(53);
    assert_eq!(only(&text, &query).verdict, Verdict::Dropped);
    query.dport = Some(54);
    assert_eq!(only(&text, &query).verdict, Verdict::Forwarded);
    query.dport = None;
    let split = walk(&text, &query);
    let verdicts: Vec<Verdict> =
        split.cases.iter().flat_map(|case| &case.outcomes).map(|o| o.verdict).collect();
    assert_eq!(verdicts, [Verdict::Dropped, Verdict::Forwarded]);
}

#[test]
fn many_marks_by_chance_stay_bounded() {
    let rule = |n: u32| {
        let bit = 1_u32 << n;
        format!(
            "-A FORWARD -m statistic --mode random --probability 0.{} -j MARK --set-xmark {bit:#x}/{bit:#x}\n",
            n + 1
        )
    };
    let rules: Vec<String> = (0..30).map(rule).collect();
    let text = format!("*mangle\n:FORWARD ACCEPT [0:0]\n{}COMMIT\n", rules.concat());
    let walk = walk(&text, &packet());
    assert!(walk.truncated);
    let outcomes: usize = walk.cases.iter().map(|case| case.outcomes.len()).sum();
    assert!(outcomes <= 8192, "{outcomes}");
    assert!(!walk.cases.iter().all(|case| case.unexplored.is_zero()));
}

#[test]
fn a_dump_cut_at_its_head_is_not_whole() {
    let outcome = only(&format!("COMMIT\n{}", filter("")), &packet());
    assert_eq!(outcome.verdict, Verdict::Unknown);
    assert!(outcome.not_in_dump.contains(&"table nat".to_owned()), "{:?}", outcome.not_in_dump);
}

#[test]
fn restore_input_without_built_in_chains_does_not_tell_what_they_hold() {
    let outcome = only("*filter\n:KUBE-FORWARD - [0:0]\n-A KUBE-FORWARD -j DROP\nCOMMIT\n", &packet());
    assert_eq!(outcome.verdict, Verdict::Unknown);
    assert_eq!(outcome.not_in_dump, ["chain filter/FORWARD"]);
}

#[test]
fn connmark_shifts_what_it_copies() {
    let text = format!(
        "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n\
         -A PREROUTING -j MARK --set-xmark 0x1/0xffffffff\n\
         -A PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff --left-shift-mark 4\n\
         -A FORWARD -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff\nCOMMIT\n{}",
        filter("")
    );
    assert_eq!(only(&text, &packet()).mark, 0x10);
}

#[test]
fn what_another_packet_left_on_a_template_is_asked() {
    let raw = |rules: &str| {
        format!("*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j CT\n{rules}COMMIT\n{}", filter(""))
    };
    let tests = "-A PREROUTING -m connmark --mark 0x7 -j DROP\n";
    let marks = |mask: &str| format!("-A PREROUTING -j CONNMARK --set-xmark 0x7/{mask}\n");
    assert_eq!(only(&raw(tests), &packet()).verdict, Verdict::Forwarded);
    assert_eq!(walk(&raw(&format!("{tests}{}", marks("0xffffffff"))), &packet()).cases.len(), 2);
    // The mark is known as soon as this packet has set all of it.
    assert_eq!(only(&raw(&format!("{}{tests}", marks("0xffffffff"))), &packet()).verdict, Verdict::Dropped);
    assert_eq!(walk(&raw(&format!("{}{tests}", marks("0xff"))), &packet()).cases.len(), 2);
    let restores = "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff\n";
    let outcome = only(&raw(&format!("{}{restores}", marks("0xff"))), &packet());
    assert_eq!((outcome.verdict, outcome.mark), (Verdict::Forwarded, 0x7));
    assert_eq!(only(&raw(&format!("{restores}{}", marks("0xff"))), &packet()).verdict, Verdict::Unknown);
}

#[test]
fn a_source_taken_for_another_hosts_stays_so() {
    let text = "*mangle\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n\
                BEFORE-A POSTROUTING -m addrtype --src-type LOCAL -j DROP\nCOMMIT\n*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n";
    // Nothing tells the node's addresses, only a route.
    let next_hop = NextHop { via: None, interface: Some("eth1".parse().unwrap()) };
    let route = Route::new("0.0.0.0".parse().unwrap(), 0, next_hop).unwrap();
    let walk = |text: String| {
        let host = Host::default().with_routes(vec![route.clone()]);
        Engine::new(vec![hookwalk_parser::parse(text)], host).walk(&packet()).unwrap()
    };
    let told =
        |walk: &Walk| walk.defaults.iter().any(|default| default == "source 1.1.1.1 is another host's");
    let is_asked = |walk: &Walk, times: usize| {
        let of_source =
            |case: &Case| case.assume.iter().filter(|known| known.what.contains("1.1.1.1")).count();
        walk.cases.iter().all(|case| of_source(case) == times)
    };
    let taken = walk(text.replace("BEFORE", ""));
    assert!(told(&taken) && is_asked(&taken, 0), "{taken:#?}");
    // What a rule has asked before is not taken for granted, and asked only there.
    let earlier = "-A PREROUTING -m addrtype --src-type LOCAL -j MARK --set-xmark 0x1/0x1\n";
    let settled = walk(text.replace("BEFORE", earlier));
    assert!(!told(&settled) && is_asked(&settled, 1), "{settled:#?}");
}

#[test]
fn a_connection_is_assured_behind_its_first_answer() {
    let text = |wanted: &str| {
        filter(&format!("-A FORWARD -m conntrack --ctstatus {wanted} -j DROP\n"))
            + "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n"
    };
    let cases = |protocol: Protocol, state: PacketState, wanted: &str| {
        let mut packet = packet();
        (packet.protocol, packet.state) = (protocol, state);
        let verdicts = walk(&text(wanted), &packet).cases.into_iter().flat_map(|case| case.outcomes);
        verdicts.map(|outcome| outcome.verdict).collect::<Vec<_>>()
    };
    let (dropped, forwarded) = (vec![Verdict::Dropped], vec![Verdict::Forwarded]);
    for (protocol, assured) in
        [(Protocol::TCP, &dropped), (Protocol(47), &dropped), (Protocol(50), &forwarded)]
    {
        assert_eq!(cases(protocol, PacketState::Established, "ASSURED"), *assured, "{protocol}");
        assert_eq!(cases(protocol, PacketState::Established, "EXPECTED"), forwarded, "{protocol}");
        for state in [PacketState::Second, PacketState::Reply] {
            assert_eq!(cases(protocol, state, "ASSURED"), forwarded, "{protocol} {state:?}");
        }
    }
    // Of UDP two seconds have to be over since its first packet.
    assert_eq!(cases(Protocol::UDP, PacketState::Established, "ASSURED").len(), 2);
    assert_eq!(cases(Protocol::UDP, PacketState::Reply, "ASSURED"), forwarded);
}

#[test]
fn a_group_is_sent_to_by_the_interface_of_the_source() {
    let own = |name: &str, address: &str| {
        InterfaceAddress::new(name.parse().unwrap(), address.parse().unwrap(), 24).unwrap()
    };
    let next_hop = NextHop { via: None, interface: Some("eth0".parse().unwrap()) };
    let route = Route::new("0.0.0.0".parse().unwrap(), 0, next_hop).unwrap();
    let host = Host::default()
        .with_interface_addresses(vec![own("eth0", "10.0.0.1"), own("eth1", "10.1.0.1")])
        .with_routes(vec![route]);
    let engine = Engine::new(vec![hookwalk_parser::parse(filter(""))], host);
    for (src, dst, out) in [
        ("10.1.0.1", "239.1.1.1", "eth1"),
        ("10.1.0.1", "255.255.255.255", "eth1"),
        ("10.0.0.1", "224.0.0.5", "eth0"),
        ("10.1.0.1", "2.2.2.2", "eth0"),
    ] {
        let walk = engine.walk(&Packet::new(src.parse().unwrap(), dst.parse().unwrap())).unwrap();
        let outcomes: Vec<_> = walk.cases.iter().flat_map(|case| &case.outcomes).collect();
        assert!(outcomes.iter().all(|outcome| outcome.out_interface == Some(out.parse().unwrap())), "{dst}");
    }
}

#[test]
fn each_way_in_which_questions_behind_draws_turn_out_is_in_some_case() {
    let text = "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n\
         -A PREROUTING -m statistic --mode random --probability 0.75 -j MARK --set-xmark 0x1/0x1\n\
         -A PREROUTING -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.1.0.2\n\
         -A PREROUTING -m foo --bar -j MARK --set-xmark 0x1/0x1\nCOMMIT\n\
         *filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n";
    let walk = Engine::new(vec![hookwalk_parser::parse(text)], Host::default()).walk(&packet()).unwrap();
    // Whether the destination is this node, and whether what is not understood holds.
    for (verdict, mark) in
        [(Verdict::Local, 0), (Verdict::Local, 1), (Verdict::Forwarded, 0), (Verdict::Forwarded, 1)]
    {
        let mut outcomes = walk.cases.iter().flat_map(|case| &case.outcomes);
        let of_unmarked = |outcome: &Outcome| outcome.assume.iter().any(|known| known.what.contains("foo"));
        let found = outcomes
            .any(|outcome| (outcome.verdict, outcome.mark) == (verdict, mark) && of_unmarked(outcome));
        assert!(found, "{verdict:?} with mark {mark} in {:#?}", walk.cases);
    }
}
