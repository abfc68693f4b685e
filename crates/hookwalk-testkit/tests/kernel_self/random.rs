//! Random rulesets and packets: traces agree with counters, and the backends with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hookwalk_testkit::Family;
use hookwalk_testkit::kernel::{Backend, Counters, Error, Injection, Namespace, Observation};
use hookwalk_testkit::packets::{PacketSpec, aimed_at};
use hookwalk_testkit::ruleset::Ruleset;
use hookwalk_testkit::topology::Topology;

use crate::has_kernel;

const RULESETS: u64 = 20;
const PACKETS: usize = 500;

/// Sends packets one after the other, each to a node that knows no connections.
fn send_all(node: &Namespace, packets: &[PacketSpec]) -> Result<Vec<Observation>, Error> {
    node.send_all(packets.iter().map(Injection::of).collect())
}

/// Sends the packets that nothing answered once more: what they met, by traces and by counters.
///
/// Counters also count what the kernel sends by itself, so packets with an answer are left out.
fn count(
    node: &Namespace,
    backend: Backend,
    family: Family,
    packets: &[PacketSpec],
    seen: &[Observation],
) -> Result<[Counters; 2], Error> {
    let quiet = packets.iter().zip(seen).filter(|(_, seen)| seen.replies.is_empty());
    let quiet: Vec<PacketSpec> = quiet.map(|(packet, _)| packet.clone()).collect();
    let before = node.save_counters(backend, family)?;
    let mut traced = Counters::default();
    for seen in send_all(node, &quiet)? {
        traced.add(&seen.counts(backend));
    }
    Ok([traced, node.save_counters(backend, family)?.since(&before)])
}

/// An observation without what differs from one sending to the next: identifications in replies, and where
/// NAT draws ports all that holds them. Of the packet as far as both backends show it: nft traces hold the
/// headers alone.
fn comparable(seen: &Observation, shown: usize, draws_ports: bool) -> String {
    let Observation { verdict, packet, mark, hooks, connection, refused, .. } = seen;
    let rewritten = (!draws_ports).then(|| (packet.get(..shown), connection));
    let steps = seen.steps.iter().map(|step| (&step.table, &step.chain, step.at, step.mark));
    let steps: Vec<_> = steps.collect();
    let replies: Vec<_> = seen.replies.iter().map(|reply| (reply.kind, &reply.left_by)).collect();
    format!("{verdict:?} {mark:x} {hooks:?} {refused:?}\n{rewritten:?}\n{replies:?}\n{steps:#?}")
}

/// The rules with each draw forced: the dice of two backends would differ.
fn chance_as_certainty(rules: &str) -> String {
    let mut forced = String::with_capacity(rules.len());
    for (number, part) in rules.split("--probability ").enumerate() {
        let rest = match (number, part.find([' ', '\n'])) {
            (0, _) => part,
            (_, end) => {
                forced.push_str("--probability 1");
                &part[end.unwrap_or(part.len())..]
            }
        };
        forced.push_str(rest);
    }
    forced
}

#[test]
fn traces_agree_with_counters_and_backends_with_each_other() {
    if !has_kernel() {
        return;
    }
    let topology = Topology::default();
    let nodes = Backend::ALL.map(|backend| (backend, Namespace::open(&topology).unwrap()));
    let (mut verdicts, mut rules, mut met) = (BTreeMap::<&str, usize>::new(), 0, 0);
    let (mut loading, mut sending) = (Duration::ZERO, Duration::ZERO);
    for seed in 0..RULESETS {
        let family = if seed % 2 == 0 { Family::V4 } else { Family::V6 };
        let mut ruleset = Ruleset::random(seed, family, &topology);
        // In INPUT the backends have tables security and nat in another order.
        ruleset.tables.retain(|table| table.name != "security");
        // Which processor a packet meets is another one each time.
        let chains = ruleset.tables.iter_mut().flat_map(|table| &mut table.chains);
        for rule in chains.flat_map(|chain| &mut chain.rules) {
            rule.conditions.retain(|condition| condition.ext != "cpu");
        }
        for (_, node) in &nodes {
            node.load_sets(&ruleset.sets_text()).unwrap();
        }

        let text = chance_as_certainty(&ruleset.to_string());
        let packets = aimed_at(&ruleset, &topology, seed, PACKETS);
        let [legacy, nft] = nodes.each_ref().map(|(backend, node)| {
            let start = Instant::now();
            let loaded = node.load(*backend, family, &text);
            assert!(loaded.is_ok(), "seed {seed}, {backend:?}: {loaded:?}\n{text}");
            loading += start.elapsed();
            let start = Instant::now();
            let seen = send_all(node, &packets).unwrap();
            sending += start.elapsed();
            let [traced, counted] = count(node, *backend, family, &packets, &seen).unwrap();
            match family {
                Family::V4 => assert_eq!(traced, counted, "seed {seed}, {backend:?}\n{text}"),
                // An IPv6 host also speaks by itself: neighbour discovery, multicast groups.
                Family::V6 => {
                    let missed = traced.rules.iter().find(|(rule, met)| counted.rules.get(rule) < Some(met));
                    assert_eq!(missed, None, "seed {seed}, {backend:?}\n{text}");
                }
            }
            seen
        });
        let draws_ports = ["--random", "-j SNAT", "--to-ports"].iter().any(|word| text.contains(word));
        for ((packet, legacy), nft) in packets.iter().zip(&legacy).zip(&nft) {
            *verdicts.entry(legacy.verdict.name()).or_default() += 1;
            let shown = legacy.packet.len().min(nft.packet.len());
            let of = |seen| comparable(seen, shown, draws_ports);
            assert_eq!(of(legacy), of(nft), "seed {seed}, {packet}\n{text}");
        }
        rules += ruleset.rules().count();
        met +=
            legacy.iter().flat_map(|seen| seen.matched_rules(Backend::Legacy)).collect::<BTreeSet<_>>().len();
    }
    println!("{verdicts:?}; {met} of {rules} rules were met; loading {loading:?}, sending {sending:?}");
    assert_eq!(verdicts.len(), 5, "a verdict never occurred: {verdicts:?}");
    assert!(met * 5 > rules * 2, "packets miss most rules: {met} of {rules}");
}
