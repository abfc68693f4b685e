//! Rules checked against the objects they were made from, whole and with one fault.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod common;

use hookwalk_engine::Host;
use hookwalk_kube::finding::{Finding, Severity};
use hookwalk_kube::objects::Objects;
use hookwalk_kube::verify::{Options, Verifier};
use hookwalk_kube::writer::{Config, KubeProxy, LocalDetector, Version};

fn findings(text: &str, objects: &Objects, node: Option<&str>) -> Vec<Finding> {
    let options = Options { node: node.map(str::to_owned), ..Options::default() };
    let dump = hookwalk_parser::parse(text);
    let found = Verifier::new(vec![dump], Host::default(), objects, &options).findings();
    found.into_iter().filter(|finding| finding.severity > Severity::Info).collect()
}

fn shown(findings: &[Finding]) -> String {
    let one = |f: &Finding| {
        let place = f.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{f} [{place} line {:?}] {:?}\n", f.line, f.object)
    };
    findings.iter().map(one).collect()
}

#[test]
fn every_dump_is_as_its_objects_ask() {
    for (path, objects, _) in common::dumps() {
        let text = std::fs::read_to_string(&path).unwrap();
        let node = objects.nodes[0].name.clone();
        let with = findings(&text, &objects, Some(&node));
        assert!(with.is_empty(), "{}:\n{}", path.display(), shown(&with));
        let without = findings(&text, &objects, None);
        assert!(without.is_empty(), "{} without --node:\n{}", path.display(), shown(&without));
    }
}

/// A showcase that the project has itself.
fn showcase() -> (String, Objects) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/kube-proxy/");
    let text = std::fs::read_to_string(format!("{root}showcase4-nft.save")).unwrap();
    let objects = std::fs::read_to_string(format!("{root}showcase4-objects.json")).unwrap();
    (text, Objects::read(&objects).0)
}

/// What is done to one line that has `with` in it and stands in `chain`.
#[derive(Clone, Copy)]
enum Fault {
    Remove,
    Replace(&'static str, &'static str),
    /// Swapped with the line behind it.
    Swap,
}

