//! Embedding: a dump, a node and a question become an answer. No I/O in the library.
//!
//! `cargo run --bin embed` asks where a Pod's request to a web Service of the embedded dump goes.

#![expect(clippy::print_stdout, reason = "the example shows what it found")]

use hookwalk::{Engine, Host, Packet, Verdict, parse};

const DUMP: &str = include_str!("../../../testdata/kube-proxy/showcase4.rules");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. Text becomes typed rules; what was not understood is told, and everything else is used.
    let dump = parse(DUMP);
    for diagnostic in dump.diagnostics() {
        println!("line {}: {}", diagnostic.line, diagnostic.message);
    }

    // 2. Rules and what is known of the node become an engine. It can be kept, and shared by threads.
    let host = Host::default().with_node_address("192.0.2.10".parse()?);
    let engine = Engine::new(vec![dump], host);

    // 3. A packet is walked; without unknowns there is one case with all its outcomes.
    let request = Packet::new("10.64.0.50".parse()?, "10.96.0.20".parse()?)
        .arriving_by("cni0".parse()?)
        .source_port(40_000)
        .destination_port(80);
    let walk = engine.walk(&request)?;
    for outcome in walk.cases.iter().flat_map(|case| &case.outcomes) {
        let share = outcome.probability.to_f64() * 100.0;
        let port = outcome.dport.unwrap_or_default();
        match outcome.verdict {
            Verdict::Forwarded => println!("{share:5.2} % to {}:{port}", outcome.dst),
            other => println!("{share:5.2} % {}", other.as_str()),
        }
        if let Some(rule) = &outcome.dnat_by {
            let text = String::from_utf8_lossy(engine.text(rule));
            println!("        line {}: {text}", rule.line.unwrap_or_default());
        }
    }
    Ok(())
}
