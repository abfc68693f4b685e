//! Smaller rules, sets and nodes.

use std::collections::BTreeSet;

use super::{Search, Specimen};
use crate::ruleset::{Chain, Rule, Set, Table};

impl<F: FnMut(&Specimen) -> bool> Search<F> {
    /// Makes each draw certain, one way or the other: what is drawn makes every later question a gamble.
    pub(super) fn draws(&mut self) {
        for at in 0..self.best.ruleset.rules().count() {
            for certain in ["1", "0"] {
                let done = self.attempt(|specimen| {
                    let conditions = nth_rule(specimen, at).into_iter().flat_map(|rule| &mut rule.conditions);
                    for condition in conditions {
                        condition.text = forced(&condition.text, certain);
                    }
                });
                if done {
                    break;
                }
            }
        }
    }

    pub(super) fn tables(&mut self) {
        let count = self.best.ruleset.tables.len();
        self.take_away(count, |specimen, stays| keep(&mut specimen.ruleset.tables, stays));
    }

    pub(super) fn rules(&mut self) {
        let count = self.best.ruleset.rules().count();
        self.take_away(count, |specimen, stays| {
            let mut number = 0;
            for chain in chains(specimen) {
                chain.rules.retain(|_| {
                    number += 1;
                    stays(number - 1)
                });
            }
        });
    }

    /// Chains that nothing leads to, and policies.
    pub(super) fn chains(&mut self) {
        self.attempt(|specimen| {
            for table in &mut specimen.ruleset.tables {
                drop_unused(table);
            }
        });
        for at in 0..chains(&mut self.best.clone()).count() {
            self.attempt(|specimen| {
                if let Some(chain) = chains(specimen).nth(at).filter(|chain| chain.policy.is_some()) {
                    chain.policy = Some("ACCEPT");
                }
            });
        }
    }

    /// The rules of a chain in place of the jump to it.
    pub(super) fn jumps(&mut self) {
        let mut at = 0;
        while at < self.best.ruleset.rules().count() {
            if !self.attempt(|specimen| inline(specimen, at)) {
                at += 1;
            }
        }
    }

    pub(super) fn sets(&mut self) {
        let count = self.best.ruleset.sets.len();
        self.take_away(count, |specimen, stays| keep(&mut specimen.ruleset.sets, stays));
        let lines = |sets: &[Set]| sets.iter().map(|set| set.text.lines().count()).sum();
        let count = lines(&self.best.ruleset.sets);
        self.take_away(count, |specimen, stays| {
            let mut number = 0;
            for set in &mut specimen.ruleset.sets {
                let kept = set.text.lines().filter(|line| {
                    number += 1;
                    line.starts_with("create ") || stays(number - 1)
                });
                set.text = kept.flat_map(|line| [line, "\n"]).collect();
            }
        });
    }

    pub(super) fn conditions(&mut self) {
        let count: usize = self.best.ruleset.rules().map(|rule| rule.conditions.len()).sum();
        self.take_away(count, |specimen, stays| {
            let mut number = 0;
            for chain in chains(specimen) {
                for rule in &mut chain.rules {
                    rule.conditions.retain(|_| {
                        number += 1;
                        stays(number - 1)
                    });
                }
            }
        });
    }

    /// Targets that do less, or nothing; conditions the plain way round.
    pub(super) fn targets(&mut self) {
        for at in 0..self.best.ruleset.rules().count() {
            let Some(rule) = self.best.ruleset.rules().nth(at).cloned() else { continue };
            // The last option that can be done without, each time.
            let mut words: Vec<&str> = rule.target.text.split(' ').collect();
            while words.len() > 2 {
                words.pop();
                let text = words.join(" ");
                self.attempt(|specimen| {
                    if let Some(rule) = nth_rule(specimen, at) {
                        rule.target.text = text;
                    }
                });
            }
            self.attempt(|specimen| {
                if let Some(rule) = nth_rule(specimen, at) {
                    rule.target.text.clear();
                }
            });
            for number in 0..rule.conditions.len() {
                self.attempt(|specimen| {
                    let condition = nth_rule(specimen, at).and_then(|rule| rule.conditions.get_mut(number));
                    if let Some(condition) = condition {
                        condition.text = condition.text.replacen("! ", "", 1);
                    }
                });
            }
        }
    }