struct Case {
    name: &'static str,
    /// Parts of the line, all of which it has.
    line: &'static [&'static str],
    fault: Fault,
    /// The code that is to be found, and a part of the object's name or the message.
    code: &'static str,
    about: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "endpoint removed",
        line: &["-A KUBE-SVC-", "demo/web-nodeport:http -> 10.64.1.3:8080"],
        fault: Fault::Remove,
        code: "endpoint-missing",
        about: "10.64.1.3:8080",
    },
    Case {
        name: "endpoint changed",
        line: &["-A KUBE-SEP-", "DNAT --to-destination 10.64.1.3:8080"],
        fault: Fault::Replace("10.64.1.3:8080", "10.64.1.33:8080"),
        code: "endpoint-stale",
        about: "10.64.1.33:8080",
    },
    Case {
        name: "endpoint's port changed",
        line: &["-A KUBE-SEP-", "DNAT --to-destination 10.64.1.3:8080"],
        fault: Fault::Replace("10.64.1.3:8080", "10.64.1.3:8081"),
        code: "endpoint-missing",
        about: "10.64.1.3:8080",
    },
    Case {
        name: "share changed",
        line: &["-A KUBE-SVC-", "demo/seven:http -> 10.64.1.21:8080"],
        fault: Fault::Replace("--probability 0.", "--probability 0.9"),
        code: "share-unequal",
        about: "10.64.1.21:8080",
    },
    Case {
        name: "mark of the cluster IP lost",
        line: &["-A KUBE-SVC-", "kube-system/kube-dns:dns cluster IP", "KUBE-MARK-MASQ"],
        fault: Fault::Remove,
        code: "masquerade-missing",
        about: "kube-system/kube-dns:dns",
    },
    Case {
        name: "mark of outside traffic lost",
        line: &["-A KUBE-EXT-", "masquerade traffic for demo/lb:https", "KUBE-MARK-MASQ"],
        fault: Fault::Remove,
        code: "masquerade-missing",
        about: "demo/lb:https",
    },
    Case {
        name: "mark of the node's own traffic lost",
        line: &["-A KUBE-EXT-", "masquerade LOCAL traffic for demo/etp-local:https", "KUBE-MARK-MASQ"],
        fault: Fault::Remove,
        code: "masquerade-missing",
        about: "from this node",
    },
    Case {
        name: "mark of a hairpin lost",
        line: &["-A KUBE-SEP-", "-s 10.64.1.4/32", "KUBE-MARK-MASQ"],
        fault: Fault::Remove,
        code: "hairpin-missing",
        about: "10.64.1.4:8443",
    },
    Case {
        name: "jump for arriving packets removed",
        line: &["-A PREROUTING ", "-j KUBE-SERVICES"],
        fault: Fault::Remove,
        code: "jump-missing",
        about: "PREROUTING",
    },
    Case {
        name: "jump for the node's packets removed",
        line: &["-A OUTPUT ", "service portals", "-j KUBE-SERVICES"],
        fault: Fault::Remove,
        code: "jump-missing",
        about: "OUTPUT",
    },
    Case {
        name: "jump to postrouting removed",
        line: &["-A POSTROUTING ", "-j KUBE-POSTROUTING"],
        fault: Fault::Remove,
        code: "jump-missing",
        about: "POSTROUTING",
    },
    Case {
        name: "jump to node ports removed",
        line: &["-A KUBE-SERVICES ", "-j KUBE-NODEPORTS"],
        fault: Fault::Remove,
        code: "jump-missing",
        about: "KUBE-NODEPORTS",
    },
    Case {
        name: "jump to the load balancer's drops removed",
        line: &["-A FORWARD ", "-j KUBE-PROXY-FIREWALL"],
        fault: Fault::Remove,
        code: "jump-missing",
        about: "FORWARD",
    },
    Case {
        name: "jump to a Service removed",
        line: &["-A KUBE-SERVICES ", "demo/sticky:http cluster IP"],
        fault: Fault::Remove,
        code: "address-missing",
        about: "demo/sticky:http",
    },
    Case {
        name: "jump of a node port removed",
        line: &["-A KUBE-NODEPORTS ", "demo/sticky:http"],
        fault: Fault::Remove,
        code: "address-missing",
        about: "node port 30449",
    },
    Case {
        name: "draw and certainty swapped",
        line: &["-A KUBE-SVC-", "kube-system/kube-dns:dns -> 10.64.0.2:53"],
        fault: Fault::Swap,
        code: "endpoint-missing",
        about: "10.64.0.2:53",
    },
    Case {
        name: "mark and rewriting swapped",
        line: &["-A KUBE-SEP-", "-s 10.64.1.4/32", "KUBE-MARK-MASQ"],
        fault: Fault::Swap,
        code: "hairpin-missing",
        about: "10.64.1.4:8443",
    },
    Case {
        name: "masquerading before the mark is looked for",
        line: &["-A KUBE-POSTROUTING ", "-j RETURN"],
        fault: Fault::Swap,
        code: "rule-order",
        about: "KUBE-POSTROUTING",
    },
    Case {
        name: "mark and route of the node's traffic swapped",
        line: &["-A KUBE-EXT-", "masquerade LOCAL traffic for demo/etp-local:https"],
        fault: Fault::Swap,
        code: "masquerade-missing",
        about: "demo/etp-local:https",
    },
    Case {
        name: "INVALID packets dropped too late",
        line: &["-A KUBE-FORWARD ", "--ctstate INVALID"],
        fault: Fault::Swap,
        code: "rule-order",
        about: "KUBE-FORWARD",
    },
    Case {
        name: "mask of the mark changed",
        line: &["-A KUBE-MARK-MASQ ", "--set-xmark 0x4000/0x4000"],
        fault: Fault::Replace("0x4000/0x4000", "0x4000/0xffffffff"),
        code: "mark-differs",
        about: "KUBE-MARK-MASQ",
    },
    Case {
        name: "mask that postrouting looks for changed",
        line: &["-A KUBE-POSTROUTING ", "--mark 0x4000/0x4000"],
        fault: Fault::Replace("0x4000/0x4000", "0x8000/0x8000"),
        code: "mark-differs",
        about: "KUBE-POSTROUTING",
    },
    Case {
        name: "mask of a Service's address changed",
        line: &["-A KUBE-SERVICES ", "demo/seven:http cluster IP"],
        fault: Fault::Replace("/32", "/24"),
        code: "mask-differs",
        about: "10.96.0.0/24",
    },
    Case {
        name: "mask of an endpoint's own address changed",
        line: &["-A KUBE-SEP-", "-s 10.64.1.4/32", "KUBE-MARK-MASQ"],
        fault: Fault::Replace("/32", "/24"),
        code: "mask-differs",
        about: "10.64.1.0/24",
    },
    Case {
        name: "mask of the Pods changed in one rule",
        line: &["-A KUBE-SVC-", "kube-system/kube-dns:dns cluster IP", "KUBE-MARK-MASQ"],
        fault: Fault::Replace("10.64.0.0/16", "10.64.0.0/15"),
        code: "detector-differs",
        about: "10.64.0.0/15",
    },
    Case {
        name: "REJECT lost",
        line: &["-A KUBE-SERVICES ", "demo/empty:http has no endpoints"],
        fault: Fault::Remove,
        code: "address-missing",
        about: "demo/empty:http",
    },
    Case {
        name: "REJECT made DROP",
        line: &["-A KUBE-SERVICES ", "demo/empty:http has no endpoints"],
        fault: Fault::Replace("REJECT --reject-with icmp-port-unreachable", "DROP"),
        code: "reject-missing",
        about: "demo/empty:http",
    },
    Case {
        name: "DROP for want of local endpoints lost",
        line: &["-A KUBE-EXTERNAL-SERVICES ", "-d 203.0.113.24/32", "no local endpoints"],
        fault: Fault::Remove,
        code: "refusal-missing",
        about: "demo/etp-local-none:https",
    },
    Case {
        name: "DROP of other sources lost",
        line: &["-A KUBE-PROXY-FIREWALL ", "demo/lb-ranges:https"],
        fault: Fault::Remove,
        code: "drop-missing",
        about: "demo/lb-ranges:https",
    },
    Case {
        name: "source range lost",
        line: &["-A KUBE-FW-", "-s 198.18.0.0/15"],
        fault: Fault::Remove,
        code: "source-range-missing",
        about: "198.18.0.0/15",
    },
    Case {
        name: "affinity lost for one endpoint",
        line: &["-A KUBE-SVC-", "demo/sticky:http -> 10.64.1.14:8080", "--rcheck"],
        fault: Fault::Remove,
        code: "affinity-missing",
        about: "10.64.1.14:8080",
    },
    Case {
        name: "affinity's time changed",
        line: &["-A KUBE-SVC-", "demo/sticky:http -> 10.64.1.14:8080", "--rcheck"],
        fault: Fault::Replace("--seconds 10800", "--seconds 60"),
        code: "affinity-differs",
        about: "60 s",
    },
    Case {
        name: "health check lost",
        line: &["-A KUBE-NODEPORTS ", "health check node port"],
        fault: Fault::Remove,
        code: "health-check-missing",
        about: "health check",
    },
];

