//! The support table of `docs/support.md`, written from the code's own tables so that it cannot drift.
//! `HOOKWALK_WRITE=1` writes it; else it is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hookwalk_parser::extensions::{Match, Target};
use hookwalk_testkit::ruleset::{MATCHES, TARGETS};

/// What the comparison with the kernel says of an extension.
fn compared(kinds: &[bool]) -> (&'static str, &'static str) {
    match (kinds.contains(&false), kinds.contains(&true)) {
        (true, false) => ("decided", "yes"),
        (true, true) => ("decided; some options in cases", "yes"),
        (false, true) => ("decided or in cases", "yes, both answers allowed"),
        (false, false) => ("see limits.md", "no"),
    }
}

fn table(title: &str, flag: &str, names: &[&str], kinds: &BTreeMap<&str, Vec<bool>>) -> String {
    let mut text = format!(
        "## {title}\n\n| `{flag}` | typed | the walk | compared with the kernel |\n|---|---|---|---|\n"
    );
    let mut names = names.to_vec();
    names.sort_unstable();
    for name in names {
        let (walk, kernel) = compared(kinds.get(name).map_or(&[], Vec::as_slice));
        let _ = writeln!(text, "| `{name}` | yes | {walk} | {kernel} |");
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
        Written by `cargo test -p hookwalk-testkit --test support` (with `HOOKWALK_WRITE=1`) from the parser's tables of \
        extensions and the tables of matches and targets that random rulesets are made with.\n\n\
        - **typed**: each option is read into a field of its own.\n\
        - **the walk**: `decided` means that with packet and context given nothing stays open: a comparison with the \
        kernel fails when it does. `in cases` means that a walk may split on it or end unknown, because packet and \
        context do not tell (payload, options, sockets, hash seeds). `see limits.md`: no comparison says anything.\n\
        - **compared with the kernel**: it occurs in the random rulesets that both walk and Linux answer.\n\n\
        Addresses, interfaces, protocols, `-f`, ACCEPT, DROP, RETURN, jumps, gotos and policies are decided and compared.\n\n"
        .to_owned();
    text.push_str(&table("Matches", "-m", Match::NAMES, &matches));
    text.push('\n');
    text.push_str(&table("Targets", "-j", Target::NAMES, &targets));
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
