//! Single facts about the kernel, each a small dump and packet: found by asking it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

use hookwalk_engine::{Engine, Host, Outcome, Packet, Verdict, Walk};
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
