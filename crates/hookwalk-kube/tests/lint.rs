//! What lint finds: one fault a check, which docs/lint.md shows (`WRITE_DOCS=1` writes the page), and
//! nothing in rules that are right.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says what it skips"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hookwalk_kube::finding::{Finding, Severity};
use hookwalk_kube::lint::{Check, lint};
use hookwalk_parser::{Dump, parse};

/// How the node of testdata/lint is changed: lines that hold the first text become the second.
type Edit = (&'static str, &'static str);

/// A dump for each check that gives it; several for those that compare.
fn example(check: Check) -> Vec<Vec<Edit>> {
    let one = |edits: &[Edit]| vec![edits.to_vec()];
    match check {
        Check::ServicesJumpMissing => one(&[("-A PREROUTING -m comment", "")]),
        Check::ServicesJumpNotReached => one(&[(
            "-A PREROUTING -m comment",
            "-A PREROUTING -j ACCEPT\n-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
        )]),
        Check::DnatBeforeServices => one(&[(
            "-A PREROUTING -m comment",
            "-A PREROUTING -p tcp -m tcp --dport 30080 -j DNAT --to-destination 172.17.0.2:80\n-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
        )]),
        Check::PostroutingMissing => one(&[("-A POSTROUTING", "")]),
        Check::MarkNotMasqueraded => {
            one(&[("-A KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x8000/0x8000")])
        }
        Check::MasqueradesAll => one(&[("-A KUBE-POSTROUTING -m mark", "")]),
        Check::MarkNotAccepted => one(&[(
            "--mark 0x4000/0x4000 -j ACCEPT",
            "-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x2000/0x2000 -j ACCEPT",
        )]),
        Check::DropMarkUnused => one(&[(
            ":KUBE-MARK-MASQ",
            ":KUBE-MARK-DROP - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000\n-A KUBE-EXT-PAZJVMNT65J2CTDK -s 192.0.2.0/24 -j KUBE-MARK-DROP",
        )]),
        Check::MarkNeverMatches => one(&[(
            "-A KUBE-FORWARD -m conntrack",
            "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n-A KUBE-FORWARD -m mark --mark 0x8000/0x4000 -j DROP",
        )]),
        Check::UnequalShares => one(&[(
            "--probability 0.5",
            "-A KUBE-SVC-PAZJVMNT65J2CTDK -m comment --comment \"shop/web:http -> 10.0.1.2:8080\" -m statistic --mode random --probability 0.80000000000 -j KUBE-SEP-A",
        )]),
        Check::DuplicateEndpoint => one(&[(
            "-j DNAT --to-destination 10.0.2.2:8080",
            "-A KUBE-SEP-B -p tcp -m comment --comment \"shop/web:http\" -m tcp -j DNAT --to-destination 10.0.1.2:8080",
        )]),
        Check::ShadowedRule => one(&[(
            "-A KUBE-FORWARD -m conntrack",
            "-A KUBE-FORWARD -d 10.0.0.0/8 -j ACCEPT\n-A KUBE-FORWARD -d 10.0.1.2/32 -p tcp -j DROP",
        )]),
        Check::DuplicateRule => {
            one(&[("-A INPUT -j KUBE-FIREWALL", "-A INPUT -j KUBE-FIREWALL\n-A INPUT -j KUBE-FIREWALL")])
        }
        Check::MissingChain => one(&[(":KUBE-SEP-B", ""), ("-A KUBE-SEP-B", "")]),
        Check::UnreferencedChain => one(&[("-j KUBE-SEP-B", "")]),
        Check::NodePortsNotLast => one(&[
            ("-A KUBE-SERVICES -d 10.96.0.20", ""),
            (
                "-A KUBE-SERVICES -m comment",
                "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment \"shop/web:http cluster IP\" -m tcp --dport 80 -j KUBE-SVC-PAZJVMNT65J2CTDK",
            ),
        ]),
        Check::ForwardDropsPods => one(&[("FORWARD OF FILTER", ":FORWARD DROP [0:0]")]),
        Check::HostFirewallFirst => one(&[(
            "-A FORWARD -m comment",
            "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD",
        )]),
        Check::CanaryLost => one(&[(":KUBE-PROXY-CANARY FIRST", "")]),
        Check::CanaryMissing => one(&[(":KUBE-PROXY-CANARY", "")]),
        Check::TwoBackends => vec![vec![("*mangle", "LEGACY")], vec![("*mangle", "NFT")]],
        Check::EndpointsDiffer => {
            vec![Vec::new(), vec![("--probability 0.5", ""), ("-A KUBE-SEP-A", ""), (":KUBE-SEP-A", "")]]
        }
        Check::ServicesDiffer => vec![Vec::new(), vec![("-A KUBE-SERVICES -d 10.96.0.30", "")]],
        Check::NotChecked => one(&[("COMMIT LAST", "")]),
        other => panic!("{} has no example: give it one here", other.code()),
    }
}

