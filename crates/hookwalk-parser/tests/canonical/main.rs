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

use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Code, Diagnostic, Dump, Reader, Rule};
use proptest::prelude::*;

mod grammar;
mod kernel;
mod values;

/// One line of `saved.tsv` or `generated.tsv`.
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

/// The rules chosen by hand and those drawn from the templates.
fn saved() -> Vec<Case> {
    let read = |file| cases(&std::fs::read_to_string(folder().join(file)).unwrap_or_default());
    let mut all = read("saved.tsv");
    all.extend(read("generated.tsv"));
    all
}

fn cases(text: &str) -> Vec<Case> {
    let case = |line: &str| {
        let [family, backend, table, chain, rule, saved] =
            line.split('\t').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        let family = if family == "4" { Family::V4 } else { Family::V6 };
        let backends: &[Backend] = match &*backend {
            "nft" => &[Backend::Nft],
            "legacy" => &[Backend::Legacy],
            _ => &[Backend::Legacy, Backend::Nft],
        };
        let case = |&backend| {
            let (table, chain, rule, saved) = (table.clone(), chain.clone(), rule.clone(), saved.clone());
            Case { family, backend, table, chain, rule, saved }
        };
        backends.iter().map(case).collect::<Vec<_>>()
    };
    text.lines().flat_map(case).collect()
}

impl Case {
    fn dump(&self, rules: &str) -> Dump {
        let text = format!("*{}\n:X - [0:0]\n:Y - [0:0]\n{rules}\nCOMMIT\n", self.table);
        Reader::new().family(self.family).backend(self.backend).parse(text)
    }

    /// Where the real tool loses meaning and the canonical printer keeps it.
    fn loses_meaning(&self) -> bool {
        const LOST: [&str; 7] = [
            "! -i +",
            "! --tcp-flags NONE NONE",
            "--zone-orig 5 --zone-reply 6",
            "NETMAP --to 10.0.0.0/255.0.255.0",
            "--nflog-range",
            "--led-",
            "--ipcompspi 0:",
        ];
        // Masks with holes in them, of matches that print the length of a prefix.
        let holes = ["/255.0.255.0", "/ffff:0:ffff::"].iter().any(|mask| self.rule.contains(mask));
        let words: Vec<&str> = self.rule.split(' ').collect();
        // `! --dport 0:65535`
        let nothing = words
            .windows(3)
            .any(|words| words[0] == "!" && (matches!(words[2], "0:65535" | "0:4294967295" | ":" | "0:")));
        let rate = self.rule.contains("--rateest-bps")
            && ["Mbit", "Kbit"].iter().any(|unit| self.saved.contains(unit));
        let addresses = ["conntrack", "policy", "srh"].iter().any(|name| words.contains(name));
        let no_flags = self.backend == Backend::Nft && self.rule.contains("--tcp-flags NONE ");
        LOST.iter().any(|lost| self.rule.contains(lost))
            || no_flags
            || (holes && addresses)
            || nothing
            || rate
    }

    /// How canonical output differs from what the tool saved; none when it does not.
    fn differs(&self) -> Option<String> {
        let mut wrong = Vec::new();
        let given = self.dump(&format!("-A {} {}", self.chain, self.rule));
        wrong.extend(problems(&given).map(ToString::to_string));
        let canonical = canonical_rules(&given);
        if canonical != self.saved && self.loses_meaning() {
            return None;
        }
        if canonical != self.saved {
            wrong.push(format!("saved     {}\n  canonical {canonical}", self.saved));
        }
        // What is saved has its defaults written out: there nothing typed may change.
        let saved = self.dump(&self.saved.replace(" ;; ", "\n"));
        let again = canonical_rules(&saved);
        if again != self.saved {
            wrong.push(format!("saved     {}\n  and again {again}", self.saved));
        }
        let read_again = self.dump(&again.replace(" ;; ", "\n"));
        if typed(&read_again) != typed(&saved) {
            wrong.push(format!("{:?}\n  {:?}", typed(&read_again), typed(&saved)));
        }
        let place = format!("{} {:?} {:?} {}", self.rule, self.family, self.backend, self.table);
        (!wrong.is_empty()).then(|| format!("{place}\n  {}", wrong.join("\n  ")))
    }
}

fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI runs every test, and this one {why}");
    eprintln!("skipped: {why}");
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
    let all = saved();
    assert!(all.len() > 4_000, "{}", all.len());
    let wrong: Vec<_> = all.iter().filter_map(Case::differs).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// Rules drawn from the templates, through the kernel of this machine: root and iptables 1.8.9 are needed.
///
/// `HOOKWALK_SEED` draws others; `WRITE_SAVED=1` writes `generated.tsv` from the seed that it always has.
#[test]
fn canonical_is_what_this_kernel_saves() {
    if let Some(why) = kernel::lacks() {
        return skip(&why);
    }
    let writes = std::env::var_os("WRITE_SAVED").is_some();
    let seed = std::env::var("HOOKWALK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = if writes { 1 } else { seed.unwrap_or(2) };
    eprintln!("HOOKWALK_SEED={seed}");
    let drawn = kernel::draw(seed, if writes { 16 } else { 6 });
    let saved = kernel::save(&drawn);
    if writes {
        std::fs::write(folder().join("generated.tsv"), kernel::lines(&drawn, &saved)).unwrap();
    }
    let all = cases(&kernel::lines(&drawn, &saved));
    assert!(all.len() > 1_500, "the kernel took only {} rules", all.len());
    let wrong: Vec<_> = all.iter().filter_map(Case::differs).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
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
understood stands as it was read; where that text would be read otherwise (a row of a listing, a list of
addresses, the name of a target that a later line makes a chain's) its unknown parts stand in quotes, which
are never options. The reader itself is asked which it is: each such line is read once more in the table as
it is written. Canonical of canonical is itself.

Three tests of `crates/hookwalk-parser/tests/` hold it to that:

- `testdata/parse/saved/` has rules and what the real tool saved of them: those of `rules-v4.txt` and
  `rules-v6.txt`, chosen by hand (`save-rules.sh` makes `saved.tsv`), and those drawn from the templates of
  `grammar.txt`, which has every extension (`generated.tsv`). `canonical` compares them without root.
- With root and iptables 1.8.9 `canonical` draws fresh rules from the templates, loads them into the kernel
  of the machine with both backends for both families, and compares what is saved. `HOOKWALK_SEED` repeats a
  run, `WRITE_SAVED=1` writes `generated.tsv` from its own seed.
- `restore` does so with whole dumps: policies, counters, chains and their order, every rule. Tables are
  compared by name, since the kernel lists them in no order that a dump could tell.
  It also changes a word or a letter in rules of dumps and of `saved/` and loads what comes of it: what the
  tool takes is printed as the tool saves it (`HOOKWALK_SEED` and `HOOKWALK_MUTATED` draw others, and more).

This page is written by `canonical` (`WRITE_DOCS=1`), which fails when it is not what the comparison gives.

## Results

How many rules come out byte for byte as the tool saved them; \u{2013} where it has no such extension, or the
kernel of the machine does not: `nfacct`, `ipvs`, `CLUSTERIP`, `LED`, `SECMARK` and `ULOG` are read and
printed, and could not be loaded. Each rule counts for each of its extensions.

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
