//! The first arbiter: the walk is what Linux does.
//!
//! Random rulesets are loaded into a real kernel and into the engine, and packets sent through both.
//! Verdict, place, rewritten addresses and ports, mark, out interface and every step in order must be
//! equal. Seeds: `HOOKWALK_SEED` (the first), `HOOKWALK_RULESETS`, `HOOKWALK_PACKETS`.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a test says what is wrong by failing, and that it was skipped by printing"
)]

mod compare;
mod model;

use std::collections::BTreeMap;

use hookwalk_engine::{Case, Engine, PacketState};
use hookwalk_parser::{Diagnostic, Severity};
use hookwalk_testkit::kernel::{Backend, Injection, Namespace};
use hookwalk_testkit::packets::aimed_at;
use hookwalk_testkit::ruleset::Ruleset;
use hookwalk_testkit::topology::Topology;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

fn has_kernel() -> bool {
    let Some(reason) = Namespace::missing() else { return true };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot ask the kernel: {reason}");
    #[expect(clippy::print_stderr, reason = "that is how a test says it did nothing")]
    {
        eprintln!("skipped: {reason}");
    }
    false
}

/// The later packets of connections: the first sent again, the answer to it, and the first after that.
#[test]
fn later_packets_walk_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let rulesets = setting("HOOKWALK_RULESETS", 40);
    let topology = Topology::default();
    let host = model::host(&topology);
    let nodes = Backend::ALL.map(|backend| (backend, Namespace::open(&topology).unwrap()));
    let mut differences = Vec::new();
    let mut compared = BTreeMap::<&str, usize>::new();
    for seed in first..first + rulesets {
        let ruleset = Ruleset::random(seed, &topology);
        let specs = aimed_at(&ruleset, &topology, seed, 15);
        for (backend, node) in &nodes {
            node.load(*backend, &ruleset.to_string()).unwrap();
            let engine =
                Engine::new(vec![hookwalk_parser::parse(node.save(*backend).unwrap())], host.clone());
            for spec in &specs {
                node.forget_connections().unwrap();
                let opened = node.send_within_session(Injection::of(spec)).unwrap();
                let Some(reply) = model::reply(spec, &opened, &topology) else { continue };
                let again = model::established(spec);
                for (state, name, sent) in [
                    (PacketState::Second, "second", spec),
                    (PacketState::Reply, "reply", &reply),
                    (PacketState::Established, "established", &again),
                ] {
                    let seen = node.send_within_session(Injection::of(sent)).unwrap();
                    let mut packet = model::packet(spec);
                    packet.state = state;
                    let walk = engine.walk(&packet).unwrap();
                    *compared.entry(name).or_default() += 1;
                    if let Err(why) = compare::same(sent, &seen, Some(*backend), &walk) {
                        differences
                            .push(format!("seed {seed}, {backend:?}, {name} of {spec}: {why}\n{ruleset}"));
                        break;
                    }
                }
            }
        }
    }
    eprintln!("{compared:?}, {} differences", differences.len());
    for difference in differences.iter().skip(1).take(9) {
        eprintln!("{}\n", difference.split("\n*").next().unwrap_or_default());
    }
    assert!(differences.is_empty(), "{} differ; the first:\n{}", differences.len(), differences[0]);
}

