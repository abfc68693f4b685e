//! Runs the cases of testdata/flows: packets through kube-proxy's rules, with the right answers.
//! The format is described in testdata/flows/README.md.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::{Path, PathBuf};

use hookwalk::report::{PacketReport, WalkReport};
use hookwalk::{Dump, Engine, Host, Reader, Simulator, context};
use num_bigint::BigUint;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    dumps: Vec<String>,
    /// A dump that stands in the file itself.
    text: Option<String>,
    /// Each dump ends behind this line.
    cut_at_line: Option<usize>,
    /// The flows come one after the other on one host, chance drawn from this seed.
    session: Option<u64>,
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
    /// Files, or lines of `conntrack -L` as they are.
    conntrack: Vec<String>,
    table: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flow {
    name: String,
    packet: PacketReport,
    /// The outcomes of a flow that has one case, with nothing assumed.
    #[serde(default)]
    outcome: Vec<Outcome>,
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    assume: Vec<String>,
    outcome: Vec<Outcome>,
}

type Outcome = serde_json::Map<String, Value>;

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

/// The texts of files; what has a blank in it is a text itself.
fn read_all(names: &[String]) -> String {
    let read = |name: &String| {
        if name.contains(' ') { format!("{name}\n") } else { std::fs::read_to_string(locate(name)).unwrap() }
    };
    names.iter().map(read).collect()
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
    if !context.conntrack.is_empty() {
        let (connections, errors) = context::connections(0, &read_all(&context.conntrack));
        assert_eq!(errors, []);
        host = host.with_connections(connections);
    }
    host.sysctls = context::sysctls(&context.sysctl.join("\n")).0;
    host
}

fn dump(name: &str, file: &File) -> Dump {
    let mut text = std::fs::read(locate(name)).unwrap();
    if let Some(lines) = file.cut_at_line {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let end = ends.take(lines).last().unwrap();
        assert!(end < text.len(), "{name} has no more than {lines} lines");
        text.truncate(end);
    }
    match &file.context.table {
        Some(table) => Reader::new().table(table).parse(text),
        None => Reader::new().parse(text),
    }
}

#[test]
fn flows_end_as_the_files_say() {
    let mut failures = Vec::new();
    let mut run = 0;
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
        let inline = file.text.iter().map(|text| {
            let dump = hookwalk::parse(text.as_bytes());
            assert!(dump.diagnostics().is_empty(), "{name}: {:?}", dump.diagnostics());
            dump
        });
        let dumps = file.dumps.iter().map(|name| dump(name, &file)).chain(inline).collect();
        let engine = Engine::new(dumps, host(&file.context));
        let mut session = file.session.map(|seed| Simulator::new(&engine, seed));
        for flow in &file.flow {
            let packet =
                flow.packet.to_packet().unwrap_or_else(|error| panic!("{name}: {}: {error}", flow.name));
            run += 1;
            let walk = match &mut session {
                Some(session) => session.walk(&packet),
                None => engine.walk(&packet),
            };
            let report = serde_json::to_value(WalkReport::new(&walk.unwrap())).unwrap();
            if let Err(why) = compare(&report, flow) {
                failures.push(format!("{name}: {}: {why}", flow.name));
            }
        }
    }
    eprintln!("{run} flows run");
    assert!(failures.is_empty(), "{} of {run} flows fail:\n{}", failures.len(), failures.join("\n"));
}

fn compare(report: &Value, flow: &Flow) -> Result<(), String> {
    let cases = report["cases"].as_array().unwrap();
    let alone = [(Vec::new(), &flow.outcome)];
    let listed: Vec<_> = flow.case.iter().map(|case| (case.assume.clone(), &case.outcome)).collect();
    let expected = if flow.case.is_empty() { alone.as_slice() } else { listed.as_slice() };
    assert!(flow.case.is_empty() || flow.outcome.is_empty(), "{}: outcomes beside cases", flow.name);
    if cases.len() != expected.len() {
        return Err(format!("{} cases, expected {}: {cases:#?}", cases.len(), expected.len()));
    }
    for (at, (case, (assume, outcomes))) in cases.iter().zip(expected).enumerate() {
        let assumed = assumptions(&case["assume"]);
        if assumed != *assume {
            return Err(format!("case {at}: assumes {assumed:?}, expected {assume:?}"));
        }
        compare_outcomes(&case["outcomes"], outcomes).map_err(|why| format!("case {at}: {why}"))?;
    }
    Ok(())
}

fn compare_outcomes(outcomes: &Value, expected: &[Outcome]) -> Result<(), String> {
    let outcomes = outcomes.as_array().unwrap();
    if outcomes.len() != expected.len() {
        return Err(format!("{} outcomes, expected {}: {outcomes:#?}", outcomes.len(), expected.len()));
    }
    for (at, (outcome, expected)) in outcomes.iter().zip(expected).enumerate() {
        let assumed = Value::from(assumptions(&outcome["assume"]));
        if !expected.contains_key("assume") && assumed != Value::Array(Vec::new()) {
            return Err(format!("outcome {at}: assumes {assumed}"));
        }
        for (field, expected) in expected {
            let found = &outcome[field];
            let same = match field.as_str() {
                "probability" => equal_fractions(found.as_str().unwrap(), expected.as_str().unwrap()),
                "decided_by" | "dnat_by" | "snat_by" => rule_name(found) == *expected,
                "assume" => assumed == *expected,
                "maybe_rules" | "not_in_dump" => sorted(found) == sorted(expected),
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

/// Assumptions as the files write them: the statement, behind `not: ` where it is assumed not to hold.
fn assumptions(list: &Value) -> Vec<String> {
    let statement = |assumption: &Value| {
        let what = assumption["what"].as_str().unwrap();
        if assumption["is"] == true { what.to_owned() } else { format!("not: {what}") }
    };
    list.as_array().unwrap().iter().map(statement).collect()
}

/// A list whose order says nothing; one that is absent is empty.
fn sorted(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut items: Vec<String> = items.iter().map(|item| item.as_str().unwrap().to_owned()).collect();
    items.sort();
    items
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
