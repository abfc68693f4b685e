//! Random clusters: the rules that kube-proxy writes for them, and packets aimed at their Services.

use std::collections::BTreeMap;
use std::time::Instant;

use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{
    Arbiter as _, Backend, Context, EngineArbiter, KernelArbiter, Moment, Scene, Shot, shot_of,
};
use hookwalk_testkit::cluster::Cluster;
use hookwalk_testkit::topology::{Hop, Interface, Route, Subnet, Topology};

use crate::common::{has_kernel, host, is_ci, setting};

/// The node of a cluster: an uplink with its addresses, and the interface to its Pods.
fn topology(cluster: &Cluster) -> Topology {
    let family = cluster.config.family;
    let (bits, everywhere) = if family == Family::V4 { (32, "0.0.0.0") } else { (128, "::") };
    let own = cluster.node_addresses.iter().filter(|own| Family::of(**own) == family);
    let uplink = cluster.uplink.to_string();
    let pods = cluster.pod_interface.to_string();
    let interfaces = vec![
        Interface { name: uplink.clone(), addresses: own.map(|own| Subnet::new(*own, bits)).collect() },
        Interface { name: pods.clone(), addresses: vec![] },
    ];
    let mut routes = vec![Route::new(Subnet::new(everywhere.parse().unwrap(), 0), Hop::Device(uplink))];
    let endpoints = cluster.slices.iter().flat_map(|slice| &slice.endpoints);
    let local = endpoints.filter(|endpoint| endpoint.node.as_ref() == Some(&cluster.config.node_name));
    let mut addresses: Vec<_> = local.map(|endpoint| endpoint.address).chain([cluster.local_pod]).collect();
    addresses.retain(|address| Family::of(*address) == family && !cluster.is_own(*address));
    addresses.sort_unstable();
    addresses.dedup();
    let to_pods =
        addresses.into_iter().map(|pod| Route::new(Subnet::new(pod, bits), Hop::Device(pods.clone())));
    routes.extend(to_pods);
    let localnet = cluster.host().sysctls.all4.route_localnet == Some(true);
    let sysctls = localnet.then(|| ("net.ipv4.conf.all.route_localnet".to_owned(), "1".to_owned()));
    Topology { interfaces, routes, sysctls: sysctls.into_iter().collect(), ..Topology::default() }
}

#[derive(Default)]
struct Tally {
    pairs: usize,
    verdicts: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

fn run(backend: Backend, seeds: std::ops::Range<u64>) -> Tally {
    let (mut kernel, mut engine) = (KernelArbiter::new(), EngineArbiter::new(host));
    let mut tally = Tally::default();
    for seed in seeds {
        let cluster = Cluster::random(seed);
        let scene = Scene {
            backend,
            family: cluster.config.family,
            topology: topology(&cluster),
            sets: String::new(),
            rules: cluster.rules().restore(),
            context: Context::default(),
        };
        if let Err(error) = kernel.place(&scene) {
            tally.wrong.push(format!("seed {seed}: {error}\n{}", scene.rules));
            continue;
        }
        let saved = kernel.saved(&scene).unwrap();
        engine.place(&saved).unwrap();
        let shots = cluster.probes().into_iter().filter_map(|probe| shot_of(&probe.packet));
        for (number, first) in shots.enumerate().filter(|(number, _)| number % 2 == 0).take(60) {
            // Each third one is followed by one of its later packets.
            let later =
                [Moment::Second, Moment::Reply, Moment::Established].into_iter().cycle().nth(number / 6);
            let later = later.filter(|_| number % 6 == 0).map(|moment| Shot { moment, ..first.clone() });
            for shot in [Some(first), later].into_iter().flatten() {
                let Some(seen) = kernel.answer(&shot).unwrap().possible.pop() else { continue };
                tally.pairs += 1;
                let verdict = seen.verdict.split(' ').next().unwrap_or_default().to_owned();
                *tally.verdicts.entry(verdict).or_default() += 1;
                let answers = engine.answer(&shot).unwrap();
                let unknown = answers.unknown.first().map(|unknown| format!("unknown: {unknown:?}"));
                if let Some(why) = answers.agree(&seen).err().or(unknown) {
                    let Shot { first, moment } = &shot;
                    let what = format!("seed {seed}, {backend:?}, {} of {first}: {why}", moment.name());
                    tally.wrong.push(format!("{what}\n{}\n{}", saved.rules, saved.context.route));
                }
            }
        }
    }
    tally
}

#[test]
fn services_are_served_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let seeds = first..first + setting("HOOKWALK_CLUSTERS", if is_ci() { 60 } else { 5 });
    let start = Instant::now();
    let threads = Backend::ALL.map(|backend| {
        let seeds = seeds.clone();
        std::thread::spawn(move || run(backend, seeds))
    });
    let mut tally = Tally::default();
    for thread in threads {
        let other = thread.join().unwrap();
        tally.pairs += other.pairs;
        tally.wrong.extend(other.wrong);
        for (verdict, count) in other.verdicts {
            *tally.verdicts.entry(verdict).or_default() += count;
        }
    }
    let Tally { pairs, verdicts, wrong } = tally;
    eprintln!(
        "clusters {seeds:?}: {pairs} pairs in {:?}, {} differences, {verdicts:?}",
        start.elapsed(),
        wrong.len()
    );
    for line in wrong.iter().skip(1).take(20).filter_map(|wrong| wrong.lines().next()) {
        eprintln!("{line}");
    }
    assert!(wrong.is_empty(), "{} of {pairs} differ; the first:\n{}", wrong.len(), wrong.first().unwrap());
}