    pub(super) fn topology(&mut self) {
        let count = self.best.topology.sysctls.len();
        self.take_away(count, |specimen, stays| keep(&mut specimen.topology.sysctls, stays));
        let count = self.best.topology.rules.len();
        self.take_away(count, |specimen, stays| keep(&mut specimen.topology.rules, stays));
        let count = self.best.topology.routes.len();
        self.take_away(count, |specimen, stays| keep(&mut specimen.topology.routes, stays));
        let count = self.best.topology.interfaces.iter().map(|interface| interface.addresses.len()).sum();
        self.take_away(count, |specimen, stays| {
            let mut number = 0;
            for interface in &mut specimen.topology.interfaces {
                interface.addresses.retain(|_| {
                    number += 1;
                    stays(number - 1)
                });
            }
        });
        let count = self.best.topology.interfaces.len();
        self.take_away(count, |specimen, stays| keep(&mut specimen.topology.interfaces, stays));
    }
}

fn keep<T>(list: &mut Vec<T>, stays: &dyn Fn(usize) -> bool) {
    let mut number = 0;
    list.retain(|_| {
        number += 1;
        stays(number - 1)
    });
}

fn chains(specimen: &mut Specimen) -> impl Iterator<Item = &mut Chain> {
    specimen.ruleset.tables.iter_mut().flat_map(|table| &mut table.chains)
}

fn nth_rule(specimen: &mut Specimen, at: usize) -> Option<&mut Rule> {
    chains(specimen).flat_map(|chain| &mut chain.rules).nth(at)
}

/// Puts the rules of the chain that the rule leads to in its place, where it leads to one.
fn inline(specimen: &mut Specimen, at: usize) {
    let mut number = at;
    for table in &mut specimen.ruleset.tables {
        for chain in 0..table.chains.len() {
            let here = table.chains.get(chain).map_or(0, |chain| chain.rules.len());
            if number >= here {
                number -= here;
                continue;
            }
            let rule = table.chains.get(chain).and_then(|chain| chain.rules.get(number));
            let callee = rule.and_then(|rule| rule.target.text.split(' ').nth(1)).map(str::to_owned);
            let callee = table.chains.iter().find(|chain| Some(&chain.name) == callee.as_ref());
            let Some(rules) = callee.map(|callee| callee.rules.clone()) else { return };
            if let Some(chain) = table.chains.get_mut(chain) {
                chain.rules.splice(number..=number, rules);
            }
            drop_unused(table);
            return;
        }
    }
}

/// Takes away the user-defined chains that no rule names, until each is named.
fn drop_unused(table: &mut Table) {
    loop {
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        let named: BTreeSet<String> =
            rules.filter_map(|rule| rule.target.text.split(' ').nth(1).map(str::to_owned)).collect();
        let before = table.chains.len();
        // Base chains stay: iptables-nft-save prints those that are not there, too.
        table.chains.retain(|chain| chain.policy.is_some() || named.contains(&chain.name));
        if table.chains.len() == before {
            return;
        }
    }
}

/// A condition whose probability is another.
fn forced(text: &str, probability: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    let value = words.iter().position(|word| *word == "--probability").map(|at| at + 1);
    if let Some(value) = value.and_then(|at| words.get_mut(at)) {
        // One that is certain already stays as it is.
        if value.parse::<f64>().is_ok_and(|value| value > 0.0 && value < 1.0) {
            *value = probability;
        }
    }
    words.join(" ")
}
