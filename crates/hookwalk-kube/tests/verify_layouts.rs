//! Faults in the rules of every layout, and what no first packet shows.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what is wrong by failing")]

mod common;

use std::net::IpAddr;

use hookwalk_engine::Host;
use hookwalk_kube::finding::{Finding, Severity};
use hookwalk_kube::objects::Objects;
use hookwalk_kube::verify::{Options, Verifier};
use hookwalk_kube::writer::{Config, KubeProxy, LocalDetector, Version};
use hookwalk_parser::types::Family;

fn findings(text: &str, objects: &Objects) -> Vec<Finding> {
    let options = Options { node: Some(objects.nodes[0].name.clone()), ..Options::default() };
    Verifier::new(vec![hookwalk_parser::parse(text)], Host::default(), objects, &options).findings()
}

fn shown(findings: &[Finding]) -> String {
    let one = |f: &Finding| format!("{f} [line {:?}] {:?}", f.line, f.object);
    findings.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn objects() -> Objects {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/kube-proxy/showcase4-objects.json");
    Objects::read(&std::fs::read_to_string(path).unwrap()).0
}

fn config(version: Version, objects: &Objects) -> Config {
    let mut config = Config::new(version);
    config.node_name.clone_from(&objects.nodes[0].name);
    config.node_ip = Some(objects.nodes[0].addresses[0].address);
    config.local_detector = LocalDetector::Cidr("10.64.0.0/16".parse().unwrap());
    config
}

fn written(config: Config, objects: &Objects) -> String {
    KubeProxy::new(config).rules(&objects.services, &objects.slices).save()
}

fn without_comment(line: &str) -> String {
    match line.split_once(" -m comment --comment \"") {
        Some((before, rest)) => format!("{before}{}", rest.split_once('"').unwrap().1),
        None => line.to_owned(),
    }
}

/// Rules whose loss changes nothing for any packet.
fn is_harmless(lines: &[&str], at: usize) -> bool {
    let line = lines[at];
    let chain = line.split(' ').nth(1).unwrap();
    let has_twin = lines
        .iter()
        .enumerate()
        .any(|(other, text)| other != at && without_comment(text) == without_comment(line));
    let is_behind_all = line.ends_with("-j KUBE-MARK-DROP")
        && lines[at - 1].starts_with(&format!("-A {chain} "))
        && !lines[at - 1].contains(" -s ");
    let drops_all = chain.starts_with("KUBE-SVL-")
        && lines
            .iter()
            .any(|text| text.starts_with(&format!("-A {chain} ")) && text.ends_with("-j KUBE-MARK-DROP"))
        && line.contains(" cluster IP");
    !line.contains(" -j ") || has_twin || is_behind_all || drops_all
}

#[test]
fn no_rule_of_any_layout_can_be_lost_unnoticed() {
    let own = objects();
    let mut all: Vec<(String, String, Objects)> = [Version::V1_22, Version::V1_24, Version::V1_33]
        .into_iter()
        .map(|version| (version.to_string(), written(config(version, &own), &own), own.clone()))
        .collect();
    for (path, objects, _) in common::dumps() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if ["k8s-1.17", "k8s-1.22", "k8s-1.24", "k8s-1.27"].iter().any(|version| name.starts_with(version)) {
            all.push((name, std::fs::read_to_string(path).unwrap(), objects));
        }
    }
    for (name, text, objects) in all {
        let lines: Vec<&str> = text.lines().collect();
        for at in (0..lines.len()).filter(|at| lines[*at].starts_with("-A ") && !is_harmless(&lines, *at)) {
            let left = [&lines[..at], &lines[at + 1..]].concat().join("\n") + "\n";
            assert!(!findings(&left, &objects).is_empty(), "{name}: line {}: {}", at + 1, lines[at]);
        }
    }
}

/// A line that has all these parts, what of it becomes what, and what is to be found at what line.
type Fault = (Version, &'static [&'static str], &'static str, &'static str, &'static str);

