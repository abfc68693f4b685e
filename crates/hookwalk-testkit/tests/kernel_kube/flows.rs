//! The flows of `testdata/flows`: what they say is what the kernel does with the dumps they name.

use std::path::{Path, PathBuf};

use hookwalk::context;
use hookwalk::report::PacketReport;
use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{
    Arbiter as _, Backend, Context, EngineArbiter, KernelArbiter, Moment, Scene, shot_of,
};
use hookwalk_testkit::topology::{Hop, Interface, Route, Subnet, Topology};
use serde::Deserialize;

use crate::common::{has_kernel, host, is_ci};

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    dumps: Vec<String>,
    #[serde(default)]
    cut_at_line: Option<usize>,
    /// Its packets come one after the other on one host.
    #[serde(default)]
    session: Option<u64>,
    context: Told,
    flow: Vec<Flow>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    node_ip: Vec<String>,
    addr: Vec<String>,
    route: Vec<String>,
    ipset: Vec<String>,
    sysctl: Vec<String>,
    table: Option<String>,
    conntrack: Vec<String>,
}

#[derive(Deserialize)]
struct Flow {
    name: String,
    packet: PacketReport,
    #[serde(default)]
    outcome: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    matched_rules: Option<Vec<String>>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// A file of testdata; none of a folder of dumps that is not there.
fn read(name: &str) -> Option<String> {
    let path = match name.strip_prefix("shared:") {
        Some(shared) => testdata().join("../../shared").join(shared),
        None => testdata().join(name),
    };
    std::fs::read_to_string(path).ok()
}

/// The node that a file is about: what it tells of addresses and routes, and else a node of the shape that its
/// README describes, an uplink and a bridge of Pods.
fn topology(file: &File) -> Topology {
    let mut node = Topology { interfaces: vec![], routes: vec![], ..Topology::default() };
    let mut add = |name: &str, subnet: Option<Subnet>| {
        if name == "lo" {
            return;
        }
        match node.interfaces.iter_mut().find(|interface| interface.name == name) {
            Some(interface) => interface.addresses.extend(subnet),
            None => {
                let addresses = subnet.into_iter().collect();
                node.interfaces.push(Interface { name: name.to_owned(), addresses });
            }
        }
    };
    let addr: String = file.context.addr.iter().filter_map(|name| read(name)).collect();
    let told = context::addresses(&addr).0;
    for own in told.iter().filter(|own| own.scope == hookwalk::Scope::Global) {
        add(&own.interface.to_string(), Some(Subnet::new(own.address(), own.prefix_len())));
    }
    if told.is_empty() {
        for address in file.context.node_ip.iter().map(|ip| ip.parse().unwrap()) {
            add("eth0", Some(Subnet::new(address, if address.is_ipv4() { 24 } else { 64 })));
        }
        let pods = file.flow.iter().find(|flow| flow.packet.in_iface.as_deref() == Some("cni0"));
        for pod in pods.iter().filter_map(|flow| flow.packet.src.parse().ok()) {
            let (bits, own) = if Family::of(pod) == Family::V4 { (24, 1) } else { (112, 0xff00) };
            add("cni0", Some(Subnet::new(Subnet::new(pod, bits).nth(own), bits)));
        }
    }
    // Interfaces without an address of their own, such as those of Calico's Pods.
    for name in file.flow.iter().filter_map(|flow| flow.packet.in_iface.as_deref()) {
        add(name, None);
    }
    let routes: String = file.context.route.iter().filter_map(|name| read(name)).collect();
    for line in routes.lines().filter(|line| !line.contains(" table ") && !line.contains("proto kernel")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let to = words.first().copied().unwrap_or_default();
        let after = |word: &str| words.iter().skip_while(|known| **known != word).nth(1);
        // A gateway need not be on-link here: only the interface counts.
        let (to, hop) = match (to, after("dev")) {
            ("blackhole", _) => (words.get(1).copied().unwrap_or_default(), Hop::Blackhole),
            (_, Some(name)) => (to, Hop::Device((*name).to_owned())),
            _ => continue,
        };
        if let Hop::Device(name) = &hop
            && !node.interfaces.iter().any(|interface| interface.name == *name)
        {
            node.interfaces.push(Interface { name: name.clone(), addresses: vec![] });
        }
        let v6 = line.contains(':');
        let everywhere = if v6 { "::/0" } else { "0.0.0.0/0" };
        let to = if to == "default" { everywhere } else { to };
        let (address, bits) = to.split_once('/').unwrap_or((to, if v6 { "128" } else { "32" }));
        node.routes.push(Route::new(Subnet::new(address.parse().unwrap(), bits.parse().unwrap()), hop));
    }
    if routes.is_empty() {
        for everywhere in ["0.0.0.0", "::"] {
            let to = Subnet::new(everywhere.parse().unwrap(), 0);
            node.routes.push(Route::new(to, Hop::Device("eth0".to_owned())));
        }
    }
    let switches = file.context.sysctl.iter().filter_map(|line| line.split_once(" = "));
    node.sysctls.extend(switches.map(|(name, value)| (name.to_owned(), value.to_owned())));
    node
}

#[derive(Default)]
struct Run {
    flows: usize,
    packets: usize,
    wrong: Vec<String>,
}

/// Sends every flow of a file that assumes nothing, as often as its outcomes call for.
fn run(name: &str, file: &File, run: &mut Run) {
    let topology = topology(file);
    let mut kernel = KernelArbiter::new();
    for dump in &file.dumps {
        let Some(rules) = read(dump) else { return };
        let family = if rules.contains("icmp6-") || dump.contains("v6") || dump.contains("showcase6") {
            Family::V6
        } else {
            Family::V4
        };
        let backend = if rules.contains("(nf_tables)") { Backend::Nft } else { Backend::Legacy };
        let sets: String = file.context.ipset.iter().filter_map(|name| read(name)).collect();
        let scene =
            Scene { backend, family, topology: topology.clone(), sets, rules, context: Context::default() };
        if let Err(error) = kernel.place(&scene) {
            run.wrong.push(format!("{name}: {error}"));
            return;
        }
        let mut engine = EngineArbiter::new(host);
        engine.place(&kernel.saved(&scene).unwrap()).unwrap();
        for flow in &file.flow {
            let packet = flow.packet.to_packet().unwrap();
            let shot =
                shot_of(&packet).filter(|shot| shot.first.family() == family && !flow.outcome.is_empty());
            let Some(shot) = shot else { continue };
            run.flows += 1;
            let walked = engine.answer(&shot).unwrap();
            for _ in 0..(flow.outcome.len() * 2).min(12) {
                let Some(seen) = kernel.answer(&shot).unwrap().possible.pop() else { continue };
                run.packets += 1;
                if let Err(why) = walked.agree(&seen) {
                    run.wrong.push(format!("{name}: {}: {why}", flow.name));
                    break;
                }
                let rules: Vec<&str> =
                    seen.steps.iter().filter_map(|step| step.split(" mark ").next()).collect();
                let rules =
                    rules.into_iter().filter(|rule| !rule.ends_with("/return") && !rule.ends_with("/policy"));
                let rules: Vec<&str> = rules.collect();
                let told = flow.outcome.iter().any(|outcome| {
                    let verdict = if outcome.verdict == "dropped" && seen.verdict.starts_with("lost") {
                        true
                    } else {
                        seen.verdict.starts_with(&outcome.verdict)
                    };
                    verdict && outcome.matched_rules.as_ref().is_none_or(|told| *told == rules)
                });
                if !told && shot.moment == Moment::First {
                    run.wrong.push(format!("{name}: {}: not told: {} {rules:?}", flow.name, seen.verdict));
                    break;
                }
            }
        }
    }
}

#[test]
fn flows_are_what_linux_does() {
    if !has_kernel() {
        return;
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(testdata().join("flows")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut all = Run::default();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        // Fragments, and what leaves the node itself open.
        let is_open = ["cut", "article", "unknown"].iter().any(|start| name.starts_with(start));
        let is_short = ["showcase", "docker"].iter().any(|start| name.starts_with(start));
        if is_open || !is_ci() && !is_short {
            continue;
        }
        let file: File = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let is_whole = file.cut_at_line.is_none() && file.context.table.is_none();
        if is_whole && file.session.is_none() && file.context.conntrack.is_empty() {
            run(&name, &file, &mut all);
        }
    }
    let Run { flows, packets, wrong } = all;
    eprintln!("{flows} flows, {packets} packets, {} differences", wrong.len());
    assert!(flows > 50, "{flows}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
