//! Every rule that packets to an address, a port, a Service or a Pod can meet, in walking order.
//!
//! Not a search of the text: a class of packets (the destination as asked, everything else open) goes
//! through hooks, tables and routing, and what a rule rewrites goes on with the new destination. A rule
//! that no such packet can meet is not told; one that tells nothing apart (an ipset that is not given,
//! an owner) goes both ways. The packets are those that start a connection and the later ones of the
//! same direction; answers are not followed. They come without a mark.
//!
//! ```
//! use hookwalk_engine::Host;
//! use hookwalk_kube::find;
//! let dump = hookwalk_parser::parse("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n\
//!     :OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:SVC - [0:0]\n\
//!     -A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j SVC\n\
//!     -A PREROUTING -d 10.96.0.11/32 -p udp -m udp --dport 53 -j ACCEPT\n\
//!     -A SVC ! -s 10.0.0.0/8 -j MARK --set-xmark 0x4000/0x4000\n\
//!     -A SVC -p udp -j DNAT --to-destination 10.0.1.2:53\nCOMMIT\n");
//! let found = find::find(&[dump], &Host::default(), &"10.96.0.10:53/udp".parse().unwrap()).unwrap();
//! let told: Vec<String> =
//!     found.ways[0].stages[0].rules.iter().map(|rule| format!("{} {}", rule.at, rule.sentence)).collect();
//! assert_eq!(told, [
//!     "nat/PREROUTING/1 goes through SVC",
//!     "nat/SVC/1 marks it with 0x4000/0x4000 unless it comes from 10.0.0.0/8",
//!     "nat/SVC/2 sends it to 10.0.1.2:53 instead",
//! ]);
//! ```

mod roles;
mod targets;
mod what;

use std::collections::BTreeSet;

use hookwalk_engine::{Hook, Host, RuleRef, TableName};
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::Family;
use hookwalk_parser::{Dump, Policy};

use crate::reach::{self, ChainAt, Class, Met, Reach, Spans, Stage, Start, Tables, Types};

pub use targets::Goal;
pub(crate) use targets::service_goals;
pub use what::{BadWhat, What};

/// What was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// The addresses and ports that the question is about.
    pub goals: Vec<Goal>,
    /// One for each family and start that the goals have.
    pub ways: Vec<Way>,
}

/// Where the packets of a way start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// They arrive by an interface: from a Pod or another host.
    Arriving,
    /// A process of this node sends them.
    Sent,
}

impl Origin {
    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Arriving => "arriving",
            Origin::Sent => "sent",
        }
    }
}

/// What packets of one start meet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Way {
    /// Where they start.
    pub origin: Origin,
    /// The family of their addresses.
    pub family: Family,
    /// Table by table, in the kernel's order; those in which no rule is met are left out.
    pub stages: Vec<FoundStage>,
    /// Tables that the dump may hold rules of and does not show.
    pub not_in_dump: Vec<TableName>,
    /// Whether a limit was reached, so that rules may be missing.
    pub truncated: bool,
}

/// What is met of one table at one hook.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundStage {
    /// The hook.
    pub hook: Hook,
    /// The table.
    pub table: TableName,
    /// What must be true for packets to come here, in words; none when they do.
    pub only_if: Option<String>,
    /// The rules, a chain's behind the rule that jumps there.
    pub rules: Vec<FoundRule>,
}

/// One rule that can be met.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundRule {
    /// The rule, or the policy of a built-in chain.
    pub at: RuleRef,
    /// How many jumps lead to its chain.
    pub depth: usize,
    /// What it does, and of which packets.
    pub sentence: String,
    /// What must be true of the host for it to be met, in words.
    pub only_if: Option<String>,
    /// Its comments, as they stand in the dump.
    pub comments: Vec<String>,
    /// The chain that it jumps to was told before, at this stage.
    pub told_before: bool,
}

/// Nothing in the dumps is what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No rule tells of the Service.
    #[error("no rule of kube-proxy names the Service `{name}`")]
    NoService {
        /// As it was asked for.
        name: String,
    },
    /// No dump has rules of the address's family.
    #[error("no dump holds rules of the family of `{what}`")]
    NoFamily {
        /// As it was asked for.
        what: String,
    },
}

/// Every rule that packets to what is asked for can meet. The dumps are one node's; of the host its
/// addresses, sets and routes are looked at.
pub fn find(dumps: &[Dump], host: &Host, what: &What) -> Result<Found, FindError> {
    let mut found = Found { goals: Vec::new(), ways: Vec::new() };
    let mut any_tables = false;
    for family in [Family::V4, Family::V6] {
        let tables = Tables::new(dumps, family);
        if tables.is_empty() {
            continue;
        }
        let goals: Vec<Goal> =
            targets::goals(what, &tables).into_iter().filter(|goal| goal.is_of(family)).collect();
        if goals.is_empty() {
            any_tables |= !matches!(what, What::Address { .. });
            continue;
        }
        any_tables = true;
        for (start, origin) in [(Start::Arriving, Origin::Arriving), (Start::Sent, Origin::Sent)] {
            let cluster_ips = targets::cluster_ips(&tables, family);
            let classes = goals.iter().map(|goal| class(goal, family, host, start, &cluster_ips)).collect();
            let reach = reach::reach(&tables, family, host, start, classes);
            found.ways.push(way(&tables, &goals, origin, family, host, &reach));
        }
        found.goals.extend(goals.into_iter().filter(|goal| !found.goals.contains(goal)).collect::<Vec<_>>());
    }
    match what {
        _ if !found.ways.is_empty() => Ok(found),
        What::Service { .. } if any_tables => Err(FindError::NoService { name: what.to_string() }),
        _ => Err(FindError::NoFamily { what: what.to_string() }),
    }
}

