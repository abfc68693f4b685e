//! The invariants hold for the rules of kube-proxy, whatever the cluster.
//! `HOOKWALK_CLUSTERS` is how many seeds to try, `HOOKWALK_SEED` the first.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says what it did"
)]

use hookwalk_testkit::cluster::{Cluster, Expected, Plan, SettingsPlan};
use hookwalk_testkit::invariants::{self, Trial};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn invariants_hold_for_generated_clusters() {
    let first = setting("HOOKWALK_SEED", 1);
    let (mut probes, mut kinds) = (0, [0; 4]);
    for seed in first..first + setting("HOOKWALK_CLUSTERS", 300) {
        let cluster = Cluster::random(seed);
        let trial = Trial::new(&cluster.rules().restore(), &cluster);
        probes += trial.probes().len();
        for probe in trial.probes() {
            kinds[match probe.expected {
                Expected::Endpoints(_) => 0,
                Expected::Rejected => 1,
                Expected::Dropped => 2,
                Expected::Untouched => 3,
            }] += 1;
        }
        if let Err(found) = invariants::all(&trial) {
            panic!("seed {seed}, {}: {found}\n{:#?}", cluster.config.version, cluster.config);
        }
    }
    eprintln!("{probes} probes: {kinds:?} served, rejected, dropped, untouched");
    assert!(kinds.iter().all(|count| *count > 100), "{kinds:?}");
}

/// One Service of every kind, in every version, by every way to tell local traffic.
#[test]
fn invariants_hold_for_one_service_of_every_kind() {
    for older in 0..=10 {
        for (detector, holds_addresses, is_v6) in
            [(0, false, false), (0, true, false), (1, false, true), (2, true, true), (3, false, false)]
        {
            let settings = SettingsPlan {
                older,
                detector,
                holds_addresses,
                is_v6,
                masquerade_all: older % 2 == 1,
                no_localhost: older % 3 == 1,
                has_nfacct: true,
                ..SettingsPlan::default()
            };
            let cluster = Cluster::planned(&Plan::showcase(settings));
            if let Err(found) = invariants::all(&Trial::new(&cluster.rules().restore(), &cluster)) {
                panic!("{}, {settings:?}: {found}", cluster.config.version);
            }
        }
    }
}
