//! Runs the cases of testdata/dns, whose format its README.md describes.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::net::IpAddr;
use std::path::Path;

use hookwalk::kube::dns::{ResolvConf, check};
use hookwalk::{Engine, Host, context, parse};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    node: Node,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    dump: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    file: Option<String>,
    addr: Option<String>,
    route: Option<String>,
    ipset: Option<String>,
    node_ip: Option<Vec<IpAddr>>,
    pod: Option<Vec<IpAddr>>,
    resolv_conf: Option<String>,
    /// Lines of the small node that start so are left out.
    #[serde(default)]
    without: Vec<String>,
    insert: Option<Insert>,
    /// The small node ends behind this line.
    cut_behind: Option<String>,
    answers: Vec<String>,
    endpoints: Option<Vec<String>>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    fails: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Insert {
    behind: String,
    text: String,
}

fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)).unwrap()
}

fn dump(case: &Case, node: &Node) -> String {
    if let Some(file) = &case.file {
        return text(file);
    }
    let mut out = String::new();
    let mut inserted = false;
    for line in node.dump.trim_start().lines() {
        if case.without.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if let Some(insert) =
            case.insert.as_ref().filter(|insert| !inserted && line.starts_with(&insert.behind))
        {
            out.push_str(&insert.text);
            out.push('\n');
            inserted = true;
        }
        if case.cut_behind.as_ref().is_some_and(|cut| line.starts_with(cut)) {
            break;
        }
    }
    assert!(inserted || case.insert.is_none(), "{}: no line to insert behind", case.name);
    out
}

fn host(case: &Case) -> Host {
    let default = || match case.addr {
        None => vec!["192.168.50.10".parse().unwrap()],
        Some(_) => Vec::new(),
    };
    let addresses = case.node_ip.clone().unwrap_or_else(default);
    let mut host = addresses.into_iter().fold(Host::default(), Host::with_node_address);
    if let Some(file) = &case.addr {
        host = host.with_interface_addresses(context::addresses(&text(file)).0);
    }
    if let Some(file) = &case.route {
        host = host.with_routes(context::routes(&text(file)).0);
    }
    for (name, set) in case.ipset.iter().flat_map(|file| context::ipsets(&text(file)).0) {
        host = host.with_set(name, set);
    }
    host
}

#[test]
fn each_case_is_answered_as_written() {
    let file: File = toml::from_str(&text("dns/cases.toml")).unwrap();
    for case in &file.case {
        let engine = Engine::new(vec![parse(dump(case, &file.node))], host(case));
        let pods = case.pod.clone().unwrap_or_else(|| vec!["10.0.0.5".parse().unwrap()]);
        let conf = case.resolv_conf.as_deref().unwrap_or("nameserver 10.96.0.10\n");
        let report = check(&engine, &pods, &ResolvConf::read(conf));
        let answers: Vec<String> = report
            .queries
            .iter()
            .map(|query| format!("{} {} {}", query.server, query.protocol, query.answer.as_str()))
            .collect();
        assert_eq!(answers, case.answers, "{}: {:?}", case.name, report.findings);
        if let Some(expected) = &case.endpoints {
            let endpoints = report.queries.first().unwrap().endpoints.iter();
            let endpoints: Vec<String> = endpoints.map(|e| format!("{} {}", e.address, e.share)).collect();
            assert_eq!(&endpoints, expected, "{}", case.name);
        }
        assert_eq!(report.fails(), case.fails, "{}", case.name);
        let mut said: Vec<&str> = report.assumed.iter().map(String::as_str).collect();
        said.extend(report.findings.iter().map(|finding| finding.message.as_str()));
        for query in &report.queries {
            said.push(&query.reason);
            said.extend(query.notes.iter().map(String::as_str));
        }
        for words in &case.says {
            assert!(
                said.iter().any(|text| text.contains(words)),
                "{}: `{words}` not in {said:#?}",
                case.name
            );
        }
    }
}
