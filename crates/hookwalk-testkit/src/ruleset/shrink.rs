//! Rulesets with one thing less, which stay legal.

use std::ops::Range;

use super::{Chain, MATCHES, Rule, Ruleset, Set, Table, Target};
use crate::shrink::Shrink;

/// Leaves out tables, then what the tables can do without, then sets that no rule names.
impl Shrink for Ruleset {
    fn without(&self, mut step: usize) -> Option<Self> {
        let mut less = self.clone();
        if step < self.tables.len() {
            less.tables.remove(step);
            return Some(less);
        }
        step -= self.tables.len();
        for (at, table) in self.tables.iter().enumerate() {
            let cuts = table.cuts();
            if let Some(cut) = cuts.get(step) {
                less.tables.get_mut(at)?.cut(cut);
                return Some(less);
            }
            step -= cuts.len();
        }
        let mut idle = self.sets.iter().enumerate().filter(|(_, set)| !self.names(set));
        less.sets.remove(idle.nth(step)?.0);
        Some(less)
    }
}

impl Ruleset {
    /// Whether a rule names the set.
    fn names(&self, set: &Set) -> bool {
        let mut texts = self.rules().flat_map(|rule| {
            rule.conditions.iter().map(|condition| &condition.text).chain([&rule.target.text])
        });
        texts.any(|text| text.split(' ').any(|word| word == set.name))
    }
}

/// Leaves out chains, many rules, single ones, conditions, targets and policies, in this order.
impl Shrink for Table {
    fn without(&self, step: usize) -> Option<Self> {
        let cuts = self.cuts();
        let mut less = self.clone();
        less.cut(cuts.get(step)?);
        Some(less)
    }
}

/// What a table can do without; the first number is that of a chain.
enum Cut {
    /// A user-defined chain, with the rules that lead to it.
    Chain(usize),
    Rules(usize, Range<usize>),
    /// What is left out of the rule of the second number, by its own steps.
    PartOf(usize, usize, usize),
    /// `DROP` as policy.
    Policy(usize),
}

impl Table {
    fn cuts(&self) -> Vec<Cut> {
        let chains = || self.chains.iter().enumerate();
        let of_users = chains().filter(|(_, chain)| chain.policy.is_none());
        let mut cuts: Vec<Cut> = of_users.map(|(at, _)| Cut::Chain(at)).collect();
        for (at, Chain { rules, .. }) in chains() {
            let (half, all) = (rules.len() / 2, rules.len());
            let many = [0..all, 0..half, half..all].into_iter().filter(|rules| rules.len() > 1);
            cuts.extend(many.map(|rules| Cut::Rules(at, rules)));
        }
        for (at, Chain { rules, .. }) in chains() {
            cuts.extend((0..rules.len()).map(|rule| Cut::Rules(at, rule..rule + 1)));
        }
        for (at, Chain { rules, policy, .. }) in chains() {
            for (place, rule) in rules.iter().enumerate() {
                cuts.extend((0..rule.parts()).map(|part| Cut::PartOf(at, place, part)));
            }
            cuts.extend((*policy == Some("DROP")).then_some(Cut::Policy(at)));
        }
        cuts
    }

    fn cut(&mut self, cut: &Cut) {
        match *cut {
            Cut::Chain(chain) => {
                let Chain { name, .. } = self.chains.remove(chain);
                for chain in &mut self.chains {
                    chain.rules.retain(|rule| !rule.leads_to(&name));
                }
            }
            Cut::Rules(chain, ref rules) => {
                if let Some(chain) = self.chains.get_mut(chain) {
                    chain.rules.drain(rules.clone());
                }
            }
            Cut::PartOf(chain, rule, part) => {
                let rule = self.chains.get_mut(chain).and_then(|chain| chain.rules.get_mut(rule));
                if let Some((rule, less)) = rule.and_then(|rule| rule.without(part).map(|less| (rule, less)))
                {
                    *rule = less;
                }
            }
            Cut::Policy(chain) => {
                if let Some(chain) = self.chains.get_mut(chain) {
                    chain.policy = Some("ACCEPT");
                }
            }
        }
    }
}

/// Leaves out conditions, then what the rule does.
impl Shrink for Rule {
    fn without(&self, step: usize) -> Option<Self> {
        let mut less = self.clone();
        if let Some(condition) = self.free_conditions().nth(step) {
            less.conditions.remove(condition);
        } else if step < self.parts() {
            less.target = Target { ext: "", text: String::new(), edges: vec![] };
        } else {
            return None;
        }
        Some(less)
    }
}

impl Rule {
    /// How many steps of [`Shrink::without`] there are.
    fn parts(&self) -> usize {
        self.free_conditions().count() + usize::from(!self.target.text.is_empty())
    }

    /// The places of the conditions of which nothing else has need.
    fn free_conditions(&self) -> impl Iterator<Item = usize> {
        (0..self.conditions.len()).filter(|at| !self.needs(*at))
    }

    /// Whether a condition names the protocol that something else asks for.
    fn needs(&self, condition: usize) -> bool {
        let asks = |ext: &str| MATCHES.iter().any(|kind| kind.ext == ext && kind.is_of_a_protocol());
        self.conditions.get(condition).is_some_and(|one| one.text.starts_with("-p "))
            && (!self.target.ext.is_empty() || self.conditions.iter().any(|other| asks(other.ext)))
    }

    fn leads_to(&self, chain: &str) -> bool {
        let mut words = self.target.text.split(' ');
        self.target.ext.is_empty() && matches!(words.next(), Some("-j" | "-g")) && words.next() == Some(chain)
    }
}

#[cfg(test)]
mod tests {
    use hookwalk_parser::types::Family;

    use crate::ruleset::Ruleset;
    use crate::shrink::smallest;
    use crate::topology::Topology;

    #[test]
    fn what_is_left_is_read_without_a_complaint() {
        for seed in 0..40 {
            let family = if seed % 2 == 0 { Family::V4 } else { Family::V6 };
            let large = Ruleset::random(seed, family, &Topology::default());
            let reads = |ruleset: &Ruleset| {
                let dump = hookwalk_parser::parse(ruleset.to_string());
                let is_empty = ruleset.tables.is_empty();
                assert!(is_empty || dump.diagnostics().is_empty(), "{ruleset}\n{:?}", dump.diagnostics());
            };
            let wanted = large.rules().filter(|rule| rule.target.text.contains("DROP")).count().min(1);
            let drops = |ruleset: &Ruleset| {
                reads(ruleset);
                ruleset.rules().filter(|rule| rule.target.text.contains("DROP")).count() >= wanted
            };
            let small = smallest(large, drops);
            assert_eq!(small.rules().count(), wanted, "{small}");
            assert!(small.rules().all(|rule| rule.conditions.is_empty()), "{small}");
            assert!(small.tables.len() == wanted && small.sets.is_empty(), "{small}");
        }
    }
}
