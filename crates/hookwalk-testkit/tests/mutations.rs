//! How many faults in kube-proxy's rules the invariants catch.
//! `HOOKWALK_SETTINGS` is under how many settings, at most 7.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says what it did"
)]

use std::collections::BTreeMap;

use hookwalk_testkit::cluster::{Cluster, Plan, SettingsPlan};
use hookwalk_testkit::invariants::{self, Trial};
use hookwalk_testkit::mutate::{Fault, Mutation, Score, mutations};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Why a fault that no invariant catches does no harm; none when it may.
fn harmless(mutation: &Mutation) -> Option<&'static str> {
    let Mutation { fault, table, rule, .. } = mutation;
    let chain = rule.split(' ').nth(1)?;
    Some(match (fault, table.as_str(), chain) {
        (Fault::Moved, "filter", "INPUT" | "FORWARD" | "OUTPUT") => {
            "the two chains answer for different packets"
        }
        (Fault::Moved, "filter", "KUBE-FORWARD") if rule.contains("INVALID") => {
            "NAT does not see an INVALID packet, so it has no mark"
        }
        (Fault::Dropped, "filter", "OUTPUT") if rule.ends_with("-j KUBE-FIREWALL") => {
            "INPUT drops the same packets when they come in by lo"
        }
        (Fault::Mask, "nat", _) if is_of_service(chain) && rule.contains(" -d ") => {
            "no other Service's packets come into the chain, and external addresses are far away"
        }
        (Fault::Moved, "nat", "KUBE-SERVICES")
            if mutation.text.contains("--dst-type LOCAL -j KUBE-NODEPORTS") =>
        {
            "the rule that is now before it leads to node ports, and no Service's port is one"
        }
        (Fault::Moved, "nat", _) if rule.contains("\"pod traffic for ") => {
            "what comes from a Pod does not come from an address of the node"
        }
        (Fault::Dropped, "nat", _) if chain.starts_with("KUBE-FW-") && rule.contains("other traffic to") => {
            "the rule has no target"
        }
        (Fault::Moved, "nat", _) if is_of_service(chain) && rule.contains("--rcheck") => {
            "a client is remembered by the one endpoint it was sent to"
        }
        (_, "nat", _) if chain.starts_with("KUBE-SEP-") && rule.contains("-s 192.0.2.") => {
            "the endpoint is a node, whose packets the rules before masquerade already"
        }
        (Fault::Moved, "nat", _) if is_of_service(chain) && rule.contains("svc-14 cluster IP") => {
            "the first endpoint is this node itself, on the way to which nothing is masqueraded"
        }
        _ => return None,
    })
}

fn is_of_service(chain: &str) -> bool {
    chain.starts_with("KUBE-SVC-") || chain.starts_with("KUBE-SVL-")
}

fn settings() -> Vec<SettingsPlan> {
    let plain = SettingsPlan::default();
    let all = vec![
        SettingsPlan { older: 3, ..plain },
        SettingsPlan { older: 3, is_v6: true, detector: 1, ..plain },
        SettingsPlan { detector: 2, has_nfacct: true, nodeport_addresses: 2, ..plain },
        SettingsPlan { older: 6, masquerade_all: true, no_localhost: true, ..plain },
        SettingsPlan { older: 9, ..plain },
        SettingsPlan { older: 10, ..plain },
    ];
    let count = usize::try_from(setting("HOOKWALK_SETTINGS", 1)).unwrap();
    all.into_iter().take(count).collect()
}

#[test]
fn invariants_catch_faults() {
    let mut score = Score::default();
    for settings in settings() {
        let cluster = Cluster::planned(&Plan::showcase(settings));
        let text = cluster.rules().restore();
        let longest = std::cell::Cell::new(0);
        // The same rules on a node that holds the Services' external addresses itself.
        let holding = Cluster::planned(&Plan::showcase(SettingsPlan { holds_addresses: true, ..settings }));
        let fails = |faulty: &str, cluster| match invariants::all(&Trial::new(faulty, cluster)) {
            Ok(()) => false,
            Err(found) => {
                longest.set(longest.get().max(found.to_string().lines().count()));
                true
            }
        };
        let finds = |faulty: &str| fails(faulty, &cluster) || fails(faulty, &holding);
        assert!(!finds(&text));
        score.add(Score::of(mutations(&text), finds));
        assert!(longest.get() <= 24, "a counterexample has {} lines", longest.get());
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for survivor in &score.survivors {
        match harmless(survivor) {
            Some(reason) => *reasons.entry(reason).or_default() += 1,
            None => unexplained.push(survivor.to_string()),
        }
    }
    eprintln!("{} of {} faults are caught; harmless: {reasons:#?}", score.caught, score.tried());
    assert!(unexplained.is_empty(), "{} more:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(score.caught * 100 >= score.tried() * 95);
}
