//! `services`, `verify` and `diff` as a person or a program calls them.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn testdata(file: &str) -> String {
    format!("{}/../../testdata/kube-proxy/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn hookwalk(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hookwalk")).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The showcase with one line less, in a file of its own.
fn without(name: &str, parts: &[&str]) -> PathBuf {
    let text = std::fs::read_to_string(testdata("showcase4-nft.save")).unwrap();
    let lost = text.lines().position(|line| parts.iter().all(|part| line.contains(part))).unwrap();
    let left: Vec<&str> =
        text.lines().enumerate().filter(|(at, _)| *at != lost).map(|(_, line)| line).collect();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, left.join("\n") + "\n").unwrap();
    file
}

#[test]
fn services_have_the_fields_of_the_contract() {
    let output =
        hookwalk(&["services", "--json", "--node-ip", "192.0.2.10", &testdata("showcase4-nft.save")]);
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!(report["schema"], 1);
    let services = report["services"].as_array().unwrap();
    let named = |name: &str| services.iter().find(|service| service["name"] == name).unwrap();
    let ranges = named("lb-ranges");
    assert_eq!(
        (&ranges["namespace"], &ranges["port_name"], &ranges["proto"]),
        (&"demo".into(), &"https".into(), &"tcp".into())
    );
    assert_eq!(ranges["cluster_ips"], serde_json::json!(["10.96.0.22"]));
    assert_eq!((&ranges["port"], &ranges["node_port"]), (&443.into(), &30444.into()));
    assert_eq!(ranges["load_balancer_ips"], serde_json::json!(["203.0.113.22"]));
    assert_eq!(ranges["external_ips"], serde_json::json!([]));
    assert_eq!(ranges["source_ranges"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&ranges["external_policy"], &ranges["internal_policy"]),
        (&"Cluster".into(), &"Cluster".into())
    );
    assert_eq!((&ranges["affinity_seconds"], &ranges["no_endpoints"]), (&Value::Null, &Value::Null));
    let endpoint = &ranges["endpoints"][0];
    assert_eq!((&endpoint["ip"], &endpoint["port"]), (&"10.64.1.5".into(), &8443.into()));
    assert_eq!((&endpoint["share"], &endpoint["p"]), (&"1073741824/2147483648".into(), &0.5.into()));
    assert!(endpoint["line"].is_u64());
    assert_eq!(named("empty")["no_endpoints"], "reject");
    assert_eq!(named("itp-local-none")["no_endpoints"], "drop");
    assert_eq!(named("sticky")["affinity_seconds"], 10800);
    // From outside the ranges the load balancer's address is closed, from a Pod too.
    let reach = ranges["reach"].as_array().unwrap();
    let balancer = reach.iter().find(|reach| reach["kind"] == "load-balancer-ip").unwrap();
    let outside =
        balancer["from"].as_array().unwrap().iter().find(|from| from["vantage"] == "outside").unwrap();
    assert_eq!(outside["ways"][0]["parts"][0]["verdict"], "dropped");
    assert_eq!(outside["ways"][0]["parts"][0]["rule"]["chain"], "KUBE-PROXY-FIREWALL");
}

#[test]
fn verify_ends_with_0_or_1_and_names_what_is_wrong() {
    let objects = testdata("showcase4-objects.json");
    let asked = ["verify", "--json", "--objects", &objects, "--node", "node-1"];
    let whole = hookwalk(&[&asked[..], &[&testdata("showcase4-nft.save")]].concat());
    assert_eq!(whole.status.code(), Some(0));
    assert_eq!(json(&whole)["findings"], serde_json::json!([]));
    assert_eq!(json(&whole)["settings"][0]["detector"], "source in 10.64.0.0/16");

    let broken = without("verify.save", &["-A KUBE-SVC-", "demo/web-nodeport:http -> 10.64.1.3:8080"]);
    let output = hookwalk(&[&asked[..], &[broken.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    let finding = &report["findings"][0];
    assert_eq!((&finding["code"], &finding["severity"]), (&"endpoint-missing".into(), &"error".into()));
    assert_eq!(finding["object"], "service demo/web-nodeport:http");
    assert_eq!((&finding["table"], &finding["chain"]), (&"nat".into(), &"KUBE-SERVICES".into()));
    assert!(finding["rule"].is_u64() && finding["line"].is_u64());
}

#[test]
fn verify_refuses_what_it_cannot_compare() {
    let dump = testdata("showcase4-nft.save");
    let objects = testdata("showcase4-objects.json");
    let output = hookwalk(&["verify", "--objects", &objects, "--node", "node-9", &dump]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no Node `node-9`"));
    let bad = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bad.json");
    std::fs::write(&bad, "{\"kind\":\"Service\"} nonsense").unwrap();
    let output = hookwalk(&["verify", "--objects", bad.to_str().unwrap(), &dump]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn diff_ends_with_1_when_anything_differs() {
    let dump = testdata("showcase4-nft.save");
    let same = hookwalk(&["diff", &dump, &testdata("showcase4-legacy.save-c")]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
    let broken = without("diff.save", &["-A KUBE-SVC-", "demo/lb:https -> 10.64.0.4:8443"]);
    let output = hookwalk(&["diff", "--json", &dump, broken.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert_eq!(report["findings"][0]["code"], "endpoint-differs");
    assert_eq!(report["findings"][0]["object"], "service demo/lb:https");
}
