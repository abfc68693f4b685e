//! The canonical printer against what iptables-save 1.8.9 printed of the same rules
//! (`testdata/parse/saved/`, both backends, both families), and against itself.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says when it is skipped"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Code, Diagnostic, Dump, Reader, Rule};
use proptest::prelude::*;

/// One line of `saved.tsv`.
struct Case {
    family: Family,
    backend: Backend,
    table: String,
    chain: String,
    rule: String,
    saved: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parse/saved")
}

fn saved() -> Vec<Case> {
    cases(&std::fs::read_to_string(folder().join("saved.tsv")).unwrap())
}

fn cases(text: &str) -> Vec<Case> {
    let case = |line: &str| {
        let [family, backend, table, chain, rule, saved] =
            line.split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        let family = if family == "4" { Family::V4 } else { Family::V6 };
        let backend = if backend == "nft" { Backend::Nft } else { Backend::Legacy };
        Case { family, backend, table, chain, rule, saved }
    };
    text.lines().map(case).collect()
}

impl Case {
    fn dump(&self, rules: &str) -> Dump {
        let text = format!("*{}\n:X - [0:0]\n:Y - [0:0]\n{rules}\nCOMMIT\n", self.table);
        Reader::new().family(self.family).backend(self.backend).parse(text)
    }

    /// Where the real tool loses meaning and the canonical printer keeps it.
    fn loses_meaning(&self) -> bool {
        const LOST: [&str; 8] = [
            "! -i +",
            "! --tcp-flags NONE NONE",
            "! --dport 0:65535",
            "--ctreplsrc 1.2.3.4/255.0.255.0",
            "--zone-orig",
            "NETMAP --to 10.0.0.0/255.0.255.0",
            "--nflog-range",
            "--led-",
        ];
        LOST.iter().any(|lost| self.rule.contains(lost))
    }
}

/// The diagnostics, but for the warning that every dump of nft carries.
fn problems(dump: &Dump) -> impl Iterator<Item = &Diagnostic> {
    dump.diagnostics().iter().filter(|d| d.code != Code::NftMayOmit)
}

fn rules(dump: &Dump) -> Vec<&Rule> {
    dump.tables().iter().flat_map(|t| &t.chains).flat_map(|c| &c.rules).collect()
}

/// The rules without where they stood.
fn typed(dump: &Dump) -> Vec<String> {
    rules(dump)
        .into_iter()
        .map(|rule| format!("{:?} {:?} {:?} {:?}", rule.counters, rule.base, rule.matches, rule.target))
        .collect()
}

fn canonical_rules(dump: &Dump) -> String {
    let text = String::from_utf8(dump.canonical()).unwrap();
    let rules: Vec<_> = text.lines().filter(|line| line.starts_with("-A")).collect();
    rules.join(" ;; ")
}

