//! Rules that nobody writes by accident: `find` and `lint` end, and soon.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hookwalk_engine::Host;
use hookwalk_kube::{find, lint};
use hookwalk_parser::parse;

fn nat(chains: &str, rules: &str) -> String {
    format!(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
         :POSTROUTING ACCEPT [0:0]\n{chains}{rules}COMMIT\n"
    )
}

/// What is found of an address; the time it takes is bounded.
fn check(text: String) -> find::Found {
    let start = Instant::now();
    let dumps = [parse(text)];
    let found = find::find(&dumps, &Host::default(), &"10.96.0.10".parse().unwrap()).unwrap();
    lint::lint(&dumps);
    assert!(start.elapsed() < Duration::from_secs(30), "it took {:?}", start.elapsed());
    found
}

#[test]
fn jumps_that_multiply_are_walked_once() {
    let (mut chains, mut rules) = (String::new(), "-A PREROUTING -j C0\n".to_owned());
    for chain in 0..40 {
        writeln!(chains, ":C{chain} - [0:0]").unwrap();
        for _ in 0..40 {
            writeln!(rules, "-A C{chain} -j C{}", chain + 1).unwrap();
        }
    }
    writeln!(chains, ":C40 - [0:0]").unwrap();
    rules.push_str("-A C40 -p udp -j RETURN\n");
    let found = check(nat(&chains, &rules));
    let told = found.ways[0].stages[0].rules.len();
    assert_eq!((told, found.ways[0].truncated), (1 + 40 * 40 + 1, false));
}

#[test]
fn chains_deeper_than_any_kernel_walks_are_cut() {
    let (mut chains, mut rules) = (String::new(), "-A PREROUTING -j C0\n".to_owned());
    for chain in 0..20_000 {
        writeln!(chains, ":C{chain} - [0:0]").unwrap();
        writeln!(rules, "-A C{chain} -j C{}", chain + 1).unwrap();
    }
    writeln!(chains, ":C20000 - [0:0]").unwrap();
    assert!(check(nat(&chains, &rules)).ways[0].truncated);
}

#[test]
fn loops_end() {
    let found =
        check(nat(":A - [0:0]\n:B - [0:0]\n", "-A PREROUTING -j A\n-A A -j B\n-A B -j A\n-A B -g B\n"));
    assert!(found.ways[0].truncated);
}

#[test]
fn conditions_that_multiply_lose_precision_and_no_rule() {
    let (mut rules, mut behind) = (String::new(), String::new());
    for number in 0..200_u32 {
        let (a, b) = (number / 16, number % 16);
        writeln!(
            rules,
            "-A PREROUTING -s 10.{a}.{b}.0/24 -i eth{number} -p tcp -m tcp --sport {number} -j MARK --set-xmark {:#x}/{:#x}",
            1_u32 << (number % 32),
            1_u32 << (number % 32)
        )
        .unwrap();
        writeln!(behind, "-A PREROUTING -m mark --mark {number:#x}/{number:#x} -j LOG").unwrap();
    }
    let found = check(nat("", &(rules + &behind)));
    // Each of the first rules can be met, whatever the others did.
    let stage = &found.ways[0].stages[0];
    assert!(stage.rules.len() >= 200, "{}", stage.rules.len());
}

#[test]
fn one_rule_many_times_takes_no_square() {
    let line = "-A PREROUTING -s 192.0.2.0/24 -p tcp -m tcp --dport 80 -j ACCEPT\n";
    check(nat("", &line.repeat(50_000)));
}