/// The text with the fault in it, and the line numbers it may be told at.
fn broken(text: &str, case: &Case) -> (String, usize) {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = lines.iter().position(|line| case.line.iter().all(|part| line.contains(part)));
    let at = at.unwrap_or_else(|| panic!("{}: no such line", case.name));
    match case.fault {
        Fault::Remove => drop(lines.remove(at)),
        Fault::Replace(from, to) => {
            assert!(lines[at].contains(from), "{}: {}", case.name, lines[at]);
            lines[at] = lines[at].replace(from, to);
        }
        Fault::Swap => lines.swap(at, at + 1),
    }
    (lines.join("\n") + "\n", at + 1)
}

#[test]
fn every_single_fault_is_found_and_named() {
    let (text, objects) = showcase();
    let node = objects.nodes[0].name.clone();
    for case in CASES {
        let (text, _) = broken(&text, case);
        let found = findings(&text, &objects, Some(&node));
        let named = found.iter().find(|f| {
            let object = f.object.clone().unwrap_or_default();
            f.code == case.code && (f.message.contains(case.about) || object.contains(case.about))
        });
        let named = named.unwrap_or_else(|| panic!("{}: not among\n{}", case.name, shown(&found)));
        assert!(named.place.is_some() && named.line.is_some(), "{}: {}", case.name, shown(&found));
        assert!(found.len() <= 6, "{}: one fault makes many findings\n{}", case.name, shown(&found));
    }
}

/// What the project's own writer makes of a showcase, with every version and setting.
#[test]
fn what_the_writer_writes_is_as_asked() {
    let (_, objects) = showcase();
    let node = objects.nodes[0].clone();
    let detectors = [
        LocalDetector::None,
        LocalDetector::Cidr("10.64.0.0/16".parse().unwrap()),
        LocalDetector::Bridge("cni0".into()),
        LocalDetector::InterfacePrefix("veth".into()),
    ];
    for version in Version::ALL {
        for detector in &detectors {
            for masquerade_all in [false, true] {
                for large in [false, true] {
                    let mut config = Config::new(version);
                    config.node_name.clone_from(&node.name);
                    config.node_ip = Some(node.addresses[0].address);
                    config.local_detector = detector.clone();
                    config.masquerade_all = masquerade_all;
                    config.masquerade_bit = if large { 5 } else { 14 };
                    if large {
                        config.large_cluster_endpoints = 0;
                    }
                    config.nfacct = true;
                    config.localhost_nodeports = large;
                    let rules = KubeProxy::new(config).rules(&objects.services, &objects.slices);
                    let place =
                        format!("{version} {detector:?} masquerade all {masquerade_all}, large {large}");
                    let found = findings(&rules.save(), &objects, Some(&node.name));
                    assert!(found.is_empty(), "{place}:\n{}", shown(&found));
                }
            }
        }
    }
}