#[test]
fn canonical_is_what_the_tool_saves() {
    let mut wrong = Vec::new();
    let all = saved();
    assert!(all.len() > 500);
    for case in &all {
        let given = case.dump(&format!("-A {} {}", case.chain, case.rule));
        let unknown: Vec<_> = problems(&given).map(ToString::to_string).collect();
        if !unknown.is_empty() {
            wrong.push(format!("{}\n  {}", case.rule, unknown.join("\n  ")));
            continue;
        }
        let canonical = canonical_rules(&given);
        if canonical != case.saved && !case.loses_meaning() {
            wrong.push(format!(
                "{} ({:?})\n  saved     {}\n  canonical {canonical}",
                case.rule, case.backend, case.saved
            ));
        }
        // What is saved has its defaults written out: there nothing typed may change.
        let saved = case.dump(&case.saved.replace(" ;; ", "\n"));
        let again = canonical_rules(&saved);
        if again != case.saved {
            wrong.push(format!("saved {}\n  canonical {again}", case.saved));
        }
        let read_again = case.dump(&again.replace(" ;; ", "\n"));
        if typed(&read_again) != typed(&saved) {
            wrong.push(format!("{}\n  {:?}\n  {:?}", case.saved, typed(&read_again), typed(&saved)));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// Rules with other numbers through the kernel of this machine: root and iptables 1.8.9 are needed.
#[test]
fn canonical_is_what_this_kernel_saves() {
    let version = Command::new("iptables").arg("--version").output();
    let version = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let is_root = Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| status.success());
    if !version.contains("v1.8.9") || !is_root {
        eprintln!("skipped: needs root and iptables 1.8.9, found {version:?}");
        return;
    }
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("saved");
    std::fs::create_dir_all(&work).unwrap();
    std::fs::copy(folder().join("save-rules.sh"), work.join("save-rules.sh")).unwrap();
    // A small generator of its own, so that the same rules come each time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(state >> 40).unwrap() % 70_000
    };
    for file in ["rules-v4.txt", "rules-v6.txt"] {
        let mut rules = String::new();
        for line in std::fs::read_to_string(folder().join(file)).unwrap().lines() {
            let (place, rule) = line.split_once('|').unwrap();
            let numbers: Vec<u32> = (0..12).map(|_| draw()).collect();
            writeln!(rules, "{place}|{}", with_numbers(rule, &numbers)).unwrap();
        }
        std::fs::write(work.join(file), rules).unwrap();
    }
    assert!(Command::new(work.join("save-rules.sh")).status().unwrap().success());
    let all = cases(&std::fs::read_to_string(work.join("saved.tsv")).unwrap());
    assert!(all.len() > 300, "the kernel took only {} rules", all.len());
    // Names out of the host's files, and addresses that keep bits outside their mask.
    let of_the_host = |case: &&Case| case.rule.contains("-group ") || case.rule.contains("--tunnel-");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in all.iter().filter(|case| !of_the_host(case) && !case.loses_meaning()) {
        let given = case.dump(&format!("-A {} {}", case.chain, case.rule));
        // The tool takes some values that mean nothing, such as day 172 of the week.
        if problems(&given).next().is_some() {
            continue;
        }
        compared += 1;
        let canonical = canonical_rules(&given);
        if canonical != case.saved {
            wrong.push(format!(
                "{} ({:?})\n  saved     {}\n  canonical {canonical}",
                case.rule, case.backend, case.saved
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    assert!(compared > 300, "only {compared} rules were compared");
}

/// `docs/canonical.md` holds the results of the comparison above; `WRITE_DOCS=1` writes it.
#[test]
fn the_page_of_results() {
    let kinds = [
        (Family::V4, Backend::Legacy),
        (Family::V4, Backend::Nft),
        (Family::V6, Backend::Legacy),
        (Family::V6, Backend::Nft),
    ];
    let mut results: BTreeMap<String, [(usize, usize); 4]> = BTreeMap::new();
    let mut lost: BTreeMap<(String, String), String> = BTreeMap::new();
    for case in saved() {
        let dump = case.dump(&format!("-A {} {}", case.chain, case.rule));
        let canonical = canonical_rules(&dump);
        let kind = kinds.iter().position(|kind| *kind == (case.family, case.backend)).unwrap();
        let words: Vec<&str> = case.saved.split(" ;; ").next().unwrap().split(' ').collect();
        let mut names: Vec<String> = words
            .windows(2)
            .filter(|pair| matches!(pair[0], "-m" | "-j" | "-g") && !matches!(pair[1], "X" | "Y"))
            .map(|pair| format!("`{} {}`", pair[0], pair[1]))
            .collect();
        if names.is_empty() {
            names.push("base options, jumps".to_owned());
        }
        names.sort();
        names.dedup();
        for name in names {
            let (equal, all) = &mut results.entry(name).or_default()[kind];
            *equal += usize::from(canonical == case.saved);
            *all += 1;
        }
        if canonical != case.saved {
            let backend = format!("{:?} {:?}", case.backend, case.family).to_lowercase();
            lost.entry((case.saved, canonical))
                .and_modify(|known| known.extend([", ", &backend]))
                .or_insert(backend);
        }
    }
    let mut page = String::from(PAGE);
    for (name, counts) in &results {
        let cells: Vec<_> = counts
            .iter()
            .map(|(equal, all)| if *all == 0 { "–".to_owned() } else { format!("{equal} of {all}") })
            .collect();
        writeln!(page, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    page += LOST;
    for ((saved, canonical), backends) in &lost {
        let cell = |rule: &str| format!("`{}`", rule.replace('|', "\\|"));
        writeln!(page, "| {backends} | {} | {} |", cell(saved), cell(canonical)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/canonical.md");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/canonical.md is not what the comparison gives: run this test with WRITE_DOCS=1"
    );
}

const PAGE: &str = "\
# Canonical output

`hookwalk fmt --canonical` prints a dump from its typed fields alone, as iptables-save 1.8.9 would print it
once it was restored, on the dump's own backend and for its own family. A rule with a part that was not
understood stands as it was read. Canonical of canonical is itself.

`testdata/parse/saved/save-rules.sh` loads a list of rules into a kernel, one by one, and keeps what the
real tool printed of each (`saved.tsv`). The tests compare without root, and with root and iptables 1.8.9
also with fresh numbers through the kernel of the machine. This page is written by
`crates/hookwalk-parser/tests/canonical.rs`, which fails when it is not what the comparison gives.

## Results

How many rules come out byte for byte as the tool saved them; \u{2013} where it has no such extension. A rule
counts for each of its extensions.

| extension | IPv4 legacy | IPv4 nft | IPv6 legacy | IPv6 nft |
|---|---|---|---|---|
";

const LOST: &str = "
## Where the real tool loses meaning

What these rules say is not what the tool saves of them: restoring its text makes other rules. The
canonical printer keeps the meaning instead.

| where | the tool saves | canonical |
|---|---|---|
";

/// A rule of the list with its numbers changed, or with pieces of two rules together.
fn varied_rule() -> impl Strategy<Value = (usize, usize, Vec<u32>)> {
    (0..saved().len(), 0..saved().len(), proptest::collection::vec(0..70_000_u32, 12))
}

/// Puts the numbers in the place of decimal digits, as far as they go.
fn with_numbers(text: &str, numbers: &[u32]) -> String {
    let mut numbers = numbers.iter();
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, behind) = from.split_at(end);
        out += before;
        match numbers.next() {
            // One number in three stays, so that addresses and masks often stay what they are.
            Some(number) if number % 3 != 0 => out += &(number >> (number % 17)).to_string(),
            _ => out += digits,
        }
        rest = behind;
    }
    out + rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn typed_rules_come_back((first, second, numbers) in varied_rule()) {
        let all = saved();
        let (first, second) = (&all[first], &all[second]);
        // The matches of one rule before the whole other one.
        let matches = second.rule.split(" -j ").next().unwrap_or_default();
        let matches = if second.family == first.family && matches.starts_with("-m") { matches } else { "" };
        let text = with_numbers(&format!("-A X {matches} {}", first.rule), &numbers);
        let dump = first.dump(&text);
        let canonical = dump.canonical();
        let again = Reader::new().family(first.family).backend(first.backend).parse(canonical.clone());
        let twice = again.canonical();
        prop_assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&canonical));
        if problems(&dump).next().is_none() {
            let codes: Vec<_> = problems(&again).map(ToString::to_string).collect();
            prop_assert_eq!(codes, Vec::<String>::new());
            prop_assert_eq!(rules(&again).len(), rules(&dump).len());
        }
        // Once the defaults are written out nothing typed changes any more.
        let third = Reader::new().family(first.family).backend(first.backend).parse(twice);
        prop_assert_eq!(typed(&third), typed(&again), "{}", text);
    }
}
