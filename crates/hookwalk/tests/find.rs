//! `find`: the cases of testdata/find, and that no rule is left out that a packet meets.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what is wrong by failing")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hookwalk::kube::find::{Found, find};
use hookwalk::types::Protocol;
use hookwalk::{Dump, Engine, Host, Packet, PacketState, context, parse};
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    dumps: Vec<String>,
    #[serde(default)]
    node_ip: Vec<IpAddr>,
    #[serde(default)]
    addr: Vec<String>,
    #[serde(default)]
    route: Vec<String>,
    what: String,
    #[serde(default)]
    goals: Vec<String>,
    #[serde(default)]
    told: Vec<Told>,
    #[serde(default)]
    absent: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    origin: String,
    stage: String,
    rules: Vec<String>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// A file of testdata, or of the folder of shared dumps beside the checkout; none where that is not there.
fn text(name: &str) -> Option<String> {
    match name.strip_prefix("shared:") {
        Some(shared) => {
            let folder = testdata().join("../../shared");
            if !folder.is_dir() {
                assert!(std::env::var_os("CI").is_none(), "../shared is not there");
                eprintln!("skipped: ../shared is not there");
                return None;
            }
            Some(std::fs::read_to_string(folder.join(shared)).unwrap())
        }
        None => Some(std::fs::read_to_string(testdata().join(name)).unwrap()),
    }
}

#[test]
fn the_cases_are_told_as_written() {
    let file: File = toml::from_str(&text("find/cases.toml").unwrap()).unwrap();
    for case in file.case {
        let dumps: Option<Vec<Dump>> = case.dumps.iter().map(|name| Some(parse(text(name)?))).collect();
        let Some(dumps) = dumps else { continue };
        let mut host = case.node_ip.iter().fold(Host::default(), |host, ip| host.with_node_address(*ip));
        for name in &case.addr {
            host = host.with_interface_addresses(context::addresses(&text(name).unwrap()).0);
        }
        for name in &case.route {
            host = host.with_routes(context::routes(&text(name).unwrap()).0);
        }
        let found = find(&dumps, &host, &case.what.parse().unwrap()).unwrap();
        if !case.goals.is_empty() {
            let goals: Vec<String> = found.goals.iter().map(ToString::to_string).collect();
            assert_eq!(goals, case.goals, "{}", case.name);
        }
        for told in &case.told {
            let way = found.ways.iter().find(|way| way.origin.as_str() == told.origin).unwrap();
            let stage = way
                .stages
                .iter()
                .find(|stage| format!("{} {}", stage.table.name(), stage.hook.name()) == told.stage)
                .unwrap();
            let rules: Vec<String> = stage
                .rules
                .iter()
                .map(|rule| {
                    let number = rule.at.rule.map_or_else(|| "policy".to_owned(), |rule| rule.to_string());
                    format!("{} {}/{number} {}", rule.at.line.unwrap(), rule.at.chain, rule.sentence)
                })
                .collect();
            assert_eq!(rules, told.rules, "{}", case.name);
        }
        let all = rules_of(&found);
        for absent in &case.absent {
            assert!(!all.contains(absent), "{}: {absent} is told", case.name);
        }
    }
}

fn rules_of(found: &Found) -> BTreeSet<String> {
    let stages = found.ways.iter().flat_map(|way| &way.stages);
    stages.flat_map(|stage| &stage.rules).map(|rule| rule.at.to_string()).collect()
}

/// Every rule that some outcome of the walk matched is among those told of the packet's destination.
fn holds_all(dumps: &[Dump], engine: &Engine, packet: &Packet) -> Result<(), String> {
    let Ok(walk) = engine.walk(packet) else { return Ok(()) };
    let mut what = match packet.dport {
        Some(port) => std::net::SocketAddr::new(packet.dst, port).to_string(),
        None => packet.dst.to_string(),
    };
    what.push('/');
    what.push_str(&packet.protocol.to_string());
    let Ok(found) = find(dumps, engine.host(), &what.parse().map_err(|e| format!("{e}"))?) else {
        return Ok(());
    };
    if found.ways.iter().any(|way| way.truncated) {
        return Ok(());
    }
    let told = rules_of(&found);
    for outcome in walk.cases.iter().flat_map(|case| &case.outcomes) {
        for rule in outcome.matched_rules.iter().flatten() {
            if !told.contains(&rule.to_string()) {
                return Err(format!("{what}: {rule} (line {:?}) is not told", rule.line));
            }
        }
    }
    Ok(())
}

