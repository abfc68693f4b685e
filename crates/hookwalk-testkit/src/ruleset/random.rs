//! Random rulesets that both backends accept.
//!
//! What is legal where is kept by construction: chains belong to a group that is reachable from certain
//! base chains only, and each match and target says which hooks it is legal in; a chain jumps only to later
//! chains of its group, so there are no loops.

use hookwalk_parser::types::Family;

use super::draw::{Draw, MASQUERADE_MARK, condition, hook, protocol_name};
use super::targets::Place;
use super::{Chain, Condition, Hint, Rule, Ruleset, Set, Table, Target};
use crate::dice::Dice;
use crate::packets::proto;
use crate::topology::Topology;

/// Base chains whose user-defined chains are shared.
struct Group {
    table: &'static str,
    /// Names of base chains.
    bases: &'static [&'static str],
    /// What the names of its own chains begin with.
    prefix: &'static str,
    /// The least and greatest number of its own chains.
    chains: (u32, u32),
    /// How often, in a hundred, a policy is `DROP`.
    drops: u32,
}

const RAW: Group =
    Group { table: "raw", bases: &["PREROUTING", "OUTPUT"], prefix: "RAW", chains: (0, 1), drops: 2 };
const MANGLE_IN: Group =
    Group { table: "mangle", bases: &["PREROUTING"], prefix: "MAN", chains: (0, 1), drops: 2 };
