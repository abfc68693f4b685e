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
fn harmless(mutation: &Mutation, settings: &SettingsPlan, text: &str) -> Option<&'static str> {
    let Mutation { fault, table, rule, .. } = mutation;
    let chain = rule.split(' ').nth(1)?;
    let source = rule.split(" -s ").nth(1).and_then(|rest| rest.split(' ').next());
    let is_hairpin = chain.starts_with("KUBE-SEP-") && rule.ends_with("-j KUBE-MARK-MASQ");
    let rules_of = |chain: &str| -> Vec<&str> {
        text.lines().filter(|line| line.starts_with(&format!("-A {chain} "))).collect()
    };
    let has_endpoints = |chain: &str| rules_of(chain).iter().any(|line| line.contains("-j KUBE-SEP-"));
    // A bridge or a prefix of interfaces stands for this node's Pods alone.
    let is_elsewhere = |source: &str| {
        !(source.starts_with("10.64.0.")
            || source.starts_with("fd00:64::")
            || source.starts_with("fd00:64:0:"))
    };
    Some(match (fault, table.as_str(), chain) {
        (_, "nat", _) if settings.masquerade_all && rule.ends_with("-j KUBE-MARK-MASQ") => {
            "under masquerade-all every packet to a Service is masqueraded already"
        }
        (_, "nat", _)
            if is_hairpin && matches!(settings.detector, 1 | 2) && source.is_some_and(is_elsewhere) =>
        {
            "what comes from other nodes' Pods does not come by a Pod's interface, and is masqueraded already"
        }
        (_, "nat", _) if chain.starts_with("KUBE-FW-") && text.matches(rule.as_str()).count() > 1 => {
            "the chain has the rule once for each of the load balancer's addresses"
        }
        (Fault::Doubled, "nat", _) if chain.starts_with("KUBE-FW-") => {
            "the chain has such rules once for each of the load balancer's addresses"
        }
        (_, "nat", "KUBE-NODEPORTS") if rule.contains("localhost_nps_accepted_pkts") => {
            "the rule counts packets that the one behind it leads to the same chain"
        }
        (_, "nat", "KUBE-NODEPORTS") if source.is_some_and(|source| source.starts_with("127.")) => {
            "the chain for outside traffic masquerades what comes from the node's own addresses"
        }
        (Fault::Moved, "nat", _) if rule.contains("Redirect pods trying to reach external") => {
            "what comes from a Pod does not come from an address of the node"
        }
        (Fault::Moved, "filter", "INPUT" | "FORWARD" | "OUTPUT") => {
            "the two chains answer for different packets"
        }
        (Fault::Moved, "filter", "KUBE-FORWARD") if rule.contains("INVALID") => {
            "NAT does not see an INVALID packet, so it has no mark"
        }
        (Fault::Dropped, "filter", _) if rules_of(rule.rsplit(' ').next()?).is_empty() => {
            "the chain that it leads to is empty"
        }
        (Fault::Mask, "nat", "KUBE-SERVICES")
            if ["-d 127.0.0.1 ", "! -d 127.0.0.0/8 ", "! -d ::1/128 "].iter().any(|d| rule.contains(d)) =>
        {
            "no packet goes to the addresses beside the loopback ones"
        }
        (_, "nat", _) if chain.starts_with("KUBE-SVL-") && !has_endpoints(chain) => {
            "the chain has no endpoint, and filter drops what comes out of it"
        }
        (Fault::Mask, "nat", "KUBE-SERVICES")
            if rule
                .rsplit(' ')
                .next()
                .is_some_and(|to| to.starts_with("KUBE-SVL-") && !has_endpoints(to)) =>
        {
            "the chain that it leads to has no endpoint"
        }
        (_, "nat", _)
            if chain.starts_with("KUBE-FW-")
                && rules_of(chain)
                    .iter()
                    .take_while(|line| **line != rule.as_str())
                    .any(|l| l.ends_with("-DROP")) =>
        {
            "up to 1.24 the drop of the first address stands before it"
        }
        (Fault::Dropped, "filter", "OUTPUT") if rule.ends_with("-j KUBE-FIREWALL") => {
            "INPUT drops the same packets when they come in by lo"
        }
        (Fault::Mask, "nat", _) if is_of_service(chain) && rule.contains(" -d ") => {
            "no other Service's packets come into the chain, and external addresses are far away"
        }
        (Fault::Moved, "nat", "KUBE-SERVICES") if mutation.text.contains("must be the last rule") => {
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
    ["KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-"].iter().any(|prefix| chain.starts_with(prefix))
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
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for (at, settings) in settings().into_iter().enumerate() {
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
        let found = Score::of(mutations(&text), finds);
        eprintln!("settings {at}: {} of {} faults are caught", found.caught, found.tried());
        for survivor in &found.survivors {
            match harmless(survivor, &settings, &text) {
                Some(reason) => *reasons.entry(reason).or_default() += 1,
                None => unexplained.push(format!("settings {at}: {survivor}")),
            }
        }
        // Under other settings more rules say what is so anyhow, as under masquerade-all.
        assert!(at > 0 || found.caught * 100 >= found.tried() * 95);
        score.add(found);
        assert!(longest.get() <= 24, "a counterexample has {} lines", longest.get());
    }
    eprintln!("{} of {} faults are caught; harmless: {reasons:#?}", score.caught, score.tried());
    assert!(unexplained.is_empty(), "{} more:\n{}", unexplained.len(), unexplained.join("\n"));
}