const FAULTS: &[Fault] = &[
    // Packets to other hosts' node ports are taken too.
    (
        Version::V1_30,
        &["-j KUBE-NODEPORTS", "-A KUBE-SERVICES "],
        " -m addrtype --dst-type LOCAL",
        "",
        "rule-differs",
    ),
    // Rules of others behind it are not asked.
    (Version::V1_30, &["-A KUBE-POSTROUTING ", "-j RETURN"], "-j RETURN", "-j ACCEPT", "rule-differs"),
    (Version::V1_30, &["-A KUBE-POSTROUTING ", "--set-xmark"], "0x4000/0x0", "0x4000/0x4000", "mark-differs"),
    (Version::V1_24, &["-A KUBE-MARK-DROP "], "0x8000/0x8000", "0x8000/0x18000", "mark-differs"),
    (Version::V1_30, &["-A KUBE-FORWARD ", "INVALID"], "-j DROP", "-j ACCEPT", "rule-differs"),
    (Version::V1_30, &["-A KUBE-FORWARD ", "--mark"], "-j ACCEPT", "-j DROP", "rule-differs"),
    (Version::V1_30, &["-A KUBE-FORWARD ", "RELATED"], "RELATED,ESTABLISHED", "ESTABLISHED", "rule-differs"),
    (
        Version::V1_30,
        &["-A KUBE-FIREWALL ", "127.0.0.0/8"],
        "! -s 127.0.0.0/8",
        "! -s 126.0.0.0/8",
        "rule-differs",
    ),
    (Version::V1_30, &["-A KUBE-FIREWALL ", "127.0.0.0/8"], "-j DROP", "-j RETURN", "rule-missing"),
    (Version::V1_30, &["-A INPUT ", "-j KUBE-FIREWALL"], "-j KUBE", "-i eth0 -j KUBE", "jump-differs"),
    (
        Version::V1_30,
        &["-A FORWARD ", "service portals", "-j KUBE-SERVICES"],
        "NEW",
        "ESTABLISHED",
        "jump-differs",
    ),
    (Version::V1_30, &["-A KUBE-PROXY-FIREWALL ", "demo/lb-ranges:https"], "/32", "/24", "mask-differs"),
    (
        Version::V1_30,
        &["-A KUBE-SERVICES ", "demo/empty:http"],
        "port-unreach",
        "host-unreach",
        "rule-differs",
    ),
    (Version::V1_30, &["-A KUBE-NODEPORTS ", "health check"], "-p tcp", "-p udp", "health-check-differs"),
    (Version::V1_30, &["-A KUBE-SVC-", "demo/seven:http cluster IP"], "/32", "/24", "mask-differs"),
    (
        Version::V1_22,
        &["-A KUBE-SVC-", "demo/seven:http cluster IP"],
        "-d 10.96.0.33/32 ",
        "",
        "mask-differs",
    ),
    // Whom the ranges let in is sent to another Service.
    (
        Version::V1_30,
        &["-A KUBE-FW-", "-s 198.18.0.0/15"],
        "-j KUBE-EXT-",
        "-j KUBE-SVC-",
        "masquerade-missing",
    ),
    (Version::V1_22, &["-A KUBE-FW-", "-s 198.18.0.0/15"], "-j ", "-m mark --mark 0x1 -j ", "not-served"),
    // Clients that come again.
    (
        Version::V1_30,
        &["-A KUBE-SVC-", "--rcheck", "10.64.1.14:8080"],
        "--name KUBE-SEP-",
        "--name X-",
        "affinity-differs",
    ),
    (
        Version::V1_30,
        &["-A KUBE-SEP-", "--set", "10.64.1.14:8080"],
        "255.255.255.255",
        "255.255.255.0",
        "mask-differs",
    ),
    (
        Version::V1_30,
        &["-A KUBE-SEP-", "--set", "10.64.1.14:8080"],
        "--rsource",
        "--rdest",
        "affinity-differs",
    ),
];

