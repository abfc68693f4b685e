//! A node with the rules of both backends.

use std::collections::BTreeMap;

use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{Backend, Context, EngineArbiter, KernelArbiter, Scene, Shot};
use hookwalk_testkit::packets::aimed_at;
use hookwalk_testkit::ruleset::Ruleset;
use hookwalk_testkit::topology::Topology;

use crate::common::{has_kernel, host, is_ci, setting};

/// No dump tells which backend's rules run first, so a walk that depends on it has two cases; the kernel does
/// one of them, and on one node always the same.
#[test]
fn both_backends_on_one_node_walk_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let rulesets = setting("HOOKWALK_RULESETS", if is_ci() { 30 } else { 6 });
    let topology = Topology::default();
    let mut differences = Vec::new();
    let (mut pairs, mut split) = (0, 0);
    let mut kernel = KernelArbiter::new();
    for seed in first..first + rulesets {
        let family = if seed % 2 == 0 { Family::V4 } else { Family::V6 };
        let [legacy, nft] = [seed, seed + 1_000_000].map(|seed| {
            // What a set or the memory of rules answers is compared elsewhere.
            let sets = (seed..).step_by(2_000_000).map(|seed| Ruleset::random(seed, family, &topology));
            sets.filter(|ruleset| ruleset.sets.is_empty()).find(|ruleset| !ruleset.is_exotic()).unwrap()
        });
        let scenes = [(Backend::Legacy, &legacy), (Backend::Nft, &nft)].map(|(backend, ruleset)| Scene {
            backend,
            family,
            topology: topology.clone(),
            sets: String::new(),
            rules: ruleset.to_string(),
            context: Context::default(),
        });
        kernel.place_all(&scenes).unwrap();
        let saved = scenes.each_ref().map(|scene| kernel.saved(scene).unwrap());
        let mut engine = EngineArbiter::new(host);
        engine.place_all(&saved).unwrap();
        let specs = aimed_at(&legacy, &topology, seed, 50);
        let seen = kernel.answer_all(&specs).unwrap();
        // Which order each table can have, by what the packets so far have shown.
        let mut orders = BTreeMap::<String, bool>::new();
        for (spec, mut seen) in specs.iter().zip(seen) {
            pairs += 1;
            // Outcomes that differ in the order of rules alone are one.
            seen.steps.clear();
            let walk = engine.walk(&Shot::first(spec)).unwrap();
            split += usize::from(walk.cases.len() > 1);
            let mut fitting = Vec::new();
            for case in &walk.cases {
                let agrees = case.assume.iter().all(|a| orders.get(&a.what).is_none_or(|is| *is == a.is));
                let mut outcomes = hookwalk_testkit::arbiter::answers_of(case).into_iter();
                let fits = |mut answer: hookwalk_testkit::arbiter::Answer| {
                    answer.steps.clear();
                    answer.differs(&seen).is_none()
                };
                if agrees && outcomes.any(fits) {
                    fitting.push(case);
                }
            }
            match fitting.as_slice() {
                [] => {
                    differences
                        .push(format!("seed {seed}, {family:?}, {spec}: {seen:#?}\n{:#?}", walk.cases));
                }
                [only] => orders.extend(only.assume.iter().map(|a| (a.what.clone(), a.is))),
                _ => {}
            }
        }
    }
    eprintln!("{pairs} pairs, {split} of them in two cases, {} differences", differences.len());
    assert!(differences.is_empty(), "{} differ; the first:\n{}", differences.len(), differences[0]);
}
