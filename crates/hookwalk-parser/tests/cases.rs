//! Runs the cases of `testdata/parse/*.toml`: an input, and what reading it must give.
//!
//! A case names what it cares for and leaves out the rest; the diagnostics are always compared.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says when it is skipped"
)]

use std::path::Path;

use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::types::Family;
use hookwalk_parser::{Dump, Reader, Rule, Table};

#[test]
fn cases_as_data() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parse");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    let mut failures = Vec::new();
    let mut count = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: toml::Table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for case in file["case"].as_array().unwrap() {
            count += 1;
            let case = case.as_table().unwrap();
            if let Err(wrong) = run(case) {
                failures.push(format!("{}: {}\n{wrong}", path.display(), case["name"]));
            }
        }
    }
    assert!(count > 40, "only {count} cases were found");
    assert!(failures.is_empty(), "{} of {count} cases:\n\n{}", failures.len(), failures.join("\n\n"));
}

fn run(case: &toml::Table) -> Result<(), String> {
    const KNOWN: [&str; 11] = [
        "name",
        "input",
        "table",
        "family",
        "diagnostics",
        "says",
        "helps",
        "tables",
        "rules",
        "gaps",
        "whole",
    ];
    if let Some(key) = case.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("no such key: {key}"));
    }
    let mut reader = Reader::new();
    if let Some(table) = case.get("table") {
        reader = reader.table(table.as_str().unwrap());
    }
    if let Some(family) = case.get("family") {
        reader = reader.family(if family.as_integer() == Some(4) { Family::V4 } else { Family::V6 });
    }
    let input = case["input"].as_str().unwrap();
    let dump = reader.parse(input);
    let mut wrong = Vec::new();
    if dump.text() != input.as_bytes() {
        wrong.push("  the bytes did not come back".to_owned());
    }
    let none = toml::Value::Array(Vec::new());
    let found: Vec<_> =
        dump.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.column, d.code)).collect();
    compare("diagnostics", case.get("diagnostics").or(Some(&none)), &found, &mut wrong);
    let helps: Vec<_> = dump.diagnostics().iter().filter_map(|d| d.help.clone()).collect();
    compare("helps", case.get("helps"), &helps, &mut wrong);
    compare("tables", case.get("tables"), &dump.tables().iter().map(table).collect::<Vec<_>>(), &mut wrong);
    compare("rules", case.get("rules"), &rules(&dump), &mut wrong);
    compare("gaps", case.get("gaps"), &gaps(&dump), &mut wrong);
    if let Some(whole) = case.get("whole")
        && whole.as_bool() != Some(dump.is_whole())
    {
        wrong.push(format!("  whole: {}", dump.is_whole()));
    }
    for said in case.get("says").and_then(toml::Value::as_array).into_iter().flatten() {
        let said = said.as_str().unwrap();
        if !dump.diagnostics().iter().any(|d| d.message.contains(said)) {
            let messages: Vec<_> = dump.diagnostics().iter().map(|d| format!("    {d}")).collect();
            wrong.push(format!("  nothing says {said:?}:\n{}", messages.join("\n")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn compare(what: &str, expected: Option<&toml::Value>, found: &[String], wrong: &mut Vec<String>) {
    let Some(expected) = expected else { return };
    let expected: Vec<_> =
        expected.as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect();
    if expected != found {
        wrong.push(format!("  {what}\n    expected {expected:#?}\n    found    {found:#?}"));
    }
}

/// `nat commit v4`, and the chains with `:` before those that a line declares.
fn table(table: &Table) -> String {
    let mut words = vec![table.name.to_string(), format!("{:?}", table.end).to_lowercase()];
    words.extend(table.family.map(|family| if family == Family::V4 { "v4".into() } else { "v6".into() }));
    for chain in &table.chains {
        let declared = if chain.line.is_some() { ":" } else { "" };
        let policy = chain.policy.map(|policy| format!("={policy}")).unwrap_or_default();
        let counters = chain.counters.map(|counters| counters.to_string()).unwrap_or_default();
        words.push(format!("{declared}{}{policy}{counters}", chain.name));
    }
    words.join(" ")
}

/// `nat/PREROUTING -s 10.0.0.0/8 comment ?tcp -> jump X`, `?` before what is unknown.
fn rules(dump: &Dump) -> Vec<String> {
    let mut out = Vec::new();
    for table in dump.tables() {
        for chain in &table.chains {
            out.extend(chain.rules.iter().map(|r| format!("{}/{}{}", table.name, chain.name, rule(r))));
        }
    }
    out
}

fn rule(rule: &Rule) -> String {
    let mut text = rule.counters.map(|counters| format!(" {counters}")).unwrap_or_default();
    for option in rule.base.options() {
        text += if option.negated { " ! " } else { " " };
        text += option.name;
        for value in &option.values {
            text += " ";
            text += &value.to_str();
        }
    }
    for part in &rule.matches {
        text += if matches!(part, Match::Unknown(_)) { " ?" } else { " " };
        text += &part.name();
    }
    text += " -> ";
    text += match &rule.target {
        Target::Unknown(_) => "?",
        Target::Jump(_) => "jump ",
        Target::Goto(_) => "goto ",
        _ => "",
    };
    text + &rule.target.name()
}

/// `nat/PREROUTING after 2 line 7`
fn gaps(dump: &Dump) -> Vec<String> {
    let mut out = Vec::new();
    for table in dump.tables() {
        for chain in &table.chains {
            let name = |gap: &hookwalk_parser::Gap| {
                format!("{}/{} after {} line {}", table.name, chain.name, gap.after, gap.line)
            };
            out.extend(chain.gaps.iter().map(name));
        }
    }
    out
}