fn class(goal: &Goal, family: Family, host: &Host, start: Start, cluster_ips: &Spans) -> Class {
    let all = goal.destinations(family);
    // In kube-proxy's iptables mode no node has a cluster IP.
    let destinations = if goal.address.is_none() { all.without(cluster_ips) } else { all };
    reach::new_packets(destinations, goal.types(family, host), goal.upper(), family, start)
}

fn way(
    tables: &Tables<'_>,
    goals: &[Goal],
    origin: Origin,
    family: Family,
    host: &Host,
    reach: &Reach,
) -> Way {
    let teller = Teller { tables, goals, family, host };
    let stages = reach.stages.iter().filter_map(|stage| teller.stage(stage)).collect();
    Way { origin, family, stages, not_in_dump: reach.lacks.clone(), truncated: reach.truncated }
}

/// Tells what was met.
struct Teller<'t, 'd> {
    tables: &'t Tables<'d>,
    goals: &'t [Goal],
    family: Family,
    host: &'t Host,
}

impl Teller<'_, '_> {
    fn stage(&self, stage: &Stage) -> Option<FoundStage> {
        let mut rules = Vec::new();
        let only_if = self.stage_only_if(stage);
        self.chain(stage, stage.base, 0, &mut BTreeSet::new(), &mut rules);
        if let Some(met) = &stage.policy
            && self.tables.chain(stage.base).and_then(|chain| chain.policy) == Some(Policy::Drop)
        {
            let at = self.place(stage.base, None)?;
            let sentence = "drops what no rule above has decided, without an answer".to_owned();
            rules.push(FoundRule {
                at,
                depth: 0,
                sentence,
                only_if: self.only_if(met),
                comments: Vec::new(),
                told_before: false,
            });
        }
        if rules.is_empty() {
            return None;
        }
        if only_if.is_some() {
            for rule in &mut rules {
                rule.only_if = None;
            }
        }
        Some(FoundStage { hook: stage.hook, table: stage.table, only_if, rules })
    }

    fn place(&self, chain: ChainAt, rule: Option<usize>) -> Option<RuleRef> {
        RuleRef::new(self.tables.dumps(), chain.dump, chain.table, chain.chain, rule)
    }

    fn chain(
        &self,
        stage: &Stage,
        chain: ChainAt,
        depth: usize,
        told: &mut BTreeSet<ChainAt>,
        out: &mut Vec<FoundRule>,
    ) {
        let rules = self.tables.rules(chain);
        for (number, met) in stage.met_in(chain) {
            let (Some(rule), Some(at)) = (rules.get(number), self.place(chain, Some(number))) else {
                continue;
            };
            let to = match &rule.target {
                Target::Jump(name) | Target::Goto(name) => self.tables.beside(chain, name),
                _ => None,
            };
            let is_empty = to.is_some_and(|to| !stage.has_met(to));
            let to = to.filter(|_| !is_empty);
            let mut told_before = to.is_some_and(|to| !told.insert(to));
            let sentence = roles::sentence(self.tables, chain, number, &met.decides, is_empty);
            let again = told_before;
            // What a jump to a chain of one mark does is in its own sentence.
            told_before &= !sentence.starts_with("marks it");
            out.push(FoundRule {
                at,
                depth,
                sentence,
                only_if: self.only_if(met),
                comments: rule.comments().map(|comment| comment.to_str().into_owned()).collect(),
                told_before,
            });
            if let Some(to) = to.filter(|_| !again) {
                self.chain(stage, to, depth + 1, told, out);
            }
        }
    }

    /// What must be true for packets to come to a stage.
    fn stage_only_if(&self, stage: &Stage) -> Option<String> {
        let types = stage.entered.iter().map(|class| class.dst_types).reduce(Types::or)?;
        let dst = stage.entered.iter().map(|class| class.dst.clone()).reduce(|a, b| a.union(&b))?;
        let plain = stage.entered.iter().any(|class| !class.dnat);
        let dnat = stage.entered.iter().any(|class| class.dnat);
        self.only_if_local(types, &dst, [plain, dnat])
    }

    fn only_if(&self, met: &Met) -> Option<String> {
        self.only_if_local(met.dst_types, &met.dst, met.rewritten)
    }

    /// Whether all that came are to this node's own addresses, which nobody said they are.
    fn only_if_local(&self, types: Types, dst: &Spans, [plain, dnat]: [bool; 2]) -> Option<String> {
        let to_node = types.and(Types::TO_NODE.not()).is_empty() && !types.and(Types::LOCAL).is_empty();
        if !to_node || self.goals.iter().any(|goal| goal.address.is_none()) {
            return None;
        }
        if let Some(only) = dst.only() {
            let address = reach::address(only, self.family);
            let unknown = self.host.is_local(address).is_none();
            return unknown.then(|| format!("{address} is an address of this node"));
        }
        // A REDIRECT is to addresses of this node, whichever they are.
        let numbers = || dst.ranges().iter().flat_map(|&(first, last)| first..=last);
        if numbers().nth(MANY).is_some() {
            return None;
        }
        let unknown =
            numbers().any(|number| self.host.is_local(reach::address(number, self.family)).is_none());
        let what = match (plain, dnat) {
            (false, _) => "the endpoint",
            (true, false) => "the address",
            (true, true) => "the address or the endpoint",
        };
        unknown.then(|| format!("{what} is an address of this node"))
    }
}

/// More addresses than endpoints that a Service has.
const MANY: usize = 20_000;
