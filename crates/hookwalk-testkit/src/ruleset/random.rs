//! Random rulesets that both backends accept.
//!
//! What is legal where is kept by construction: chains belong to a group that is reachable from certain
//! base chains only, and each group has the targets that are legal there; a chain jumps only to later
//! chains of its group, so there are no loops. Chance that the kernel draws itself (`statistic`, port
//! ranges) does not occur.

use super::{Chain, Match, Not, Protocol, Rule, Ruleset, Table, Target};
use crate::dice::Dice;
use crate::topology::Topology;

/// Base chains whose user-defined chains are shared, and what is legal there.
struct Group {
    /// Names of base chains.
    bases: &'static [&'static str],
    /// What the names of its own chains begin with.
    prefix: &'static str,
    /// The least and greatest number of its own chains.
    chains: (u32, u32),
    /// How often, in a hundred, a policy is `DROP`.
    drops: u32,
    /// The targets, drawn evenly.
    targets: &'static [Kind],
}

#[derive(Clone, Copy)]
enum Kind {
    None,
    Accept,
    Drop,
    Return,
    Reject,
    Mark,
    Dnat,
    Masquerade,
}

const MANGLE: Group = Group {
    bases: &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    prefix: "MAN",
    chains: (1, 2),
    drops: 2,
    targets: &[Kind::Mark, Kind::Mark, Kind::Mark, Kind::Return, Kind::Accept, Kind::None],
};
const NAT_IN: Group = Group {
    bases: &["PREROUTING", "OUTPUT"],
    prefix: "SVC",
    chains: (2, 4),
    drops: 2,
    targets: &[
        Kind::Dnat,
        Kind::Dnat,
        Kind::Dnat,
        Kind::Mark,
        Kind::Mark,
        Kind::Return,
        Kind::Accept,
        Kind::None,
    ],
};
const NAT_INPUT: Group = Group {
    bases: &["INPUT"],
    prefix: "LOC",
    chains: (0, 1),
    drops: 2,
    targets: &[Kind::Mark, Kind::Return, Kind::Accept, Kind::None],
};
const NAT_OUT: Group = Group {
    bases: &["POSTROUTING"],
    prefix: "POST",
    chains: (1, 2),
    drops: 2,
    targets: &[Kind::Masquerade, Kind::Mark, Kind::Return, Kind::Accept, Kind::None],
};
const FILTER: Group = Group {
    bases: &["INPUT", "FORWARD", "OUTPUT"],
    prefix: "FW",
    chains: (2, 4),
    drops: 15,
    targets: &[
        Kind::Accept,
        Kind::Accept,
        Kind::Drop,
        Kind::Reject,
        Kind::Reject,
        Kind::Return,
        Kind::Return,
        Kind::None,
    ],
};

/// The bit that asks for masquerading, as kube-proxy uses it.
pub(super) const MASQUERADE_MARK: u32 = 0x4000;

impl Ruleset {
    /// A ruleset for a node: the same one for the same seed and topology.
    pub fn random(seed: u64, topology: &Topology) -> Self {
        let mut draw = Draw { dice: Dice::new(seed), topology };
        let mut tables = Vec::new();
        if draw.dice.chance(50) {
            tables.push(Table { name: "mangle", chains: draw.chains(&[MANGLE]) });
        }
        let mut nat = Table { name: "nat", chains: draw.chains(&[NAT_IN, NAT_INPUT, NAT_OUT]) };
        for chain in nat.chains.iter_mut().filter(|chain| chain.name == "POSTROUTING") {
            chain.rules.push(Rule {
                matches: vec![Match::Mark(Not(false), MASQUERADE_MARK, MASQUERADE_MARK)],
                target: Target::Masquerade,
            });
        }
        tables.push(nat);
        tables.push(Table { name: "filter", chains: draw.chains(&[FILTER]) });
        Self { tables }
    }
}

/// A ruleset being drawn.
pub(super) struct Draw<'a> {
    pub dice: Dice,
    pub topology: &'a Topology,
}

