//! Counters, as `iptables-save -c` prints them.

use std::collections::BTreeMap;
use std::fmt;

/// A rule: the `index`th of its chain, from 1, as `iptables -L --line-numbers` numbers it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    /// `raw`, `mangle`, `nat`, `filter` or `security`.
    pub table: String,
    /// The chain's name.
    pub chain: String,
    /// The place in the chain, from 1.
    pub index: usize,
}

impl fmt::Display for RuleId {
    /// `nat/KUBE-SERVICES/4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.table, self.chain, self.index)
    }
}

/// How often rules and policies were met. Those at zero are left out, so that equal means equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets by rule.
    pub rules: BTreeMap<RuleId, u64>,
    /// Packets by policy: (table, chain).
    pub policies: BTreeMap<(String, String), u64>,
}

impl Counters {
    /// The packet counters of a save with `-c`. Lines that are no counters are passed over.
    pub fn of_save(save: &str) -> Self {
        let mut counters = Self::default();
        let (mut table, mut lengths) = ("", BTreeMap::<&str, usize>::new());
        for line in save.lines() {
            if let Some(name) = line.strip_prefix('*') {
                (table, lengths) = (name, BTreeMap::new());
            } else if let Some(chain) = line.strip_prefix(':') {
                let mut words = chain.split_whitespace();
                let (Some(name), Some(policy), Some(count)) = (words.next(), words.next(), words.next())
                else {
                    continue;
                };
                if policy != "-" {
                    counters.add_policy(table, name, packets(count));
                }
            } else if let Some((count, rule)) = line.split_once("] -A ") {
                let chain = rule.split_whitespace().next().unwrap_or_default();
                let index = lengths.entry(chain).or_default();
                *index += 1;
                let id = RuleId { table: table.to_owned(), chain: chain.to_owned(), index: *index };
                counters.add_rule(id, packets(count));
            }
        }
        counters
    }

    /// Counts a rule.
    pub fn add_rule(&mut self, rule: RuleId, times: u64) {
        if times > 0 {
            *self.rules.entry(rule).or_default() += times;
        }
    }

    /// Counts a policy.
    pub fn add_policy(&mut self, table: &str, chain: &str, times: u64) {
        if times > 0 {
            *self.policies.entry((table.to_owned(), chain.to_owned())).or_default() += times;
        }
    }

    /// Adds all counts of another.
    pub fn add(&mut self, other: &Self) {
        for (rule, times) in &other.rules {
            self.add_rule(rule.clone(), *times);
        }
        for ((table, chain), times) in &other.policies {
            self.add_policy(table, chain, *times);
        }
    }

    /// What was counted since an earlier reading of the same ruleset.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut growth = Self::default();
        for (rule, times) in &self.rules {
            growth.add_rule(rule.clone(), times.saturating_sub(*earlier.rules.get(rule).unwrap_or(&0)));
        }
        for (policy, times) in &self.policies {
            let before = *earlier.policies.get(policy).unwrap_or(&0);
            growth.add_policy(&policy.0, &policy.1, times.saturating_sub(before));
        }
        growth
    }
}

/// The packets of `[packets:bytes]`, with or without its brackets.
fn packets(count: &str) -> u64 {
    count.trim_start_matches('[').split(':').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The number of rules of each chain in a save: (table, chain), every chain.
pub(super) fn lengths(save: &str) -> BTreeMap<(String, String), usize> {
    let mut lengths = BTreeMap::new();
    let mut table = "";
    for line in save.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':') {
            let name = chain.split_whitespace().next().unwrap_or_default();
            lengths.entry((table.to_owned(), name.to_owned())).or_insert(0);
        } else if let Some((_, rule)) = line.split_once("-A ") {
            let name = rule.split_whitespace().next().unwrap_or_default();
            *lengths.entry((table.to_owned(), name.to_owned())).or_insert(0) += 1;
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVE: &str = "# comment\n*nat\n:OUTPUT ACCEPT [3:9]\n:KUBE - [0:0]\n[2:120] -A OUTPUT -j KUBE\n\
                        [0:0] -A KUBE -m comment --comment \"] -A x\" -j RETURN\n[5:1] -A KUBE -j RETURN\nCOMMIT\n";

    #[test]
    fn reads_a_save() {
        let counters = Counters::of_save(SAVE);
        let rules: Vec<_> = counters.rules.iter().map(|(id, times)| (id.to_string(), *times)).collect();
        assert_eq!(rules, [("nat/KUBE/2".to_owned(), 5), ("nat/OUTPUT/1".to_owned(), 2)]);
        assert_eq!(counters.policies.len(), 1);
        let mut twice = counters.clone();
        twice.add(&counters);
        assert_eq!(twice.since(&counters), counters);
        assert_eq!(lengths(SAVE).into_values().collect::<Vec<_>>(), [2, 1]);
    }
}