fn node() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/lint/node.save");
    std::fs::read_to_string(path).unwrap()
}

/// The node with its edits; a few of them are of no single line.
fn changed(edits: &[Edit]) -> String {
    let mut text = node();
    for &(from, to) in edits {
        text = match (from, to) {
            ("*mangle", "LEGACY") => {
                format!("# Generated by iptables-save v1.8.9 on Sun Jan  4 10:00:00 2026\n{text}")
            }
            ("*mangle", "NFT") => {
                format!("# Generated by iptables-save v1.8.9 (nf_tables) on Sun Jan  4 10:00:00 2026\n{text}")
            }
            (":KUBE-PROXY-CANARY FIRST", _) => text.replacen(":KUBE-PROXY-CANARY - [0:0]\n", "", 1),
            ("FORWARD OF FILTER", to) => {
                let (mangle, rest) = text.split_once("*filter\n").unwrap();
                format!("{mangle}*filter\n{}", rest.replacen(":FORWARD ACCEPT [0:0]", to, 1))
            }
            ("COMMIT LAST", _) => text.strip_suffix("COMMIT\n").unwrap().to_owned(),
            _ => {
                assert!(text.contains(from), "no line has `{from}`");
                let lines = text.lines().filter_map(|line| match (line.contains(from), to) {
                    (true, "") => None,
                    (true, to) => Some(format!("{to}\n")),
                    (false, _) => Some(format!("{line}\n")),
                });
                lines.collect()
            }
        };
    }
    text
}

fn dumps(example: &[Vec<Edit>]) -> Vec<Dump> {
    example.iter().map(|edits| parse(changed(edits))).collect()
}

/// Lines that the node has and the example does not, and the other way round.
fn shown(example: &[Vec<Edit>]) -> String {
    let node = node();
    let mut out = String::new();
    for (number, edits) in example.iter().enumerate() {
        let text = changed(edits);
        if example.len() > 1 {
            writeln!(out, "dump {}:", number + 1).unwrap();
        }
        let (old, new): (Vec<&str>, Vec<&str>) = (node.lines().collect(), text.lines().collect());
        let gone = |lines: &[&str], others: &[&str]| -> Vec<String> {
            let count = |all: &[&str], line: &str| all.iter().filter(|other| **other == line).count();
            let mut left: Vec<String> = Vec::new();
            for line in lines {
                let told = left.iter().filter(|told| told == line).count();
                if count(lines, line) > count(others, line) + told {
                    left.push((*line).to_owned());
                }
            }
            left
        };
        for line in gone(&old, &new) {
            writeln!(out, "- {line}").unwrap();
        }
        for line in gone(&new, &old) {
            writeln!(out, "+ {line}").unwrap();
        }
    }
    out
}

fn told(finding: &Finding, dumps: usize) -> String {
    let place = finding.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    let object = finding.object.as_ref().map_or_else(String::new, |object| format!(", {object}"));
    let dump = if dumps > 1 { format!("dump {}: ", finding.dump + 1) } else { String::new() };
    format!("{dump}{finding}{place}{object}")
}