/// A node with legacy and nft rules at once. No dump tells which run first, so a walk that depends on it
/// has two cases; the kernel does one of them, and on one node always the same.
#[test]
fn both_backends_on_one_node_walk_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let topology = Topology::default();
    let host = model::host(&topology);
    let node = Namespace::open(&topology).unwrap();
    let mut differences = Vec::new();
    let (mut pairs, mut split) = (0, 0);
    for seed in first..first + setting("HOOKWALK_RULESETS", 20) {
        let rulesets = [Ruleset::random(seed, &topology), Ruleset::random(seed + 1_000_000, &topology)];
        for (backend, ruleset) in Backend::ALL.into_iter().zip(&rulesets) {
            node.load(backend, &ruleset.to_string()).unwrap();
        }
        let dumps = Backend::ALL.map(|backend| hookwalk_parser::parse(node.save(backend).unwrap()));
        let engine = Engine::new(dumps.into(), host.clone());
        let specs = aimed_at(&rulesets[0], &topology, seed, 50);
        let seen = node.send_all(specs.iter().map(Injection::of).collect()).unwrap();
        // Which order each table can have, by what the packets so far have shown.
        let mut orders = BTreeMap::<String, bool>::new();
        for (spec, seen) in specs.iter().zip(&seen) {
            pairs += 1;
            let walk = engine.walk(&model::packet(spec)).unwrap();
            split += usize::from(walk.cases.len() > 1);
            let fits = |case: &&Case| compare::same_case(spec, seen, None, case).is_ok();
            let agrees =
                |case: &&Case| case.assume.iter().all(|a| orders.get(&a.what).is_none_or(|is| *is == a.is));
            let mut fitting: Vec<&Case> = walk.cases.iter().filter(fits).collect();
            fitting.retain(agrees);
            match fitting.as_slice() {
                [] => differences.push(format!("seed {seed}, {spec}: {seen:#?}\n{:#?}", walk.cases)),
                [only] => orders.extend(only.assume.iter().map(|a| (a.what.clone(), a.is))),
                _ => {}
            }
        }
    }
    eprintln!("{pairs} pairs, {split} of them in two cases, {} differences", differences.len());
    assert!(differences.is_empty(), "{} differ; the first:\n{}", differences.len(), differences[0]);
}

#[test]
fn the_walk_is_what_linux_does() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let rulesets = setting("HOOKWALK_RULESETS", 40);
    let packets = usize::try_from(setting("HOOKWALK_PACKETS", 50)).unwrap();
    eprintln!("seeds {first} to {}, {packets} packets each, both backends", first + rulesets - 1);

    let topology = Topology::default();
    let host = model::host(&topology);
    let nodes = Backend::ALL.map(|backend| (backend, Namespace::open(&topology).unwrap()));
    let mut verdicts = BTreeMap::<String, usize>::new();
    let mut differences = Vec::new();
    let mut pairs = 0;
    for seed in first..first + rulesets {
        let ruleset = Ruleset::random(seed, &topology);
        let specs = aimed_at(&ruleset, &topology, seed, packets);
        for (backend, node) in &nodes {
            node.load(*backend, &ruleset.to_string()).unwrap();
            let saved = node.save(*backend).unwrap();
            let dump = hookwalk_parser::parse(saved.clone());
            let errors = dump.diagnostics().iter().filter(|d| d.severity == Severity::Error);
            assert_eq!(errors.collect::<Vec<_>>(), Vec::<&Diagnostic>::new(), "seed {seed}");
            let engine = Engine::new(vec![dump], host.clone());
            assert_eq!(engine.problems(), [], "seed {seed}");
            let seen = node.send_all(specs.iter().map(Injection::of).collect()).unwrap();
            for (spec, seen) in specs.iter().zip(&seen) {
                pairs += 1;
                *verdicts.entry(seen.verdict.name().to_owned()).or_default() += 1;
                let walk = engine.walk(&model::packet(spec)).unwrap();
                if let Err(why) = compare::same(spec, seen, Some(*backend), &walk) {
                    differences.push(format!("seed {seed}, {backend:?}, {spec}: {why}\n{saved}"));
                }
            }
        }
    }
    eprintln!("{pairs} pairs, {} differences; {verdicts:?}", differences.len());
    for difference in differences.iter().skip(1).take(9) {
        eprintln!("{}\n", difference.split("\n#").next().unwrap_or_default());
    }
    assert!(
        differences.is_empty(),
        "{} of {pairs} differ; the first:\n{}",
        differences.len(),
        differences[0]
    );
}
