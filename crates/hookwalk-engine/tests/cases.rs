//! Whatever the unknown turns out to be, the answer was among the cases.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod common;

use std::net::IpAddr;

use common::{packet, ruleset};
use hookwalk_engine::{AddressSet, Engine, Host, NextHop, Outcome, Route, SetEntry, Walk};
use proptest::prelude::*;

/// One way in which everything that was unknown turns out.
#[derive(Debug, Clone)]
struct World {
    /// Which of the addresses each of the sets s0 to s2 holds.
    sets: [[bool; 5]; 3],
    /// Which of the addresses are the node's own.
    own: [bool; 5],
    /// The interface of the default route.
    leaves_by: &'static str,
}

const ADDRESSES: [&str; 5] = ["10.0.0.5", "10.96.0.10", "10.1.0.1", "10.1.0.2", "10.1.0.3"];

impl World {
    fn host(&self) -> Host {
        let chosen = |which: &[bool; 5]| -> Vec<IpAddr> {
            ADDRESSES
                .iter()
                .zip(which)
                .filter(|(_, is)| **is)
                .map(|(text, _)| text.parse().unwrap())
                .collect()
        };
        let mut host = Host::default().with_node_address("192.0.2.10".parse().unwrap());
        for address in chosen(&self.own) {
            host = host.with_node_address(address);
        }
        for (number, which) in self.sets.iter().enumerate() {
            let entries = chosen(which).into_iter().map(|address| SetEntry::new(address, 32).unwrap());
            host = host.with_set(format!("s{number}").as_str().into(), entries.collect::<AddressSet>());
        }
        let hop = NextHop { via: None, interface: Some(self.leaves_by.parse().unwrap()) };
        host.with_routes(vec![Route::new("0.0.0.0".parse().unwrap(), 0, hop).unwrap()])
    }
}

fn world() -> impl Strategy<Value = World> {
    let own = any::<[bool; 5]>().prop_map(|mut own| {
        // The packet comes from another host; a walk without context takes that for granted.
        if let Some(source) = own.first_mut() {
            *source = false;
        }
        own
    });
    (any::<[[bool; 5]; 3]>(), own, prop_oneof![Just("eth0"), Just("eth1")])
        .prop_map(|(sets, own, leaves_by)| World { sets, own, leaves_by })
}

/// What a person would call the same outcome.
fn same(a: &Outcome, b: &Outcome) -> bool {
    a.probability == b.probability
        && (a.verdict, a.place, a.dst, a.dport, a.mark) == (b.verdict, b.place, b.dst, b.dport, b.mark)
        && (a.dnat, a.masquerade, a.reject_with) == (b.dnat, b.masquerade, b.reject_with)
}

fn holds_among(unknown: &Walk, known: &Outcome) -> bool {
    unknown.cases.iter().flat_map(|case| &case.outcomes).any(|outcome| same(outcome, known))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_answer_is_among_the_cases(text in ruleset(), world in world()) {
        let dump = hookwalk_parser::parse(text);
        let unknown = Engine::new(vec![dump.clone()], Host::default()).walk(&packet(true)).unwrap();
        prop_assume!(!unknown.truncated);
        let known = Engine::new(vec![dump], world.host()).walk(&packet(true)).unwrap();
        for outcome in known.cases.iter().flat_map(|case| &case.outcomes) {
            prop_assert!(holds_among(&unknown, outcome), "{:#?} is not among {:#?}", outcome, unknown.cases);
        }
    }
}
