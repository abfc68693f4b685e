//! Chance tested as chance: the kernel draws endpoints as often as the walk's probabilities say.
//!
//! For every number of endpoints from 2 to 50 the rules of a Service, as kube-proxy writes them, get 20,000
//! packets from the kernel's own dice; the counters of the endpoints' rules are compared with the exact shares
//! of the walk by Pearson's chi-square test. Both backends draw for every number, the family alternates.
//!
//! **The threshold.** One run makes [`TESTS`] comparisons. Each alarms when its p-value is below
//! [`FALSE_ALARMS`] / [`TESTS`], so that all of them together give a false alarm in less than one run in a million
//! (Bonferroni), at 98 + 12 comparisons below 9.1e-9 each. Each endpoint is expected at least 400 times, far beyond
//! the 5 from which on the statistic follows its distribution.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod chi_square;
#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{Arbiter as _, Backend, Context, EngineArbiter, Scene, Shot};
use hookwalk_testkit::kernel::Namespace;
use hookwalk_testkit::packets::PacketSpec;
use hookwalk_testkit::topology::Topology;

use crate::common::{has_kernel, host, is_ci};

/// Draws of each comparison.
const DRAWS: u16 = 20_000;
/// The most false alarms there may be in a run.
const FALSE_ALARMS: f64 = 1e-6;
/// The comparisons of a run in continuous integration; other runs make fewer.
const TESTS: f64 = 98.0 + 12.0;

/// The rules of a Service with so many endpoints. In table raw nothing is tracked and the endpoint drops, which is
/// fast; in nat it is DNAT.
fn rules(table: &str, endpoints: u16, family: Family) -> String {
    let service = if family == Family::V4 { "10.96.0.10/32" } else { "fd00:96::10/128" };
    let mut text = format!("*{table}\n:PREROUTING ACCEPT [0:0]\n:KUBE-SVC - [0:0]\n");
    for number in 1..=endpoints {
        let _ = writeln!(text, ":KUBE-SEP-{number:02} - [0:0]");
    }
    let _ = writeln!(text, "-A PREROUTING -d {service} -p tcp -m tcp --dport 80 -j KUBE-SVC");
    for number in 1..endpoints {
        let share = 1.0 / f64::from(endpoints - number + 1);
        let _ = writeln!(
            text,
            "-A KUBE-SVC -m statistic --mode random --probability {share:.10} -j KUBE-SEP-{number:02}"
        );
    }
    let _ = writeln!(text, "-A KUBE-SVC -j KUBE-SEP-{endpoints:02}");
    for number in 1..=endpoints {
        let target = match (table, family) {
            ("raw", _) => "-j DROP".to_owned(),
            (_, Family::V4) => format!("-p tcp -j DNAT --to-destination 10.2.0.{}:8080", number + 1),
            (_, Family::V6) => format!("-p tcp -j DNAT --to-destination [fd00:2::{:x}]:8080", number + 1),
        };
        let _ = writeln!(text, "-A KUBE-SEP-{number:02} {target}");
    }
    text + "COMMIT\n"
}

/// A packet to the Service from a port of its own, so that each is a connection of its own.
fn packet(number: u16, family: Family) -> PacketSpec {
    let (src, dst) = match family {
        Family::V4 => ("10.1.0.5", "10.96.0.10"),
        Family::V6 => ("fd00:1::5", "fd00:96::10"),
    };
    PacketSpec {
        in_iface: Some("tun1".to_owned()),
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        sport: 10_000 + number,
        dport: 80,
        data: 0,
        ..PacketSpec::default()
    }
}

/// What the walk says: the share of each endpoint's chain.
fn shares(saved: &str, backend: Backend, family: Family) -> BTreeMap<String, f64> {
    let mut engine = EngineArbiter::new(|_| host(&Context::default()));
    let scene = Scene {
        backend,
        family,
        topology: Topology::default(),
        sets: String::new(),
        rules: saved.to_owned(),
        context: Context::default(),
    };
    engine.place(&scene).unwrap();
    let walk = engine.walk(&Shot::first(&packet(0, family))).unwrap();
    let mut shares = BTreeMap::new();
    // What is unknown without context lies behind the draw; the cases do not differ in its shares.
    for outcome in &walk.cases.first().unwrap().outcomes {
        let rules = outcome.matched_rules.as_ref().unwrap();
        let chain = rules.iter().map(|rule| rule.chain.to_string()).find(|name| name.contains("-SEP-"));
        *shares.entry(chain.unwrap()).or_insert(0.0) += outcome.probability.to_f64();
    }
    shares
}

/// Lets the kernel draw, and compares; what is wrong, if anything.
fn compare(
    node: &Namespace,
    backend: Backend,
    family: Family,
    table: &str,
    endpoints: u16,
) -> Option<String> {
    node.load(backend, family, &rules(table, endpoints, family)).unwrap();
    let expected = shares(&node.save(backend, family).unwrap(), backend, family);
    let packets = (0..DRAWS).map(|number| packet(number, family).to_bytes()).collect();
    node.flood("tun1", packets).unwrap();
    let counters = node.save_counters(backend, family).unwrap();
    let mut drawn = BTreeMap::<String, u64>::new();
    for (rule, times) in counters.rules.iter().filter(|(rule, _)| rule.chain.contains("-SEP-")) {
        *drawn.entry(rule.chain.clone()).or_default() += times;
    }
    node.forget_connections().unwrap();
    let total: u64 = drawn.values().sum();
    let what = format!("{backend:?} {family:?} {table} with {endpoints} endpoints");
    if total != u64::from(DRAWS) || expected.len() != usize::from(endpoints) {
        return Some(format!("{what}: {total} draws, {} endpoints", expected.len()));
    }
    let pairs = expected.iter().map(|(chain, share)| {
        let seen = drawn.get(chain).copied().unwrap_or(0);
        (f64::from(u32::try_from(seen).unwrap()), share * f64::from(DRAWS))
    });
    let p = chi_square::p_value(pairs);
    (p < FALSE_ALARMS / TESTS).then(|| format!("{what}: p = {p:e}, drawn {drawn:?}, expected {expected:?}"))
}

#[test]
fn endpoints_are_drawn_as_often_as_the_walk_says() {
    if !has_kernel() {
        return;
    }
    let all: Vec<u16> = if is_ci() { (2..=50).collect() } else { vec![2, 7, 50] };
    let in_nat: &[u16] = if is_ci() { &[2, 3, 5, 10, 25, 50] } else { &[10] };
    let threads = Backend::ALL.map(|backend| {
        let (all, in_nat) = (all.clone(), in_nat.to_vec());
        std::thread::spawn(move || {
            let node =
                Namespace::open(&Topology { track_connections: false, ..Topology::default() }).unwrap();
            node.unwatch().unwrap();
            let raw = all.into_iter().map(|endpoints| ("raw", endpoints));
            let tests: Vec<_> = raw.chain(in_nat.into_iter().map(|endpoints| ("nat", endpoints))).collect();
            let mut wrong = Vec::new();
            for (table, endpoints) in tests {
                let family = if endpoints % 2 == 0 { Family::V4 } else { Family::V6 };
                node.clear().unwrap();
                wrong.extend(compare(&node, backend, family, table, endpoints));
            }
            wrong
        })
    });
    let wrong: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