/// A rule of kube-proxy that can be lost without a difference: one without target, of which 1.27 and
/// later write one into each KUBE-FW chain.
fn does_nothing(line: &str) -> bool {
    !line.contains(" -j ") && !line.contains(" -g ")
}

/// Allowed to be lost, and told as a note: INVALID packets are let through where
/// `nf_conntrack_tcp_be_liberal` is set.
fn is_a_choice(line: &str) -> bool {
    line.starts_with("-A KUBE-FORWARD ") && line.contains("--ctstate INVALID")
}

#[test]
fn no_rule_can_be_lost_unnoticed() {
    let (text, objects) = showcase();
    let node = objects.nodes[0].name.clone();
    let lines: Vec<&str> = text.lines().collect();
    let rules = lines.iter().enumerate().filter(|(_, line)| line.starts_with("-A "));
    let mut unnoticed = Vec::new();
    for (at, line) in rules.filter(|(_, line)| !does_nothing(line) && !is_a_choice(line)) {
        let left: Vec<&str> =
            lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, line)| *line).collect();
        if findings(&(left.join("\n") + "\n"), &objects, Some(&node)).is_empty() {
            unnoticed.push(*line);
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[test]
fn an_endpoint_that_no_slice_has_is_stale() {
    let (text, mut objects) = showcase();
    let node = objects.nodes[0].name.clone();
    let slice = objects.slices.iter_mut().find(|slice| slice.service == "web-nodeport").unwrap();
    let gone = slice.endpoints.remove(1).address;
    let found = findings(&text, &objects, Some(&node));
    let stale = found.iter().find(|finding| finding.code == "endpoint-stale").unwrap();
    assert!(stale.message.contains(&format!("endpoint {gone}:8080")), "{}", stale.message);
    assert!(stale.message.contains("no slice has it"), "{}", stale.message);
    assert_eq!(stale.object.as_deref(), Some("service demo/web-nodeport:http"));
    assert!(stale.place.as_ref().unwrap().to_string().starts_with("nat/KUBE-SEP-"));
}

#[test]
fn a_service_that_no_object_has_is_stale_and_one_without_rules_is_missing() {
    let (text, mut objects) = showcase();
    let node = objects.nodes[0].name.clone();
    let at = objects.services.iter().position(|service| service.name == "seven").unwrap();
    let mut moved = objects.services.remove(at);
    moved.name = "eight".into();
    objects.services.push(moved);
    let found = findings(&text, &objects, Some(&node));
    let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["service-missing", "service-stale"]);
}

#[test]
fn chains_that_nothing_leads_to_are_a_note_and_no_fault() {
    let (text, objects) = showcase();
    let node = objects.nodes[0].name.clone();
    let unreached = "-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-MARK-MASQ\n-A KUBE-MARK-MASQ ";
    let text = text.replace("-A KUBE-MARK-MASQ ", unreached);
    let options = Options { node: Some(node), ..Options::default() };
    let dump = hookwalk_parser::parse(text);
    let found = Verifier::new(vec![dump], Host::default(), &objects, &options).findings();
    let told: Vec<(&str, Severity)> = found.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!(told, [("chain-unreferenced", Severity::Info)]);
}

#[test]
fn settings_can_be_overruled() {
    let (text, objects) = showcase();
    let node = objects.nodes[0].name.clone();
    let with = |options: Options| {
        let dump = hookwalk_parser::parse(text.clone());
        let options = Options { node: Some(node.clone()), ..options };
        let found = Verifier::new(vec![dump], Host::default(), &objects, &options).findings();
        found.iter().map(|finding| finding.code).collect::<std::collections::BTreeSet<_>>()
    };
    let cidr = |text: &str| vec![text.parse().unwrap()];
    assert!(with(Options { cluster_cidrs: cidr("10.64.0.0/16"), ..Options::default() }).is_empty());
    assert!(
        with(Options { cluster_cidrs: cidr("10.0.0.0/8"), ..Options::default() })
            .contains("detector-differs")
    );
    let all = with(Options { masquerade_all: Some(true), ..Options::default() });
    assert!(all.contains("masquerade-missing"), "{all:?}");
    let addresses = with(Options { nodeport_addresses: cidr("192.0.2.0/24"), ..Options::default() });
    assert!(addresses.contains("setting-differs"), "{addresses:?}");
}