/// Real rules, and the addresses and ports that they name.
fn real() -> Vec<Vec<Dump>> {
    let names = [
        "docker-ee/node-legacy.save",
        "docker-ee/node-nft.save",
        "kube-proxy/showcase4-legacy.save-c",
        "kube-proxy/showcase6-legacy.save",
        "shared:kube-proxy/k8s-1.17-legacy-showcase-v4.save",
        "shared:kube-proxy/k8s-1.30.3-legacy-showcase-v6.save",
        "shared:corpus/kube-iptables/azure-npm-v2.txt",
        "shared:corpus/kube-iptables/kind-1.23.5-traefik.txt",
        "shared:corpus/kube-iptables/weave-kubeadm-1.11-broken-bridge.txt",
        "shared:corpus/cni/calico-felix-fv-only-cali.txt",
        "shared:corpus/mesh/istio-1.12-sidecar-pod.txt",
        "shared:corpus/mesh/kuma-alpine-3-nft.txt",
        "shared:corpus/docker/containern-topos1.txt",
        "shared:corpus/kube-ipvs/calico-vxlan-nat.v1.8.4.txt",
    ];
    names.iter().filter_map(|name| Some(vec![parse(text(name)?)])).collect()
}

/// Every address and port that the text of a dump names.
fn named(dump: &Dump) -> (Vec<IpAddr>, Vec<u16>) {
    let text = String::from_utf8_lossy(dump.text());
    let words: BTreeSet<&str> = text.split([' ', '/', '\n', ',']).collect();
    let addresses = words.iter().filter_map(|word| {
        word.parse().ok().or_else(|| Some(word.parse::<std::net::SocketAddr>().ok()?.ip()))
    });
    // What no rule names comes too.
    let others = ["192.0.2.7", "10.96.0.1", "127.0.0.1", "fd00:99::7"].map(|text| text.parse().unwrap());
    (addresses.chain(others).collect(), words.iter().filter_map(|word| word.parse().ok()).collect())
}

#[test]
fn no_rule_is_left_out_that_a_packet_meets() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24);
    for dumps in real() {
        let (addresses, ports) = named(&dumps[0]);
        let host = Host::default().with_node_address(addresses[0]);
        let engines = [Engine::new(dumps.clone(), Host::default()), Engine::new(dumps.clone(), host)];
        let picks =
            (0..addresses.len(), 0..addresses.len(), 0..ports.len().max(1), 0..4_u8, 0..5_u8, 0..8_u8);
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        runner
            .run(&picks, |(src, dst, port, protocol, way, state)| {
                let (src, dst) = (addresses[src], addresses[dst]);
                let mut packet =
                    Packet::new(src, dst).protocol(if protocol == 0 { Protocol::UDP } else { Protocol::TCP });
                if let Some(&port) = ports.get(port).filter(|_| protocol != 3) {
                    packet = packet.destination_port(port);
                }
                packet = match way {
                    0 => packet,
                    1 => packet.arriving_by("eth0".parse().unwrap()),
                    2 => packet.arriving_by("cali12345".parse().unwrap()),
                    _ => packet.arriving_by("cni0".parse().unwrap()),
                };
                packet.state = match state {
                    0 => PacketState::Second,
                    1 => PacketState::Established,
                    2 => PacketState::Invalid,
                    _ => PacketState::New,
                };
                for engine in &engines {
                    // A packet from an address of the node that arrives is dropped before it goes on, and
                    // one to be sent has to be from there: neither is what `find` is asked about.
                    let own = engine.host().is_local(src);
                    if own == Some(packet.in_interface.is_some()) {
                        continue;
                    }
                    holds_all(&dumps, engine, &packet).map_err(proptest::test_runner::TestCaseError::fail)?;
                }
                Ok(())
            })
            .unwrap();
    }
}
