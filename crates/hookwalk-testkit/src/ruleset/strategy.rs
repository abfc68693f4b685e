//! Strategies of proptest 1 for rules and what they are made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use hookwalk_parser::types::Family;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::{Rule, Ruleset, Spec, Table};
use crate::strategy::Drawn;
use crate::topology::Subnet;

/// Addresses: any at all, and more often those that stand for something: private, of Pods and Services,
/// loopback, link-local, multicast, broadcast, unspecified. They shrink towards the last.
pub fn addresses(family: Family) -> impl Strategy<Value = IpAddr> {
    match family {
        Family::V4 => {
            let within = |first: [u8; 4], length: u32| {
                let first = Ipv4Addr::from(first).to_bits();
                (0..=u32::MAX >> length)
                    .prop_map(move |host| IpAddr::V4(Ipv4Addr::from_bits(first | host)))
                    .boxed()
            };
            prop_oneof![
                3 => within([10, 0, 0, 0], 8),
                1 => within([172, 16, 0, 0], 12),
                1 => within([192, 168, 0, 0], 16),
                1 => within([127, 0, 0, 0], 8),
                1 => within([169, 254, 0, 0], 16),
                1 => within([224, 0, 0, 0], 4),
                1 => Just(IpAddr::V4(Ipv4Addr::BROADCAST)),
                2 => within([0, 0, 0, 0], 0),
            ]
            .boxed()
        }
        Family::V6 => {
            let within = |first: u16, length: u32| {
                let first = u128::from(first) << 112;
                (0..=u128::MAX >> length)
                    .prop_map(move |host| IpAddr::V6(Ipv6Addr::from_bits(first | host)))
                    .boxed()
            };
            prop_oneof![
                3 => within(0xfd00, 8),
                2 => within(0x2001, 16),
                1 => Just(IpAddr::V6(Ipv6Addr::LOCALHOST)),
                1 => within(0xfe80, 10),
                1 => within(0xff02, 16),
                2 => within(0, 0),
            ]
            .boxed()
        }
    }
}

/// Prefixes with host bits, as rules may hold them. They shrink to short ones.
pub fn prefixes(family: Family) -> impl Strategy<Value = Subnet> {
    let longest = if family == Family::V4 { 32_u8 } else { 128 };
    let length = prop_oneof![2 => Just(longest), 1 => 0..=longest];
    (addresses(family), length).prop_map(|(address, length)| Subnet::new(address, length))
}

/// Ports: any, and more often those of services, node ports and the ends of the range.
pub fn ports() -> impl Strategy<Value = u16> {
    let known =
        proptest::sample::select(vec![53, 80, 443, 6443, 8080, 9153, 10250, 30000, 32767, 1, 65535, 0]);
    prop_oneof![3 => known, 1 => any::<u16>(), 1 => 30000..=32767_u16]
}

/// Ranges of ports, from the lower one to the higher one; half of them of a single port.
pub fn port_ranges() -> impl Strategy<Value = RangeInclusive<u16>> {
    prop_oneof![
        ports().prop_map(|port| port..=port),
        (ports(), ports()).prop_map(|(a, b)| a.min(b)..=a.max(b))
    ]
}

/// Rules that may stand in a built-in chain of a table, as [`Rule::drawn`] makes them. They shrink to fewer
/// matches.
pub fn rules(spec: Spec, table: &'static str, chain: &'static str) -> impl Strategy<Value = Rule> {
    Drawn(move |dice: &mut _| Rule::drawn(dice, &spec, table, chain))
}

/// Tables with their chains, as [`Table::drawn`] makes them: without a jump that leads nowhere or in a
/// circle. They shrink to fewer chains, rules and matches.
pub fn tables(spec: Spec, name: &'static str) -> impl Strategy<Value = Table> {
    Drawn(move |dice: &mut _| Table::drawn(dice, &spec, name))
}

/// Whole rulesets, as [`Ruleset::drawn`] makes them. They shrink to the tables, chains, rules and matches that
/// matter.
///
/// ```
/// use hookwalk_testkit::ruleset::{Spec, rulesets};
/// use hookwalk_testkit::Family;
/// use proptest::test_runner::{Config, TestRunner};
///
/// let mut runner = TestRunner::new(Config { cases: 20, failure_persistence: None, ..Config::default() });
/// let found = runner.run(&rulesets(Spec::new(Family::V4)), |ruleset| {
///     // A reader that chokes on REJECT.
///     proptest::prop_assert!(!ruleset.to_string().contains("REJECT"));
///     Ok(())
/// });
/// let small = found.unwrap_err().to_string();
/// assert!(small.contains("REJECT"));
/// ```
pub fn rulesets(spec: Spec) -> impl Strategy<Value = Ruleset> {
    Drawn(move |dice: &mut _| Ruleset::drawn(dice, &spec))
}
