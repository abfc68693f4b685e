//! A rule writer under a property test: the bug is found, and shrunk to what a person can read.
//!
//! `cargo run --bin property_test` prints the counterexample; a writer of your own takes the place of
//! `write`, and `cargo test` that of `main`.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "the example shows what it found; a Service has few endpoints"
)]

use std::fmt::Write;

use hookwalk_testkit::cluster::{Cluster, SettingsPlan, plans};
use hookwalk_testkit::invariants::{self, Trial};
use proptest::strategy::Just;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// The writer under test: cluster IPs alone, each endpoint by chance. It forgets that a draw is only
/// asked when those before it failed.
fn write(cluster: &Cluster) -> String {
    let (mut services, mut chains, mut declared) = (String::new(), String::new(), String::new());
    for (number, service) in cluster.services.iter().enumerate() {
        for (at, port) in service.ports.iter().enumerate() {
            let Some(ip) = service.cluster_ips.first() else { continue };
            let (name, protocol) = (format!("SVC-{number}-{at}"), port.protocol);
            let slices = cluster.slices.iter().filter(|slice| slice.service == service.name);
            let ready: Vec<_> =
                slices.flat_map(|slice| &slice.endpoints).filter(|e| e.ready).map(|e| e.address).collect();
            let target = 8000 + port.port;
            let _ = writeln!(declared, ":{name} - [0:0]");
            let _ = writeln!(services, "-A SERVICES -d {ip} -p {protocol} --dport {} -j {name}", port.port);
            for (left, endpoint) in (1..=ready.len()).rev().zip(&ready) {
                let to = std::net::SocketAddr::new(*endpoint, target);
                // The bug: it must be one in `left`, those that are left.
                let chance = match left {
                    1 => String::new(),
                    _ => {
                        format!("-m statistic --mode random --probability {:.10} ", 1.0 / ready.len() as f64)
                    }
                };
                let _ = writeln!(chains, "-A {name} -p {protocol} {chance}-j DNAT --to-destination {to}");
            }
        }
    }
    format!(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:SERVICES - [0:0]\n{declared}\
         -A PREROUTING -j SERVICES\n-A OUTPUT -j SERVICES\n{services}{chains}COMMIT\n"
    )
}

fn main() {
    // IPv4 under default settings; clusters with any number of Services of any kind.
    let clusters = plans(Just(SettingsPlan::default()));
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let property = |plan: hookwalk_testkit::cluster::Plan| {
        let cluster = Cluster::planned(&plan);
        let rules = write(&cluster);
        let found = invariants::shares(&Trial::new(&rules, &cluster));
        found.map_err(|counterexample| TestCaseError::fail(counterexample.to_string()))
    };
    match runner.run(&clusters, property) {
        Ok(()) => println!("no counterexample"),
        Err(TestError::Fail(reason, plan)) => {
            println!("{reason}\n");
            for service in &plan.services {
                let (ports, endpoints) = (service.ports.len(), service.endpoints.len());
                println!("in a cluster with a Service of {ports} port and {endpoints} endpoints");
            }
        }
        Err(TestError::Abort(reason)) => println!("the test itself went wrong: {reason}"),
    }
}