const MANGLE: Group = Group {
    table: "mangle",
    bases: &["INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    prefix: "WAY",
    chains: (1, 2),
    drops: 2,
};
const NAT_IN: Group =
    Group { table: "nat", bases: &["PREROUTING", "OUTPUT"], prefix: "SVC", chains: (2, 4), drops: 2 };
const NAT_INPUT: Group = Group { table: "nat", bases: &["INPUT"], prefix: "LOC", chains: (0, 1), drops: 2 };
const NAT_OUT: Group =
    Group { table: "nat", bases: &["POSTROUTING"], prefix: "POST", chains: (1, 2), drops: 2 };
const FILTER: Group = Group {
    table: "filter",
    bases: &["INPUT", "FORWARD", "OUTPUT"],
    prefix: "FW",
    chains: (2, 4),
    drops: 12,
};
const SECURITY: Group = Group {
    table: "security",
    bases: &["INPUT", "FORWARD", "OUTPUT"],
    prefix: "SEC",
    chains: (0, 1),
    drops: 3,
};

impl Ruleset {
    /// A ruleset for a node: the same one for the same seed, family and topology.
    pub fn random(seed: u64, family: Family, topology: &Topology) -> Self {
        Draw::new(&mut Dice::new(seed), family, topology, None, false).ruleset()
    }

    /// A ruleset for packets one after the other: with lists, counts, buckets and quotas that a few packets use
    /// up, and with nothing that chance decides.
    pub fn of_session(seed: u64, family: Family, topology: &Topology) -> Self {
        Draw::new(&mut Dice::new(seed), family, topology, None, true).ruleset()
    }
}

impl<'a> Draw<'a> {
    /// What is drawn for a node, of some extensions or, now and then, of all.
    pub(super) fn new(
        dice: &'a mut Dice,
        family: Family,
        topology: &'a Topology,
        extensions: Option<&'a [&'static str]>,
        session: bool,
    ) -> Self {
        let tracked = topology.track_connections;
        let mut draw =
            Draw { dice, family, topology, sets: vec![], exotic: false, tracked, extensions, session };
        draw.exotic = draw.chance(12) && !session || extensions.is_some();
        // Whoever names the match wants sets.
        let has_sets = draw.chance(50) || extensions.is_some();
        if has_sets && draw.allows("set") {
            draw.sets = draw.draw_sets();
        }
        draw
    }

    pub(super) fn ruleset(mut self) -> Ruleset {
        let mut tables = Vec::new();
        if self.chance(25) {
            tables.push(self.table("raw"));
        }
        if self.chance(50) {
            tables.push(self.table("mangle"));
        }
        if self.tracked {
            let mut nat = self.table("nat");
            let masquerades = self.allows("mark") && self.allows("MASQUERADE");
            for chain in nat.chains.iter_mut().filter(|chain| chain.name == "POSTROUTING" && masquerades) {
                let mark = format!("-m mark --mark {MASQUERADE_MARK:#x}/{MASQUERADE_MARK:#x}");
                let target = Target { ext: "MASQUERADE", text: "-j MASQUERADE".to_owned(), edges: vec![] };
                chain.rules.push(Rule { conditions: vec![condition("mark", mark, [])], target });
            }
            tables.push(nat);
        }
        tables.push(self.table("filter"));
        if self.chance(12) {
            tables.push(self.table("security"));
        }
        if self.session {
            // Met twice by one packet, `connlimit` counts it twice: see `KernelArbiter`.
            let chains = tables.iter_mut().flat_map(|table| &mut table.chains);
            for rule in chains.filter(|chain| chain.policy.is_none()).flat_map(|chain| &mut chain.rules) {
                rule.conditions.retain(|condition| condition.ext != "connlimit");
            }
        }
        let family = self.family;
        Ruleset { family, tables, sets: self.all_sets() }
    }

    /// A table of this name; anything else is `security`.
    pub(super) fn table(&mut self, name: &str) -> Table {
        let (name, groups): (_, &[Group]) = match name {
            "raw" => ("raw", &[RAW]),
            "mangle" => ("mangle", &[MANGLE_IN, MANGLE]),
            "nat" => ("nat", &[NAT_IN, NAT_INPUT, NAT_OUT]),
            "filter" => ("filter", &[FILTER]),
            _ => ("security", &[SECURITY]),
        };
        Table { name, chains: self.chains(groups) }
    }

    /// The sets drawn, and the one that rules put elements into.
    pub(super) fn all_sets(self) -> Vec<Set> {
        let mut sets = self.sets;
        if !sets.is_empty() && self.exotic {
            let family = if self.family == Family::V4 { "inet" } else { "inet6" };
            let text = format!("create SINK hash:ip family {family}\n");
            sets.push(Set { name: "SINK".to_owned(), dimensions: 1, text, elements: vec![] });
        }
        sets
    }
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
                let policy = if self.chance(group.drops) { "DROP" } else { "ACCEPT" };
                let hooks = hook::of(base);
                let mut rules = self.rules(group, Some(base), &names);
                if let Some(first) = names.first().filter(|_| self.dice.chance(70)) {
                    let conditions =
                        if self.chance(60) { vec![] } else { self.conditions(group.table, hooks).0 };
                    let place = usize::try_from(self.dice.number(0..=1)).unwrap_or(0).min(rules.len());
                    rules.insert(place, Rule { conditions, target: chain_target("-j", first) });
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
        let hooks =
            base.map_or_else(|| group.bases.iter().fold(0, |all, base| all | hook::of(base)), hook::of);
        let (mut conditions, mut protocol) = self.conditions(group.table, hooks);
        if let Some(chain) = self.dice.pick(callable).cloned().filter(|_| self.dice.chance(35)) {
            if self.chance(25) {
                return Rule { conditions, target: chain_target("-g", &chain) };
            }
            if self.chance(50) {
                conditions.clear();
            }
            return Rule { conditions, target: chain_target("-j", &chain) };
        }
        if conditions.is_empty() && !is_last && self.chance(80) {
            protocol = self.dice.of([proto::TCP, proto::UDP]);
            conditions.push(protocol_condition(protocol));
        }
        let unconditional = base.is_some() && conditions.is_empty();
        let target = self.target(group.table, Place { protocol, hooks, unconditional });
        Rule { conditions, target }
    }

    /// Up to five conditions that are legal together and in a chain that these hooks reach, and the protocol
    /// that they name, or 0.
    pub(super) fn conditions(&mut self, table: &str, hooks: u8) -> (Vec<Condition>, u8) {
        let mut conditions = Vec::new();
        if self.chance(20) {
            let (not, (masked, edges)) = (self.not(), self.masked());
            conditions.push(condition("", format!("{not}-s {masked}"), edges.into_iter().map(Hint::Source)));
        }
        if self.chance(40) {
            let (not, (masked, edges)) = (self.not(), self.masked());
            conditions.push(condition(
                "",
                format!("{not}-d {masked}"),
                edges.into_iter().map(Hint::Destination),
            ));
        }
        if self.chance(12) && hooks & (hook::OUTPUT | hook::POSTROUTING) == 0 {
            let (not, name) = (self.not(), self.interface());
            conditions.push(condition("", format!("{not}-i {name}"), [Hint::In(name)]));
        }
        if self.chance(12) && hooks & (hook::PREROUTING | hook::INPUT) == 0 {
            let (not, name) = (self.not(), self.interface());
            conditions.push(condition("", format!("{not}-o {name}"), []));
        }
        let mut named = 0;
        if self.chance(55) {
            let protocol = self.protocol();
            let mut said = protocol_condition(protocol);
            if self.chance(8) {
                said.text = format!("! {}", said.text);
            } else {
                named = protocol;
            }
            conditions.push(said);
        }
        if !self.tracked && self.is_v4() && self.chance(15) {
            let not = self.not();
            conditions.push(condition("", format!("{not}-f"), [Hint::LaterFragment]));
        }
        let more = if named == 0 { self.dice.of([0, 0, 1]) } else { self.dice.of([0, 1, 1, 1, 2]) };
        for _ in 0..more {
            let found = self.condition(table, hooks, named);
            // Some matches may stand in a rule once only.
            let new =
                found.filter(|found| conditions.iter().all(|one| one.ext.is_empty() || one.ext != found.ext));
            conditions.extend(new.filter(|found| self.tracked || !asks_tracking(found.ext)));
        }
        (conditions, named)
    }
}

/// Whether loading a rule with this match or target makes the kernel track connections, or put fragments
/// together as it does for that.
pub(super) fn asks_tracking(ext: &str) -> bool {
    matches!(
        ext,
        "CT" | "NOTRACK"
            | "CONNMARK"
            | "TPROXY"
            | "socket"
            | "cluster"
            | "SYNPROXY"
            | "CONNSECMARK"
            | "conntrack"
            | "state"
            | "connmark"
            | "connlimit"
            | "connbytes"
            | "connlabel"
            | "helper"
    )
}

fn protocol_condition(protocol: u8) -> Condition {
    condition("", format!("-p {}", protocol_name(protocol)), [Hint::Protocol(protocol)])
}

fn chain_target(how: &str, chain: &str) -> Target {
    Target { ext: "", text: format!("{how} {chain}"), edges: vec![] }
}
