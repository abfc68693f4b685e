//! Three nodes of one cluster, a Service that works from two of them: which node is stale?
//!
//! `cargo run --bin forensics` compares the rules of three nodes, made here; on dumps of your own:
//! `cargo run --bin forensics node-a.save node-b.save node-c.save`.

#![expect(clippy::print_stdout, reason = "the example shows what it found")]

use std::collections::BTreeMap;

use hookwalk::{Engine, Host, Packet, parse};
use hookwalk_testkit::cluster::{Cluster, Plan, SettingsPlan};

/// What one node does with a request: its outcomes, in words.
fn answer(engine: &Engine, packet: &Packet) -> Vec<String> {
    let Ok(walk) = engine.walk(packet) else { return Vec::new() };
    let outcomes = walk.cases.iter().flat_map(|case| &case.outcomes);
    let mut words: Vec<String> = outcomes
        .map(|o| format!("{} {}:{}", o.verdict.as_str(), o.dst, o.dport.unwrap_or_default()))
        .collect();
    words.sort();
    words.dedup();
    words
}

/// Every cluster IP and port that table nat knows, by the rules' own words.
fn addresses(engine: &Engine) -> Vec<(std::net::IpAddr, hookwalk::types::Protocol, u16)> {
    use hookwalk::extensions::Match;
    let tables = engine.dumps().iter().flat_map(hookwalk::Dump::tables).filter(|table| table.name == "nat");
    let rules = tables.filter_map(|table| table.chain("KUBE-SERVICES")).flat_map(|chain| &chain.rules);
    let read = |rule: &hookwalk::Rule| {
        let port = rule.matches.iter().find_map(|one| match one {
            Match::Tcp(tcp) => tcp.dport,
            Match::Udp(udp) => udp.dport,
            _ => None,
        });
        let port = port?.value.to_string().parse().ok()?;
        Some((rule.base.destination()?.value.address(), rule.base.protocol()?.value, port))
    };
    rules.filter_map(read).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut nodes = Vec::new();
    for file in &files {
        nodes.push((file.clone(), std::fs::read_to_string(file)?));
    }
    if files.is_empty() {
        // node-c missed the last change: an endpoint that is gone is still in its rules.
        let mut cluster = Cluster::planned(&Plan::showcase(SettingsPlan::default()));
        let stale = cluster.rules().save();
        if let Some(slice) = cluster.slices.first_mut() {
            slice.endpoints.pop();
        }
        let fresh = cluster.rules().save();
        for (name, text) in [("node-a", &fresh), ("node-b", &fresh), ("node-c", &stale)] {
            nodes.push((name.to_owned(), text.clone()));
        }
    }
    let engines: Vec<(String, Engine)> = nodes
        .into_iter()
        .map(|(name, text)| (name, Engine::new(vec![parse(text)], Host::default())))
        .collect();
    let mut asked: Vec<_> = engines.iter().flat_map(|(_, engine)| addresses(engine)).collect();
    asked.sort();
    asked.dedup();
    let mut differ = 0;
    for (ip, protocol, port) in asked {
        let packet = Packet::new("10.64.0.200".parse()?, ip)
            .arriving_by("cni0".parse()?)
            .protocol(protocol)
            .source_port(40_000)
            .destination_port(port);
        let mut answers: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
        for (name, engine) in &engines {
            answers.entry(answer(engine, &packet)).or_default().push(name);
        }
        if answers.len() > 1 {
            differ += 1;
            println!("{ip} {protocol} {port}");
            for (answer, names) in answers {
                println!("  {:24} {}", names.join(", "), answer.join(", "));
            }
        }
    }
    println!("{differ} addresses differ between {} nodes", engines.len());
    Ok(())
}
