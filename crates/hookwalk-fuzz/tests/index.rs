//! The index finds what the reference finds, over random bytes. `HOOKWALK_PAIRS` sets how many pairs of a
//! ruleset and a packet are compared at least, `PROPTEST_RNG_SEED` which.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[test]
fn the_index_answers_as_the_reference() {
    // Some rulesets of random bytes take minutes: a walk with many unknowns is slow near its limits.
    let Ok(wanted) = std::env::var("HOOKWALK_PAIRS").map(|text| text.parse().expect("a number")) else {
        println!("skipped: needs HOOKWALK_PAIRS, the number of pairs to compare");
        return;
    };
    let mut runner = TestRunner::new(Config { cases: 2, failure_persistence: None, ..Config::default() });
    let pairs = std::cell::Cell::new(0);
    while pairs.get() < wanted {
        let check = |bytes: Vec<u8>| {
            pairs.set(pairs.get() + hookwalk_fuzz::check_index(&bytes));
            Ok(())
        };
        runner.run(&vec(any::<u8>(), 0..2500), check).expect("the answers are equal");
    }
    println!("{} pairs of a ruleset and a packet, no difference", pairs.get());
}
