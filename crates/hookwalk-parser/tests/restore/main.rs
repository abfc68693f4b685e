//! Whole dumps: canonical output is what the kernel of this machine saves once it has restored them.
//! Root and iptables 1.8.9 are needed, and the folder of real dumps for most of the files.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says when it is skipped"
)]

mod mutated;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Code, Dump, Reader, Rule};

fn lacks() -> Option<String> {
    let version = Command::new("iptables").arg("--version").output();
    let version = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let is_root = Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|status| status.success());
    if !version.contains("v1.8.9") {
        Some(format!("needs iptables 1.8.9, found {:?}", version.trim()))
    } else if !is_root {
        Some("needs root".into())
    } else {
        Command::new("ipset").arg("version").output().err().map(|_| "needs ipset".into())
    }
}

fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI runs every test, and this one {why}");
    eprintln!("skipped: {why}");
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("testdata/docker-ee"), root.join("testdata/kube-proxy")];
    folders.extend(["corpus", "kube-proxy"].map(|name| root.join("../shared").join(name)));
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if !path.is_dir() {
                files.push(path);
            } else if !path.ends_with("companions") {
                folders.push(path);
            }
        }
    }
    files.sort();
    files
}

fn rules(dump: &Dump) -> impl Iterator<Item = &Rule> {
    dump.tables().iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules)
}

/// The sets that the rules name, each with the type that fits its directions.
fn sets(dump: &Dump) -> String {
    let mut sets: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut named = |name: &[u8], dimensions: usize| {
        let known = sets.entry(name.to_vec()).or_default();
        *known = (*known).max(dimensions);
    };
    for rule in rules(dump) {
        for m in &rule.matches {
            if let Match::Set(set) = m {
                set.match_set
                    .iter()
                    .for_each(|set| named(set.value.name.as_bytes(), set.value.dimensions.0.len()));
            }
        }
        if let Target::Set(set) = &rule.target {
            let sets = [&set.add, &set.delete, &set.map].into_iter().flatten();
            sets.for_each(|set| named(set.name.as_bytes(), set.dimensions.0.len()));
        }
    }
    let mut script = String::new();
    for (name, dimensions) in sets {
        let kind = ["hash:ip", "hash:ip", "hash:ip,port", "hash:ip,port,ip"][dimensions.min(3)];
        let name = String::from_utf8_lossy(&name).replace('\'', r"'\''");
        writeln!(script, "ipset create '{name}' {kind} family $inet counters skbinfo timeout 0").unwrap();
    }
    script
}

/// What the backend saves once it has restored the file; none when it refuses it.
fn restored(path: &Path, dump: &Dump, backend: Backend, with_counters: bool) -> Option<String> {
    let family = dump.tables().iter().find_map(|table| table.family).unwrap_or(Family::V4);
    let (tool, inet) = if family == Family::V4 { ("iptables", "inet") } else { ("ip6tables", "inet6") };
    let backend = if backend == Backend::Legacy { "legacy" } else { "nft" };
    let script = format!(
        "set -e\ninet={inet}\n{}{tool}-{backend}-restore {} < \"$1\"\n{tool}-{backend}-save {}\n",
        sets(dump),
        if with_counters { "-c" } else { "" },
        if with_counters && rules(dump).any(|rule| rule.counters.is_some()) { "-c" } else { "" },
    );
    let mut child = Command::new("unshare")
        .args(["-n", "sh", "-s", "--"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The tables by name, since the kernel lists them in any order, and no comments, which hold times.
fn tables(text: &str) -> BTreeMap<String, Vec<String>> {
    let (mut tables, mut name) = (BTreeMap::<_, Vec<String>>::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('*') {
            line.clone_into(&mut name);
        }
        tables.entry(name.clone()).or_default().push(line.to_owned());
    }
    tables
}

/// The dump with its counters at zero, and none before rules.
fn without_counters(text: &str) -> String {
    let line = |line: &str| match line.split_once('[') {
        Some((chain, _)) if line.starts_with(':') => format!("{chain}[0:0]\n"),
        Some(("", rule)) => format!("{}\n", rule.split_once("] ").map_or(rule, |(_, rule)| rule)),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn whole_dumps_are_what_this_kernel_saves() {
    if let Some(why) = lacks() {
        return skip(&why);
    }
    let (mut wrong, mut equal, mut refused) = (Vec::new(), 0, BTreeSet::new());
    for path in files() {
        let bytes = std::fs::read(&path).unwrap();
        let read = Reader::new().parse(bytes.clone());
        let Some(first) = read.tables().iter().find(|table| table.line.is_some()) else { continue };
        let family = first.family.unwrap_or(Family::V4);
        for backend in [Backend::Legacy, Backend::Nft] {
            if first.backend.is_some_and(|own| own != backend) {
                continue;
            }
            let dump = Reader::new().family(family).backend(backend).parse(bytes.clone());
            // Where some chain has no counters, the tool restores without them.
            let with = restored(&path, &dump, backend, true);
            let counted = with.is_some();
            let Some(saved) = with.or_else(|| restored(&path, &dump, backend, false)) else {
                refused.insert(path.clone());
                continue;
            };
            let problems =
                dump.diagnostics().iter().filter(|d| d.severity == hookwalk_parser::Severity::Error);
            // The tool passes over what stands behind a chain's policy.
            let problems: Vec<_> =
                problems.filter(|d| !matches!(d.code, Code::BadChain | Code::BadCounters)).collect();
            let ours = dump.canonical();
            let ours = String::from_utf8_lossy(&ours);
            let ours = if counted { ours.into_owned() } else { without_counters(&ours) };
            let (saved, ours) = (tables(&saved), tables(&ours));
            if saved == ours && problems.is_empty() {
                equal += 1;
                continue;
            }
            let mut text = format!("{} {backend:?} {problems:?}", path.display());
            for name in saved.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
                let of =
                    |tables: &BTreeMap<String, Vec<String>>| tables.get(name).cloned().unwrap_or_default();
                let (saved, ours) = (of(&saved), of(&ours));
                let differ = saved.iter().zip(&ours).filter(|(a, b)| a != b).take(3);
                differ.for_each(|(a, b)| writeln!(text, "\n  {name} saved {a}\n  {name} ours  {b}").unwrap());
                if saved.len() != ours.len() {
                    write!(text, "\n  {name} has {} lines, ours {}", saved.len(), ours.len()).unwrap();
                }
            }
            wrong.push(text);
        }
    }
    eprintln!("{equal} equal, {} refused: {refused:?}", refused.len());
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal >= 10, "only {equal} dumps were compared");
}