#[test]
fn what_no_first_packet_shows_is_found() {
    let objects = objects();
    for (version, parts, from, to, code) in FAULTS {
        let text = written(config(*version, &objects), &objects);
        assert_eq!(shown(&findings(&text, &objects)), "", "{version}");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at =
            lines.iter().position(|line| parts.iter().all(|part| line.contains(part)) && line.contains(from));
        let at = at.unwrap_or_else(|| panic!("{version}: no line with {parts:?} and {from}"));
        lines[at] = lines[at].replacen(from, to, 1);
        let found = findings(&(lines.join("\n") + "\n"), &objects);
        let told = found.iter().any(|f| f.code == *code && f.severity > Severity::Info);
        assert!(told, "{version}: {}: {code} is not among\n{}", lines[at], shown(&found));
    }
}

/// The mark of sticky clients stands behind the look-up: who comes again is not masqueraded.
#[test]
fn a_client_that_comes_again_is_walked() {
    let objects = objects();
    let text = written(config(Version::V1_30, &objects), &objects);
    let mut lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("demo/sticky:http cluster IP") && line.contains("MARK-MASQ"));
    let at = at.unwrap();
    assert!(lines[at + 1].contains("--rcheck"), "{}", lines[at + 1]);
    lines.swap(at, at + 1);
    let found = findings(&(lines.join("\n") + "\n"), &objects);
    assert!(
        found.iter().any(|f| f.code == "masquerade-missing" && f.message.contains("comes again")),
        "{}",
        shown(&found)
    );
}

/// Of two rules that flip a bit the second undoes the first.
#[test]
fn a_mark_that_is_flipped_twice_is_found() {
    let objects = objects();
    let text = written(config(Version::V1_30, &objects), &objects);
    let flip = "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0\n";
    assert!(text.contains(flip));
    let found = findings(&text.replace(flip, &flip.repeat(2)), &objects);
    assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), ["rule-differs"], "{}", shown(&found));
}

#[test]
fn node_ports_are_asked_for_where_they_are_served() {
    let objects = objects();
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    for version in Version::ALL {
        for addresses in
            [vec![ip("127.0.0.1")], vec![ip("192.0.2.99")], vec![ip("127.0.0.1"), ip("192.0.2.99")]]
        {
            let mut config = config(version, &objects);
            config.nodeport_addresses = Some(addresses.clone());
            let text = written(config, &objects);
            assert_eq!(shown(&findings(&text, &objects)), "", "{version} {addresses:?}");
        }
    }
}

#[test]
fn an_endpoint_that_reaches_itself_unmasked_is_walked() {
    let objects = objects();
    let text = written(config(Version::V1_30, &objects), &objects);
    // A rule of somebody else takes the mark away again.
    let text = text.replace(
        "-A POSTROUTING ",
        "-A POSTROUTING -s 10.64.0.0/16 -d 10.64.0.0/16 -j ACCEPT\n-A POSTROUTING ",
    );
    let found = findings(&text, &objects);
    assert!(found.iter().any(|f| f.code == "hairpin-missing"), "{}", shown(&found));
}

/// Without comments names come from the hash, and of what has no chain from the addresses; which Service
/// a health check is of its comment alone tells.
#[test]
fn without_comments_nothing_is_stale_or_missing() {
    let objects = objects();
    for version in [Version::V1_22, Version::V1_24, Version::V1_33] {
        let text = written(config(version, &objects), &objects);
        let bare =
            |line: &str| if line.contains("health check") { line.into() } else { without_comment(line) };
        let text = text.lines().map(bare).collect::<Vec<String>>().join("\n") + "\n";
        assert_eq!(shown(&findings(&text, &objects)), "", "{version}");
    }
}

#[test]
fn in_ipvs_mode_one_finding_says_so() {
    let text = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-SERVICES - [0:0]\n\
        -A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
        -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n\
        -A KUBE-SERVICES ! -s 10.64.0.0/16 -m comment --comment \"Kubernetes service cluster ip + port for masquerade purpose\" \
        -m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ\nCOMMIT\n";
    let found = findings(text, &objects());
    assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), ["ipvs-mode"]);
    let dump = hookwalk_parser::parse(text);
    assert_eq!(hookwalk_kube::inventory::Inventory::read(&[dump], None).ipvs, [Family::V4]);
}
