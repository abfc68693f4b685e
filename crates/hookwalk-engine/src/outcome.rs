use std::net::IpAddr;

use hookwalk_parser::Dump;
use hookwalk_parser::extensions::RejectWith;
use hookwalk_parser::types::{PortRange, Text};

use crate::packet::{InterfaceName, Packet};
use crate::probability::Probability;
use crate::program::{ChainPlace, Hook, TableName};

/// What becomes of a packet: every outcome there can be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walk {
    /// The packet walked.
    pub packet: Packet,
    /// What was assumed because nobody said otherwise, in words.
    pub defaults: Vec<String>,
    /// One case for each way in which the unknown can turn out; exactly one when nothing was.
    pub cases: Vec<Case>,
    /// Whether a limit was reached, so that something is left unexplored or merged.
    pub truncated: bool,
}

impl Walk {
    /// The walk with one outcome left in each case, drawn by the exact weights. One seed draws the
    /// same outcome each time.
    #[must_use]
    pub fn drawn(mut self, seed: u64) -> Walk {
        for case in &mut self.cases {
            let drawn = case.drawn(seed);
            case.outcomes = drawn.map(|at| case.outcomes.swap_remove(at)).into_iter().collect();
        }
        self
    }
}

/// The outcomes under one set of assumptions. Their probabilities and `unexplored` sum to exactly 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// What is assumed.
    pub assume: Vec<Assumption>,
    /// What can happen then.
    pub outcomes: Vec<Outcome>,
    /// The probability of what was not walked.
    pub unexplored: Probability,
}

impl Case {
    /// The outcome that a seed draws; none when what is unexplored was drawn.
    pub(crate) fn drawn(&self, seed: u64) -> Option<usize> {
        let lot = crate::probability::Lot::new(seed);
        let mut below = Probability::ZERO;
        self.outcomes.iter().position(|outcome| {
            below = below.plus(&outcome.probability);
            lot.is_below(&below)
        })
    }
}

/// The answer to something that neither dump nor host tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Assumption {
    /// The rule that asks; none when routing does.
    pub rule: Option<RuleRef>,
    /// The question as a statement.
    pub what: String,
    /// Whether it is assumed to be true.
    pub is: bool,
    /// What of the host would tell it; none where only the packet could, or nothing.
    pub told_by: Option<HostPart>,
}

/// A part of what a [`Host`](crate::Host) can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HostPart {
    /// Its addresses.
    Addresses,
    /// Its routes.
    Routes,
    /// Its sets.
    Sets,
}

/// One thing that can happen to the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// How likely it is, within its case.
    pub probability: Probability,
    /// What is assumed for this outcome alone: unknowns met behind a draw.
    pub assume: Vec<Assumption>,
    /// Where the packet ends.
    pub verdict: Verdict,
    /// Where a packet that is not delivered ends.
    pub place: Option<Place>,
    /// The rule or policy that ended it; delivered, the last accepting one of table filter.
    pub decided_by: Option<RuleRef>,
    /// The rule that rewrote the destination.
    pub dnat_by: Option<RuleRef>,
    /// The rule that rewrote the source.
    pub snat_by: Option<RuleRef>,
    /// The interface it came by.
    pub in_interface: Option<InterfaceName>,
    /// The interface it leaves by, where that is known.
    pub out_interface: Option<InterfaceName>,
    /// The source it has at the end; none when MASQUERADE chose one that is not known.
    pub src: Option<IpAddr>,
    /// The source port it has at the end.
    pub sport: Option<u16>,
    /// The destination it has at the end.
    pub dst: IpAddr,
    /// The destination port it has at the end.
    pub dport: Option<u16>,
    /// The mark it has at the end.
    pub mark: u32,
    /// The ports that the source port was drawn from.
    pub sport_range: Option<PortRange>,
    /// The ports that the destination port was drawn from.
    pub dport_range: Option<PortRange>,
    /// Whether its connection has the destination rewritten.
    pub dnat: bool,
    /// Whether its connection has the source rewritten.
    pub snat: bool,
    /// Whether MASQUERADE did that.
    pub masquerade: bool,
    /// Whether a hash picked the address of a range that it was rewritten to.
    pub by_hash: bool,
    /// Whether that hash picks this outcome's address on a little-endian machine, where that can be told.
    pub picked: Option<bool>,
    /// The entry of the connection tracking table that the packet belongs to: the index of its file and
    /// its line there.
    pub connection: Option<(usize, u32)>,
    /// What the answer of REJECT is.
    pub reject_with: Option<RejectWith>,
    /// Every rule whose matches all held, in order; none when outcomes were merged past the limit.
    pub matched_rules: Option<Vec<RuleRef>>,
    /// Rules that may have matched as well, or once more, without a difference to this outcome.
    pub maybe_rules: Vec<RuleRef>,
    /// The way in full: rules, ends of chains and policies, with the mark after each.
    pub steps: Vec<WalkStep>,
    /// What the dump does not hold and would have to for a certain verdict.
    pub not_in_dump: Vec<String>,
    /// Why the verdict is unknown, or why routing ended the packet, in words.
    pub reason: Option<String>,
}

