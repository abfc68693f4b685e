//! `find`, `lint` and `dns` as commands: what they print, and how they end.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn hookwalk(arguments: &[&str]) -> Output {
    let testdata = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    Command::new(env!("CARGO_BIN_EXE_hookwalk"))
        .args(arguments)
        .current_dir(testdata)
        .env("COLUMNS", "80")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

const NODE: &str = "lint/node.save";

#[test]
fn find_tells_every_rule_with_its_line() {
    let output = hookwalk(&["find", "10.96.0.20:80/tcp", "--node-ip", "192.168.50.10", NODE]);
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output);
    assert!(text.starts_with("packets to 10.96.0.20:80/tcp: cluster IP of shop/web:http\n"), "{text}");
    // The short answer stands before the list.
    let (short, list) = text.split_once("ARRIVING").unwrap();
    assert!(short.contains("  -> 10.0.1.2:8080       50%  line"), "{text}");
    assert!(short.contains("from a Pod                     all 2 endpoints\n"), "{text}");
    assert!(!short.contains("node port"), "{text}");
    assert!(list.contains("nat PREROUTING"), "{text}");
    // "chosen with 1/2 of the packets that come here" is the article's `statistic` rule.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in [
        "KUBE-SVC-PAZJVMNT65J2CTDK/1 marks it for masquerade (0x4000) unless it comes from 10.0.0.0/8",
        "KUBE-SVC-PAZJVMNT65J2CTDK/2 chosen with 1/2 of the packets that come here: endpoint 10.0.1.2:8080",
        "KUBE-SVC-PAZJVMNT65J2CTDK/3 takes what is left (1/2 of all): endpoint 10.0.2.2:8080",
    ] {
        assert!(flat.contains(sentence), "{sentence}\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn find_as_json_names_places_and_depth() {
    let output = hookwalk(&["find", "shop/web", "--node-ip", "192.168.50.10", "--json", NODE]);
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!(report["schema"], 1);
    assert_eq!(report["goals"][0]["address"], "10.96.0.20");
    assert_eq!(report["goals"][1]["kind"], "node port");
    let stage = &report["ways"][0]["stages"][0];
    assert_eq!((stage["table"].as_str(), stage["hook"].as_str()), (Some("nat"), Some("PREROUTING")));
    let rule = &stage["rules"][1];
    assert_eq!((rule["chain"].as_str(), rule["depth"].as_u64()), (Some("KUBE-SERVICES"), Some(1)));
    assert_eq!(rule["comments"][0], "shop/web:http cluster IP");
}

#[test]
fn find_ends_as_the_contract_says() {
    for (what, code) in [("shop/none", 1), ("nothing", 2), ("fd00::1", 3), ("10.0.1.2", 0), (":30080", 0)] {
        assert_eq!(hookwalk(&["find", what, NODE]).status.code(), Some(code), "{what}");
    }
    assert_eq!(hookwalk(&["find", "10.0.1.2", "lint/absent.save"]).status.code(), Some(2));
    assert_eq!(hookwalk(&["find", "10.0.1.2", "lint/README.md"]).status.code(), Some(3));
}

#[test]
fn lint_ends_with_1_on_what_matters_alone() {
    let output = hookwalk(&["lint", NODE]);
    assert_eq!((output.status.code(), text(&output).as_str()), (Some(0), "nothing found\n"));
    // The article's node has notes alone.
    let output = hookwalk(&["lint", "--json", "docker-ee/node-legacy.save"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!json(&output)["findings"].as_array().unwrap().is_empty());
    // One node's rules in both backends.
    let output = hookwalk(&["lint", "--json", "docker-ee/node-legacy.save", "docker-ee/node-nft.save"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    let finding =
        report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "two-backends").unwrap();
    assert_eq!((finding["severity"].as_str(), finding["dump"].as_u64()), (Some("error"), Some(1)));
}

#[test]
fn dns_ends_with_1_when_a_pod_does_not_reach_its_name_server() {
    let folder = std::env::temp_dir().join(format!("hookwalk-dns-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let conf = folder.join("resolv.conf");
    let run = |server: &str, more: &[&str]| {
        std::fs::write(&conf, format!("nameserver {server}\n")).unwrap();
        let mut arguments = vec!["dns", "--resolv-conf", conf.to_str().unwrap(), "--pod", "192.168.200.156"];
        arguments.extend(more);
        arguments.extend(["--addr", "docker-ee/ip-addr.txt", "--route", "docker-ee/ip-route.txt"]);
        arguments.extend(["--ipset", "docker-ee/ipset.txt", "docker-ee/node-legacy.save"]);
        hookwalk(&arguments)
    };
    let output = run("10.96.0.10", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).contains("to 192.168.237.9:53, 100.00%, not masqueraded"), "{}", text(&output));
    let output = run("127.0.0.53", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(report["findings"][0]["code"], "dns-fails");
    assert_eq!(report["servers"][0]["answer"], "fails");
    std::fs::remove_dir_all(&folder).unwrap();
}
