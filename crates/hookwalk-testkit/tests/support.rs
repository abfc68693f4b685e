//! The support table of `docs/support.md`, written from the code's own tables so that it cannot drift.
//! `HOOKWALK_WRITE=1` writes it; else it is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hookwalk_engine::{MATCH_SUPPORT, Support, TARGET_SUPPORT, Tier};
use hookwalk_parser::extensions::{Match, Target};
use hookwalk_testkit::ruleset::{MATCHES, TARGETS};

/// Whether random rulesets are made with it, so that both walk and Linux answer.
fn compared(kinds: &[bool]) -> &'static str {
    match (kinds.contains(&false), kinds.contains(&true)) {
        (true, false) => "yes",
        (true, true) => "yes; what stays unknown: both answers allowed",
        (false, true) => "yes, both answers allowed",
        (false, false) => "no",
    }
}

fn table(title: &str, flag: &str, all: &[Support], kinds: &BTreeMap<&str, Vec<bool>>) -> String {
    let mut text = format!(
        "## {title}\n\n| `{flag}` | tier | decided by | stays unknown | compared |\n|---|---|---|---|---|\n"
    );
    for Support { name, tier, by, open } in all {
        let tier = match tier {
            Tier::Packet => 1,
            Tier::Context => 2,
            Tier::Open => 3,
        };
        let kinds = kinds.get(name).map_or(&[] as &[bool], Vec::as_slice);
        // A comparison fails where one of these is left open, and where one of the others has no reason.
        assert!(
            kinds.iter().all(|exotic| !exotic) || !open.is_empty(),
            "{name} can stay unknown for no reason"
        );
        assert!(kinds.iter().all(|exotic| *exotic) || tier < 3, "{name} is decided, and said not to be");
        let _ = writeln!(text, "| `{name}` | {tier} | {by} | {open} | {} |", compared(kinds));
    }
    text
}

#[test]
fn the_support_table_is_what_the_code_says() {
    let (mut matches, mut targets) = (BTreeMap::new(), BTreeMap::new());
    for kind in MATCHES {
        matches.entry(kind.ext).or_insert_with(Vec::new).push(kind.is_exotic());
    }
    for kind in TARGETS.iter().filter(|kind| !kind.ext.is_empty()) {
        targets.entry(kind.ext).or_insert_with(Vec::new).push(kind.is_exotic());
    }
    let known = |all: &[&str], used: &BTreeMap<&str, Vec<bool>>| {
        let strangers: Vec<_> = used.keys().filter(|name| !all.contains(name)).copied().collect();
        assert!(strangers.is_empty(), "not typed: {strangers:?}");
    };
    known(Match::NAMES, &matches);
    known(Target::NAMES, &targets);
    let mut text = "# What is supported\n\n\
        Written by `cargo test -p hookwalk-testkit --test support` (with `HOOKWALK_WRITE=1`) from the engine's table of \
        what decides each extension (`hookwalk_engine::MATCH_SUPPORT`, `TARGET_SUPPORT`), the parser's names and the \
        tables that random rulesets are made with. Each option of each of them is read into a field of its own.\n\n\
        - **tier**: 1, the packet decides it; 2, context does, and without it the walk asks; 3, nothing that can be told \
        does, and the walk is in cases or ends unknown.\n\
        - **decided by**: fields of the packet (`uid`), context of the command (`--ipset`), or what stands there.\n\
        - **stays unknown**: what is open also where packet and context are told, with the reason. The comparison with \
        the kernel counts what is unknown and fails where it is nothing of this column.\n\
        - **compared**: it occurs in the random rulesets that both walk and Linux answer.\n\n\
        Addresses, interfaces, protocols, `-f`, ACCEPT, DROP, RETURN, jumps, gotos and policies are of tier 1 and compared.\n\n"
        .to_owned();
    text.push_str(&table("Matches", "-m", MATCH_SUPPORT, &matches));
    text.push('\n');
    text.push_str(&table("Targets", "-j", TARGET_SUPPORT, &targets));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/support.md");
    if std::env::var("HOOKWALK_WRITE").is_ok() {
        std::fs::write(path, &text).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == text,
        "docs/support.md is not what the code says: run this test with HOOKWALK_WRITE=1"
    );
}