impl Draw<'_> {
    fn chains(&mut self, groups: &[Group]) -> Vec<Chain> {
        let (mut bases, mut users) = (Vec::new(), Vec::new());
        for group in groups {
            let (least, most) = group.chains;
            let names: Vec<String> = (1..=self.dice.number(least..=most))
                .map(|number| format!("{}-{number}", group.prefix))
                .collect();
            for base in group.bases {
                let policy = if self.dice.chance(group.drops) { "DROP" } else { "ACCEPT" };
                let mut rules = self.rules(group, Some(base), &names);
                if let Some(first) = names.first().filter(|_| self.dice.chance(70)) {
                    let matches = if self.dice.chance(60) { vec![] } else { self.matches(Some(base)) };
                    let place = usize::try_from(self.dice.number(0..=1)).unwrap_or(0).min(rules.len());
                    rules.insert(place, Rule { matches, target: Target::Jump(first.clone()) });
                }
                bases.push(Chain { name: (*base).to_owned(), policy: Some(policy), rules });
            }
            let mut later = names.as_slice();
            while let Some((name, rest)) = later.split_first() {
                let rules = self.rules(group, None, rest);
                users.push(Chain { name: name.clone(), policy: None, rules });
                later = rest;
            }
        }
        bases.append(&mut users);
        bases
    }

    fn rules(&mut self, group: &Group, base: Option<&str>, callable: &[String]) -> Vec<Rule> {
        let count = self.dice.number(1..=if base.is_some() { 3 } else { 5 });
        (1..=count).map(|number| self.rule(group, base, callable, number == count)).collect()
    }

    /// A rule. One that ends the walk of its chain mostly has matches, unless it is the last, and one that
    /// jumps often has none, both for the sake of the rules that come after.
    fn rule(&mut self, group: &Group, base: Option<&str>, callable: &[String], is_last: bool) -> Rule {
        let mut matches = self.matches(base);
        if let Some(chain) = self.dice.pick(callable).cloned().filter(|_| self.dice.chance(35)) {
            if self.dice.chance(25) {
                return Rule { matches, target: Target::Goto(chain) };
            }
            if self.dice.chance(50) {
                matches.clear();
            }
            return Rule { matches, target: Target::Jump(chain) };
        }
        if matches.is_empty() && !is_last && self.dice.chance(80) {
            let protocol = self.dice.of([Protocol::Tcp, Protocol::Udp]);
            matches.push(Match::Protocol(Not(false), protocol));
        }
        let target = self.target(group, base, &matches);
        Rule { matches, target }
    }

    /// A target for which the matches are enough: some need a protocol.
    fn target(&mut self, group: &Group, base: Option<&str>, matches: &[Match]) -> Target {
        let kind = self.dice.pick(group.targets).copied().unwrap_or(Kind::None);
        let protocol = matches.iter().find_map(|one| match one {
            Match::Protocol(Not(false), protocol) => Some(*protocol),
            _ => None,
        });
        let has_ports = matches!(protocol, Some(Protocol::Tcp | Protocol::Udp));
        match kind {
            // In a base chain this would end almost everything.
            Kind::Accept | Kind::Drop | Kind::Reject if base.is_some() && matches.is_empty() => Target::None,
            Kind::None => Target::None,
            Kind::Accept => Target::Accept,
            Kind::Drop => Target::Drop,
            Kind::Return => Target::Return,
            Kind::Reject if protocol == Some(Protocol::Tcp) && self.dice.chance(50) => {
                Target::Reject("tcp-reset")
            }
            Kind::Reject => Target::Reject(self.dice.of([
                "icmp-port-unreachable",
                "icmp-host-unreachable",
                "icmp-net-unreachable",
                "icmp-proto-unreachable",
                "icmp-net-prohibited",
                "icmp-host-prohibited",
                "icmp-admin-prohibited",
            ])),
            Kind::Mark => {
                let value = self.mark();
                Target::Mark(value, self.dice.of([value, u32::MAX, 0xff00, 0]))
            }
            Kind::Dnat => {
                let address = self.endpoint();
                match self.dice.number(0..=3) {
                    0 if has_ports => Target::Dnat(None, Some(self.port())),
                    1 | 2 if has_ports => Target::Dnat(Some(address), Some(self.port())),
                    _ => Target::Dnat(Some(address), None),
                }
            }
            Kind::Masquerade => Target::Masquerade,
        }
    }
}