#[test]
fn the_page_lists_every_check() {
    let mut page = String::from(
        "# What `hookwalk lint` finds\n\n\
         `hookwalk lint DUMP...` checks the rules of a node by themselves, without the API's objects and without a\n\
         packet. Dumps of different tables, families or backends are one node's; a dump that holds a table which an\n\
         earlier one has already starts the next node, and what differs between nodes is told too. Each finding\n\
         has a stable code, a severity, and the line and rule it is about (`--json`: `findings`).\n\n\
         - **error**: traffic goes where it should not, or does not go where it should. Exit 1.\n\
         - **warning**: most likely wrong; there are nodes on which it is meant. Exit 1.\n\
         - **info**: harmless, and good to know. Exit 0 when there is nothing else.\n\n\
         Where packets can go is found by following classes of packets through the rules, not by searching the\n\
         text; what the dump does not tell (sets, addresses of the node) is taken to be possible. Checks whose\n\
         tables are not wholly in the dump are not made, and `not-checked` says so.\n\n\
         Each check below stands with an example, a change to the small node of `testdata/lint/node.save`, and what\n\
         is said of it. This page is written by `crates/hookwalk-kube/tests/lint.rs`, which fails when page and\n\
         checks differ.\n",
    );
    for (severity, title) in
        [(Severity::Error, "Errors"), (Severity::Warning, "Warnings"), (Severity::Info, "Notes")]
    {
        writeln!(page, "\n## {title}").unwrap();
        for check in Check::ALL.iter().copied().filter(|check| check.severity() == severity) {
            let example = example(check);
            let dumps = dumps(&example);
            let findings = lint(&dumps);
            let Some(found) = findings.iter().find(|finding| finding.code == check.code()) else {
                panic!("the example of {} gives {findings:#?}", check.code());
            };
            assert_eq!(found.severity, check.severity());
            writeln!(page, "\n### {}\n\n{}", check.code(), check.explanation()).unwrap();
            writeln!(page, "\n```diff\n{}\n```", shown(&example).trim_end()).unwrap();
            writeln!(page, "\n> {}", told(found, dumps.len())).unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lint.md");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/lint.md is not what the checks say: run this test with WRITE_DOCS=1");
}

#[test]
fn one_fault_gives_one_kind_of_finding() {
    for &check in Check::ALL {
        let findings = lint(&dumps(&example(check)));
        let matter = |finding: &&Finding| finding.severity > Severity::Info && finding.code != check.code();
        // What a fault brings with it.
        let follows: &[&str] = match check {
            // The nodes' rules are twice the same.
            Check::TwoBackends => &["unequal-shares", "duplicate-endpoint"],
            // What takes the packets is told too.
            Check::ServicesJumpNotReached => &["dnat-before-services", "shadowed-rule"],
            // Without the chain there is one endpoint less.
            Check::MissingChain | Check::UnreferencedChain => &["unequal-shares"],
            Check::MarkNotMasqueraded => &["mark-not-accepted"],
            Check::HostFirewallFirst => &["shadowed-rule", "forward-drops-pods"],
            _ => &[],
        };
        let others: Vec<&str> =
            findings.iter().filter(matter).map(|f| f.code).filter(|code| !follows.contains(code)).collect();
        assert!(others.is_empty(), "the example of {} gives {others:?} too", check.code());
    }
}

#[test]
fn a_node_without_fault_gives_nothing() {
    assert_eq!(lint(&dumps(&[Vec::new()])), []);
}

fn shared(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    let Ok(entries) = std::fs::read_dir(&path) else {
        assert!(std::env::var_os("CI").is_none(), "{} is not there", path.display());
        eprintln!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "save" || e == "save-c" || e == "txt"))
        .collect();
    files.sort();
    files
}

#[test]
fn real_dumps_give_no_false_alarm() {
    // Docker's policy DROP on FORWARD, with a CNI plugin missing or flushed away: nothing lets Pods through.
    let right =
        [("calico-felix-fv-kube.txt", "forward-drops-pods"), ("kubeadm-noncni.txt", "forward-drops-pods")];
    for folder in ["kube-proxy", "corpus/kube-iptables", "corpus/kube-ipvs", "corpus/cni", "corpus/docker"] {
        for path in shared(folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let findings = lint(&[parse(std::fs::read(&path).unwrap())]);
            let codes: Vec<&str> =
                findings.iter().filter(|f| f.severity > Severity::Info).map(|f| f.code).collect();
            let expected: Vec<&str> =
                right.iter().filter(|(file, _)| *file == name).map(|(_, code)| *code).collect();
            assert_eq!(codes, expected, "{}", path.display());
        }
    }
}