impl Outcome {
    /// Rules that may have matched, without a difference, and are not among those that did.
    pub fn other_rules(&self) -> Vec<RuleRef> {
        let matched = self.matched_rules.as_deref().unwrap_or_default();
        self.maybe_rules.iter().filter(|rule| !matched.contains(rule)).cloned().collect()
    }
}

/// Where a packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Out by an interface, from another.
    Forwarded,
    /// Out by an interface, from a local process.
    Sent,
    /// At this node.
    Local,
    /// Nowhere, and nobody is told.
    Dropped,
    /// Nowhere, and the sender is told.
    Rejected,
    /// At a program that decides.
    Queued,
    /// It cannot be told.
    Unknown,
}

impl Verdict {
    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Forwarded => "forwarded",
            Verdict::Sent => "sent",
            Verdict::Local => "local",
            Verdict::Dropped => "dropped",
            Verdict::Rejected => "rejected",
            Verdict::Queued => "queued",
            Verdict::Unknown => "unknown",
        }
    }
}

/// Where a packet that is not delivered ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At a hook.
    Hook(Hook),
    /// In the choice of a route.
    Routing,
}

impl Place {
    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Place::Hook(hook) => hook.name(),
            Place::Routing => "routing",
        }
    }
}

/// A rule, or the policy of a chain, by its place in the dump.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleRef {
    /// The index of the dump, as given to the engine.
    pub dump: usize,
    /// The table.
    pub table: &'static str,
    /// The chain.
    pub chain: Text,
    /// The number of the rule in its chain, from 1; none for the policy.
    pub rule: Option<u32>,
    /// The line of the dump, from 1; none when no line declares the chain.
    pub line: Option<u32>,
    pub(crate) place: ChainPlace,
}

impl RuleRef {
    /// A rule (by its index in the chain, from 0) or the policy of a chain, where the dumps have it:
    /// for whoever names rules that no packet has met.
    pub fn new(dumps: &[Dump], dump: usize, table: usize, chain: usize, rule: Option<usize>) -> Option<Self> {
        let place = ChainPlace::new(dump, table, chain);
        let found = place.chain(dumps)?;
        let line = match rule {
            Some(rule) => Some(found.rules.get(rule)?.line),
            None => found.line,
        };
        let name = &dumps.get(dump)?.tables().get(table)?.name;
        let table = TableName::ALL.into_iter().find(|table| name == table.name())?.name();
        let rule = rule.map(|rule| u32::try_from(rule + 1).unwrap_or(u32::MAX));
        Some(RuleRef { dump, table, chain: found.name.clone(), rule, line, place })
    }
}

/// `nat/KUBE-SERVICES/4`, or `filter/FORWARD/policy`.
impl std::fmt::Display for RuleRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = self.rule.map_or_else(|| "policy".to_owned(), |rule| rule.to_string());
        f.pad(&format!("{}/{}/{rule}", self.table, self.chain))
    }
}

/// One step of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkStep {
    /// The rule, or the chain whose end was reached.
    pub at: RuleRef,
    /// What the step is.
    pub kind: StepKind,
    /// The mark after it.
    pub mark: u32,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// A rule whose matches all held.
    Rule,
    /// The end of a user chain: back to the rule behind the jump.
    Return,
    /// The policy of a built-in chain.
    Policy,
}
