//! Loads rules into the kernel of this machine and reads what iptables-save prints of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use hookwalk_parser::types::Family;

use crate::grammar::{Dice, templates};

const TABLES: [&str; 4] = ["filter", "nat", "mangle", "raw"];
const BACKENDS: [&str; 2] = ["legacy", "nft"];

/// What this machine lacks to load rules.
pub(crate) fn lacks() -> Option<String> {
    let version = Command::new("iptables").arg("--version").output();
    let version = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let is_root = Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| status.success());
    let has_sets = Command::new("ipset").arg("version").output().is_ok();
    match (version.contains("v1.8.9"), is_root, has_sets) {
        (true, true, true) => None,
        (false, ..) => Some(format!("needs iptables 1.8.9, found {:?}", version.trim())),
        (_, false, _) => Some("needs root".into()),
        (.., false) => Some("needs ipset".into()),
    }
}

/// A rule for a chain of its own.
pub(crate) struct Drawn {
    family: Family,
    table: String,
    chain: String,
    rule: String,
}

/// Rules of every template, some of each in either family.
pub(crate) fn draw(seed: u64, of_each: usize) -> Vec<Drawn> {
    let list = std::fs::read_to_string(crate::folder().join("grammar.txt")).unwrap();
    let mut dice = Dice::new(seed);
    let mut all: Vec<Drawn> = Vec::new();
    for template in templates(&list) {
        for family in [Family::V4, Family::V6] {
            let mut rules: Vec<String> = Vec::new();
            for _ in 0..of_each {
                rules.extend(template.draw(family, &mut dice).filter(|rule| !rules.contains(rule)));
            }
            for rule in rules {
                let chain = format!("R{:05}", all.len());
                all.push(Drawn { family, table: template.table.clone(), chain, rule });
            }
        }
    }
    all
}

/// What each backend saved of the rules, by chain; rules that it refuses are not there.
pub(crate) fn save(drawn: &[Drawn]) -> [BTreeMap<String, String>; 2] {
    BACKENDS.map(|backend| {
        let mut saved = BTreeMap::new();
        for (family, digit) in [(Family::V4, "4"), (Family::V6, "6")] {
            let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{backend}-{digit}"));
            std::fs::create_dir_all(&work).unwrap();
            for table in TABLES {
                let mut text = String::new();
                for rule in drawn.iter().filter(|rule| rule.family == family && rule.table == table) {
                    writeln!(text, "{} {}", rule.chain, rule.rule).unwrap();
                }
                std::fs::write(work.join(table), text).unwrap();
            }
            let loaded = Command::new(crate::folder().join("load.sh"))
                .args([digit, backend])
                .arg(&work)
                .stderr(Stdio::null())
                .output()
                .unwrap();
            assert!(loaded.status.success(), "load.sh {digit} {backend}: {}", loaded.status);
            for line in String::from_utf8(loaded.stdout).unwrap().lines() {
                let rule = line.split_once(" -A ").unwrap().1;
                let chain = rule.split(' ').next().unwrap();
                let rule = rule.replacen(chain, "X", 1);
                saved
                    .entry(chain.to_owned())
                    .and_modify(|all: &mut String| all.extend([" ;; -A ", &rule]))
                    .or_insert(format!("-A {rule}"));
            }
        }
        saved
    })
}

/// The lines of `generated.tsv`; what both backends save alike stands once.
pub(crate) fn lines(drawn: &[Drawn], saved: &[BTreeMap<String, String>; 2]) -> String {
    let mut out = String::new();
    for Drawn { family, table, chain, rule } in drawn {
        let family = if *family == Family::V4 { "4" } else { "6" };
        let mut line = |backend: &str, saved: Option<&String>| {
            if let Some(saved) = saved {
                writeln!(out, "{family}\t{backend}\t{table}\tX\t{rule}\t{saved}").unwrap();
            }
        };
        match (saved[0].get(chain), saved[1].get(chain)) {
            (Some(legacy), Some(nft)) if legacy == nft => line("both", Some(legacy)),
            (legacy, nft) => {
                line(BACKENDS[0], legacy);
                line(BACKENDS[1], nft);
            }
        }
    }
    out
}