#[test]
fn any_dump_is_checked_in_short_time() {
    for folder in ["corpus/huge", "corpus/host", "corpus/mangled", "corpus/pasted", "corpus/iptables-S"] {
        for path in shared(folder) {
            let start = std::time::Instant::now();
            lint(&[parse(std::fs::read(&path).unwrap())]);
            assert!(start.elapsed().as_secs() < 20, "{}", path.display());
        }
    }
}

/// A fault in the text of a real dump: which lines change, how, and what must be found.
type Fault = (&'static str, fn(&str) -> bool, fn(&str) -> String);

#[test]
fn faults_in_real_dumps_are_found() {
    let gone: fn(&str) -> String = |_| String::new();
    let faults: [Fault; 7] = [
        (
            "services-jump-missing",
            |line| line.starts_with("-A PREROUTING") && line.contains("KUBE-SERVICES"),
            gone,
        ),
        (
            "services-jump-missing",
            |line| line.starts_with("-A OUTPUT -m comment") && line.contains("KUBE-SERVICES"),
            gone,
        ),
        ("postrouting-missing", |line| line.starts_with("-A POSTROUTING"), gone),
        (
            "mark-not-masqueraded",
            |line| line.starts_with("-A KUBE-MARK-MASQ"),
            |line| line.replace("0x4000/0x4000", "0x2000/0x2000"),
        ),
        (
            "mark-not-accepted",
            |line| line.starts_with("-A KUBE-FORWARD") && line.contains("0x4000"),
            |line| line.replace("0x4000/0x4000", "0x2000/0x2000"),
        ),
        (
            "mark-never-matches",
            |line| line.starts_with("-A KUBE-FORWARD") && line.contains("0x4000"),
            |line| line.replace("0x4000/0x4000", "0x4000/0x2000"),
        ),
        ("forward-drops-pods", |line| line.starts_with(":FORWARD"), |line| line.replace("ACCEPT", "DROP")),
    ];
    for path in shared("kube-proxy") {
        let text = std::fs::read_to_string(&path).unwrap();
        for (code, is_meant, change) in faults {
            let changed: String = text
                .lines()
                .map(|line| {
                    // Counters stand before the rules of a `-c` save.
                    let rule = line.split_once("] ").map_or(line, |(_, rule)| rule);
                    if is_meant(rule) { change(line) } else { line.to_owned() }
                })
                .filter(|line| !line.is_empty())
                .map(|line| line + "\n")
                .collect();
            assert!(changed != text, "{code}: no line of {} is meant", path.display());
            let codes: Vec<&str> = lint(&[parse(changed)]).iter().map(|finding| finding.code).collect();
            assert!(codes.contains(&code), "{code} in {}: {codes:?}", path.display());
        }
    }
}

#[test]
fn of_three_nodes_the_fewer_are_hinted_at() {
    let behind = || example(Check::EndpointsDiffer).remove(1);
    let told = |nodes: Vec<Vec<Edit>>| {
        let findings = lint(&dumps(&nodes));
        let mut differ = findings.iter().filter(|finding| finding.code == "endpoints-differ");
        differ.next().unwrap().message.clone()
    };
    let two = told(vec![Vec::new(), behind()]);
    assert!(!two.contains("hint"), "{two}");
    let most_have_it = told(vec![Vec::new(), behind(), Vec::new()]);
    assert!(
        most_have_it.ends_with("(a hint, no proof: 2 of 3 have it, so that dump 2 may be behind)"),
        "{most_have_it}"
    );
    let most_lack_it = told(vec![Vec::new(), behind(), behind()]);
    assert!(
        most_lack_it.ends_with("(a hint, no proof: 2 of 3 do not have it, so that this one may be behind)"),
        "{most_lack_it}"
    );
}
