//! Rulesets of `arbitrary` 1, for fuzzers. Each takes half of the bytes that are left, so that something stays
//! for what comes after it; a last one takes all.

use arbitrary::{Arbitrary, Result, Unstructured};
use hookwalk_parser::types::Family;

use super::{Rule, Ruleset, Spec, Table};
use crate::dice::Dice;
use crate::topology::Subnet;

fn half(bytes: &mut Unstructured<'_>) -> Result<Dice> {
    let half = bytes.len().div_ceil(2);
    bytes.bytes(half).map(Dice::from_bytes)
}

fn spec(dice: &mut Dice) -> Spec {
    Spec::new(dice.of([Family::V4, Family::V6]))
}

impl Ruleset {
    fn chosen_by(mut dice: Dice) -> Self {
        let spec = spec(&mut dice);
        Ruleset::drawn(&mut dice, &spec)
    }
}

/// A ruleset of any extensions for the default node.
impl<'a> Arbitrary<'a> for Ruleset {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        half(bytes).map(Self::chosen_by)
    }

    fn arbitrary_take_rest(bytes: Unstructured<'a>) -> Result<Self> {
        Ok(Self::chosen_by(Dice::from_bytes(bytes.take_rest())))
    }
}

/// One of the five tables, with its chains.
impl<'a> Arbitrary<'a> for Table {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let mut dice = half(bytes)?;
        let spec = spec(&mut dice);
        let name = dice.of(["filter", "nat", "mangle", "raw", "security"]);
        Ok(Table::drawn(&mut dice, &spec, name))
    }
}

/// A rule that may stand in a built-in chain of some table.
impl<'a> Arbitrary<'a> for Rule {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let mut dice = half(bytes)?;
        let spec = spec(&mut dice);
        let (table, chain) = dice.of([
            ("filter", "FORWARD"),
            ("filter", "INPUT"),
            ("nat", "PREROUTING"),
            ("nat", "POSTROUTING"),
            ("mangle", "OUTPUT"),
            ("raw", "PREROUTING"),
        ]);
        Ok(Rule::drawn(&mut dice, &spec, table, chain))
    }
}

/// Any address with any length of prefix.
impl<'a> Arbitrary<'a> for Subnet {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Subnet::new(bytes.arbitrary()?, bytes.int_in_range(0..=128)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packets::PacketSpec;

    /// Bytes without a pattern.
    fn bytes(seed: u64, count: usize) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        (0..count).map(|_| u8::try_from(dice.number(0..=255)).unwrap()).collect()
    }

    #[test]
    fn bytes_make_rules_that_are_legal() {
        let mut targets = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let bytes = bytes(seed, 3000);
            let (ruleset, packets) =
                <(Ruleset, [PacketSpec; 4])>::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
            let dump = hookwalk_parser::parse(ruleset.to_string());
            assert!(dump.diagnostics().is_empty(), "{ruleset}\n{:?}", dump.diagnostics());
            targets.extend(ruleset.rules().map(|rule| rule.target.ext));
            assert!(packets.iter().any(|packet| *packet != packets[0]));
        }
        assert!(targets.len() > 15, "{targets:?}");
    }

    #[test]
    fn no_bytes_make_a_plain_ruleset() {
        let plain = Ruleset::arbitrary(&mut Unstructured::new(&[])).unwrap();
        assert_eq!(plain, Ruleset::arbitrary_take_rest(Unstructured::new(&[])).unwrap());
        assert!(plain.rules().count() < 20, "{plain}");
        let one = Rule::arbitrary(&mut Unstructured::new(&[])).unwrap();
        assert_eq!(one.to_string(), "");
        assert_eq!(Table::arbitrary(&mut Unstructured::new(&[])).unwrap().name, "filter");
        assert!(Subnet::arbitrary(&mut Unstructured::new(&bytes(1, 40))).unwrap().prefix <= 128);
    }
}
