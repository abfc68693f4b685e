//! Where does this packet go? `verdict [DUMP SRC DST PROTO DPORT [IN]]`
//!
//! Without arguments: the DNS query of the article's Pod, on the article's node.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program that prints")]

use std::error::Error;

use hookwalk::{Engine, Host, Outcome, Packet, context, parse};

macro_rules! testdata {
    ($file:literal) => {
        include_str!(concat!("../../../testdata/docker-ee/", $file))
    };
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (engine, packet) = match words.as_slice() {
        [] => {
            (article_node(), packet("192.168.200.156", "10.96.0.10", "udp", "53", Some("caliea9ab1b00b2"))?)
        }
        [file, src, dst, proto, dport, rest @ ..] if rest.len() < 2 => {
            let dump = parse(std::fs::read(file)?);
            for diagnostic in dump.diagnostics() {
                eprintln!("{file}:{diagnostic}");
            }
            (Engine::new(vec![dump], Host::default()), packet(src, dst, proto, dport, rest.first().copied())?)
        }
        _ => return Err("usage: verdict [DUMP SRC DST PROTO DPORT [IN]]".into()),
    };
    for (number, case) in engine.walk(&packet)?.cases.iter().enumerate() {
        for assumption in &case.assume {
            println!("case {}: {}{}", number + 1, if assumption.is { "" } else { "not: " }, assumption.what);
        }
        for outcome in &case.outcomes {
            print(&engine, outcome);
        }
    }
    Ok(())
}

/// The node of the article, with all that was saved of it.
fn article_node() -> Engine {
    let host = Host::default()
        .with_interface_addresses(context::addresses(testdata!("ip-addr.txt")).0)
        .with_routes(context::routes(testdata!("ip-route.txt")).0)
        .with_routing_rules(context::rules(testdata!("ip-rule.txt")).0);
    let sets = context::ipsets(testdata!("ipset.txt")).0;
    let host = sets.into_iter().fold(host, |host, (name, set)| host.with_set(name, set));
    Engine::new(vec![parse(testdata!("node-legacy.save"))], host)
}

fn packet(
    src: &str,
    dst: &str,
    proto: &str,
    dport: &str,
    in_: Option<&str>,
) -> Result<Packet, Box<dyn Error>> {
    let packet =
        Packet::new(src.parse()?, dst.parse()?).protocol(proto.parse()?).destination_port(dport.parse()?);
    Ok(match in_ {
        Some(name) => packet.arriving_by(name.parse()?),
        None => packet,
    })
}

fn print(engine: &Engine, outcome: &Outcome) {
    let port = outcome.dport.map(|port| format!(":{port}")).unwrap_or_default();
    let dnat = if outcome.dnat { format!("DNAT to {}{port}", outcome.dst) } else { "no DNAT".to_owned() };
    let masquerade = if outcome.masquerade { "masqueraded" } else { "not masqueraded" };
    println!("{}  {dnat}, {masquerade}, {}", outcome.probability, outcome.verdict.as_str());
    for rule in outcome.matched_rules.iter().flatten() {
        let text = engine.text(rule);
        println!("  line {:>4}  {rule:<40} {}", rule.line.unwrap_or(0), String::from_utf8_lossy(text));
    }
}
