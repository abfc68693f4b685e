//! Properties of walks over generated rulesets: probabilities sum to exactly 1, in every case.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod common;

use common::{packet, ruleset};
use hookwalk_engine::{Engine, Host, Limits, Probability, Verdict};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_case_sums_to_exactly_one(
        text in ruleset(),
        arrives: bool,
        node in any::<bool>(),
        states in prop_oneof![Just(8_usize), Just(32_768)],
    ) {
        let dump = hookwalk_parser::parse(text);
        let host = if node { Host::default().with_node_address("192.0.2.10".parse().unwrap()) } else { Host::default() };
        let engine = Engine::new(vec![dump], host).with_limits(Limits::new(states, 1_000_000));
        let walk = engine.walk(&packet(arrives)).unwrap();
        prop_assert!(!walk.cases.is_empty());
        for case in &walk.cases {
            let sum = case.outcomes.iter().fold(case.unexplored.clone(), |sum, o| sum.plus(&o.probability));
            prop_assert_eq!(&sum, &Probability::ONE);
            prop_assert!(walk.truncated || case.unexplored.is_zero());
            for outcome in &case.outcomes {
                prop_assert!(!outcome.probability.is_zero());
                prop_assert_eq!(outcome.matched_rules.is_none(), walk.truncated);
                prop_assert!(outcome.verdict != Verdict::Unknown || outcome.reason.is_some());
            }
        }
    }

    /// What seeds draw comes up as often as its weight says: 4,000 draws of a weight of 0.3 lie within
    /// 0.25 to 0.35 but for one run in 10^11.
    #[test]
    fn drawing_follows_the_weights(first in 0_u64..1_000_000) {
        let dump = hookwalk_parser::parse(
            "*nat\n:PREROUTING ACCEPT [0:0]\n\
             -A PREROUTING -m statistic --mode random --probability 0.3 -j DNAT --to-destination 10.1.0.1\nCOMMIT\n",
        );
        let host = Host::default().with_node_address("192.0.2.10".parse().unwrap());
        let walk = Engine::new(vec![dump], host).walk(&packet(true)).unwrap();
        let hits = (first..first + 4000).filter(|&seed| walk.clone().drawn(seed).cases[0].outcomes[0].dnat).count();
        prop_assert!((1000..1400).contains(&hits), "{}", hits);
    }
}
