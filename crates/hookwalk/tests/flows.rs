//! Runs the cases of testdata/flows: packets through kube-proxy's rules, with the right answers.
//! The format is described in testdata/flows/README.md.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::{Path, PathBuf};

use hookwalk::report::{BadPacket, PacketReport, WalkReport};
use hookwalk::{Engine, Host, context, parse};
use num_bigint::BigUint;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    dumps: Vec<String>,
    context: Context,
    flow: Vec<Flow>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Context {
    node_ip: Vec<String>,
    addr: Vec<String>,
    route: Vec<String>,
    rule: Vec<String>,
    ipset: Vec<String>,
    sysctl: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flow {
    name: String,
    packet: PacketReport,
    outcome: Vec<serde_json::Map<String, Value>>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// A file of testdata, or of the folder of shared dumps beside the checkout.
fn locate(name: &str) -> PathBuf {
    match name.strip_prefix("shared:") {
        Some(shared) => testdata().join("../../shared").join(shared),
        None => testdata().join(name),
    }
}

fn read_all(names: &[String]) -> String {
    names.iter().map(|name| std::fs::read_to_string(locate(name)).unwrap()).collect()
}

fn host(context: &Context) -> Host {
    let mut host = Host::default();
    for address in &context.node_ip {
        host = host.with_node_address(address.parse().unwrap());
    }
    if !context.addr.is_empty() {
        host = host.with_interface_addresses(context::addresses(&read_all(&context.addr)).0);
    }
    if !context.route.is_empty() {
        host = host.with_routes(context::routes(&read_all(&context.route)).0);
    }
    if !context.rule.is_empty() {
        host = host.with_routing_rules(context::rules(&read_all(&context.rule)).0);
    }
    for (name, set) in context::ipsets(&read_all(&context.ipset)).0 {
        host = host.with_set(name, set);
    }
    host.sysctls = context::sysctls(&context.sysctl.join("\n")).0;
    host
}

#[test]
fn flows_end_as_the_files_say() {
    let mut failures = Vec::new();
    let (mut run, mut not_built) = (0, 0);
    let mut files: Vec<PathBuf> = std::fs::read_dir(testdata().join("flows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file: File = toml::from_str(&std::fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        if let Some(absent) = file.dumps.iter().find(|dump| !locate(dump).exists()) {
            eprintln!("skipped: {name}: {absent} is not here");
            continue;
        }
        let dumps = file.dumps.iter().map(|dump| parse(std::fs::read(locate(dump)).unwrap())).collect();
        let engine = Engine::new(dumps, host(&file.context));
        for flow in &file.flow {
            let packet = match flow.packet.to_packet() {
                Ok(packet) => packet,
                Err(BadPacket::NotBuilt { .. }) => {
                    not_built += 1;
                    continue;
                }
                Err(error) => panic!("{name}: {}: {error}", flow.name),
            };
            run += 1;
            let report = serde_json::to_value(WalkReport::new(&engine.walk(&packet).unwrap())).unwrap();
            if let Err(why) = compare(&report, &flow.outcome) {
                failures.push(format!("{name}: {}: {why}", flow.name));
            }
        }
    }
    eprintln!("{run} flows run, {not_built} of states that are not built");
    assert!(failures.is_empty(), "{} of {run} flows fail:\n{}", failures.len(), failures.join("\n"));
}

fn compare(report: &Value, expected: &[serde_json::Map<String, Value>]) -> Result<(), String> {
    let cases = report["cases"].as_array().unwrap();
    let [case] = cases.as_slice() else { return Err(format!("{} cases: {cases:#?}", cases.len())) };
    if case["assume"] != Value::Array(Vec::new()) {
        return Err(format!("assumes {}", case["assume"]));
    }
    let outcomes = case["outcomes"].as_array().unwrap();
    if outcomes.len() != expected.len() {
        return Err(format!("{} outcomes, expected {}: {outcomes:#?}", outcomes.len(), expected.len()));
    }
    for (at, (outcome, expected)) in outcomes.iter().zip(expected).enumerate() {
        for (field, expected) in expected {
            let found = &outcome[field];
            let same = match field.as_str() {
                "probability" => equal_fractions(found.as_str().unwrap(), expected.as_str().unwrap()),
                "decided_by" => rule_name(found) == *expected,
                _ => found == expected,
            };
            if !same {
                return Err(format!(
                    "outcome {at}: {field} is {found}, expected {expected}; rules {}",
                    outcome["matched_rules"]
                ));
            }
        }
    }
    Ok(())
}

fn equal_fractions(a: &str, b: &str) -> bool {
    let parse = |text: &str| {
        let (numerator, denominator) = text.split_once('/').unwrap();
        (numerator.parse::<BigUint>().unwrap(), denominator.parse::<BigUint>().unwrap())
    };
    let ((a, a_of), (b, b_of)) = (parse(a), parse(b));
    a * b_of == b * a_of
}

fn rule_name(rule: &Value) -> Value {
    match rule {
        Value::Null => Value::Null,
        rule => {
            let number = rule["rule"].as_str().map_or_else(|| rule["rule"].to_string(), str::to_owned);
            format!("{}/{}/{number}", rule["table"].as_str().unwrap(), rule["chain"].as_str().unwrap()).into()
        }
    }
}
