use serde::Serialize;

use super::PacketReport;
use crate::{Assumption, Case, Outcome, RuleRef, StepKind, Verdict, Walk, WalkStep};

/// A walk as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct WalkReport {
    /// 1
    pub schema: u32,
    /// The packet, with what was filled in.
    pub packet: PacketReport,
    /// What was assumed because nobody said otherwise.
    pub defaults: Vec<String>,
    /// Exactly one, assuming nothing, when nothing was unknown.
    pub cases: Vec<CaseReport>,
    /// Whether a limit was reached.
    pub truncated: bool,
}

/// The outcomes under one set of assumptions; their probabilities and `unexplored` sum to exactly 1.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// What is assumed.
    pub assume: Vec<AssumptionReport>,
    /// What can happen then.
    pub outcomes: Vec<OutcomeReport>,
    /// The probability of what was not walked, as a fraction.
    pub unexplored: String,
}

/// The answer to something unknown.
#[derive(Clone, Debug, Serialize)]
pub struct AssumptionReport {
    /// The line of the rule that asks; none when routing does.
    pub line: Option<u32>,
    /// The question as a statement.
    pub what: String,
    /// Whether it is assumed to be true.
    pub is: bool,
    /// The index of the dump, with `line`.
    pub dump: Option<usize>,
}

/// One thing that can happen.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeReport {
    /// The exact probability within the case, `k/2^(31m)` for m draws, not reduced.
    pub probability: String,
    /// The same as a floating-point number, for showing.
    pub p: f64,
    /// Unknowns that were first met after a draw, for this outcome alone.
    pub assume: Vec<AssumptionReport>,
    /// `forwarded`, `sent`, `local`, `dropped`, `rejected`, `queued` or `unknown`.
    pub verdict: &'static str,
    /// Where a packet that is not delivered ends: a hook, or `routing`.
    #[serde(rename = "where")]
    pub place: Option<&'static str>,
    /// The rule or policy that ended it; delivered, the last accepting one of table filter.
    pub decided_by: Option<RuleRefReport>,
    /// The rule that rewrote the destination.
    pub dnat_by: Option<RuleRefReport>,
    /// The rule that rewrote the source.
    pub snat_by: Option<RuleRefReport>,
    /// The interface it came by.
    pub in_iface: Option<String>,
    /// The interface it leaves by; null when unknown.
    pub out_iface: Option<String>,
    /// The source at the end; null when MASQUERADE chose one that is not known.
    pub src: Option<String>,
    /// The source port at the end.
    pub sport: Option<u16>,
    /// The destination at the end.
    pub dst: String,
    /// The destination port at the end.
    pub dport: Option<u16>,
    /// The mark at the end.
    pub mark: u32,
    /// First and last port of the range that the source port was drawn from.
    pub sport_range: Option<[u16; 2]>,
    /// First and last port of the range that the destination port was drawn from.
    pub dport_range: Option<[u16; 2]>,
    /// Whether the connection has its destination rewritten.
    pub dnat: bool,
    /// Whether the connection has its source rewritten.
    pub snat: bool,
    /// Whether MASQUERADE did that.
    pub masquerade: bool,
    /// `hash` where a hash of the packet picked the address that it was rewritten to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// Whether the hash picks this outcome's address on a little-endian machine, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picked: Option<bool>,
    /// The line of the connection tracking table that the packet belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack: Option<ConnectionRefReport>,
    /// The answer of REJECT.
    pub reject_with: Option<String>,
    /// `TABLE/CHAIN/NUMBER` of every rule whose matches all held, in order; null when merged.
    pub matched_rules: Option<Vec<String>>,
    /// The lines of those rules.
    pub lines: Option<Vec<u32>>,
    /// The indexes of the dumps that hold them.
    pub dumps: Option<Vec<usize>>,
    /// Rules that may have matched as well, without a difference.
    pub maybe_rules: Vec<String>,
    /// The lines of those rules.
    pub maybe_lines: Vec<u32>,
    /// What the dump does not hold and would have to for a certain verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_in_dump: Vec<String>,
    /// Why the verdict is unknown, or why routing ended the packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The way step by step, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepReport>>,
}

/// An entry of the connection tracking table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionRefReport {
    /// The index of the file of `--conntrack`.
    pub file: usize,
    /// The line, from 1.
    pub line: u32,
}

/// A rule or a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleRefReport {
    /// The table.
    pub table: &'static str,
    /// The chain.
    pub chain: String,
    /// The number of the rule, or `"policy"`.
    pub rule: RuleNumber,
    /// The line of the dump.
    pub line: Option<u32>,
    /// The index of the dump.
    pub dump: usize,
}

/// The number of a rule, or a word for what is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RuleNumber {
    /// From 1.
    Number(u32),
    /// `policy`, or in a step `return`.
    Word(&'static str),
}

/// One step of a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The table.
    pub table: &'static str,
    /// The chain.
    pub chain: String,
    /// The number of the rule, `"return"` at the end of a user chain, or `"policy"`.
    pub rule: RuleNumber,
    /// The line of the dump.
    pub line: Option<u32>,
    /// The index of the dump.
    pub dump: usize,
    /// The mark after the step.
    pub mark: u32,
}

impl WalkReport {
    /// The report of a walk, without steps.
    pub fn new(walk: &Walk) -> Self {
        Self::build(walk, false)
    }

    /// The report of a walk, with the steps of each outcome.
    pub fn with_steps(walk: &Walk) -> Self {
        Self::build(walk, true)
    }

    fn build(walk: &Walk, steps: bool) -> Self {
        WalkReport {
            schema: 1,
            packet: PacketReport::new(&walk.packet),
            defaults: walk.defaults.clone(),
            cases: walk.cases.iter().map(|case| CaseReport::new(case, steps)).collect(),
            truncated: walk.truncated,
        }
    }
}

impl CaseReport {
    fn new(case: &Case, steps: bool) -> Self {
        let unexplored =
            if case.unexplored.is_zero() { "0/1".to_owned() } else { case.unexplored.to_string() };
        CaseReport {
            assume: case.assume.iter().map(AssumptionReport::new).collect(),
            outcomes: case.outcomes.iter().map(|outcome| OutcomeReport::new(outcome, steps)).collect(),
            unexplored,
        }
    }
}

impl AssumptionReport {
    pub(super) fn new(assumption: &Assumption) -> Self {
        AssumptionReport {
            line: assumption.rule.as_ref().and_then(|rule| rule.line),
            what: assumption.what.clone(),
            is: assumption.is,
            dump: assumption.rule.as_ref().map(|rule| rule.dump),
        }
    }
}

impl OutcomeReport {
    fn new(outcome: &Outcome, steps: bool) -> Self {
        let range = |range: crate::types::PortRange| [range.first, range.last];
        let rules = |rules: &[RuleRef]| rules.iter().map(ToString::to_string).collect::<Vec<_>>();
        let lines = |rules: &[RuleRef]| rules.iter().map(|rule| rule.line.unwrap_or(0)).collect::<Vec<_>>();
        let matched = outcome.matched_rules.as_deref();
        let is_local = outcome.verdict == Verdict::Local;
        OutcomeReport {
            probability: outcome.probability.to_string(),
            p: outcome.probability.to_f64(),
            assume: outcome.assume.iter().map(AssumptionReport::new).collect(),
            verdict: outcome.verdict.as_str(),
            place: outcome.place.map(crate::Place::as_str),
            decided_by: outcome.decided_by.as_ref().map(RuleRefReport::new),
            dnat_by: outcome.dnat_by.as_ref().map(RuleRefReport::new),
            snat_by: outcome.snat_by.as_ref().map(RuleRefReport::new),
            in_iface: outcome.in_interface.map(|name| name.to_string()),
            out_iface: outcome.out_interface.filter(|_| !is_local).map(|name| name.to_string()),
            src: outcome.src.map(|src| src.to_string()),
            sport: outcome.sport,
            dst: outcome.dst.to_string(),
            dport: outcome.dport,
            mark: outcome.mark,
            sport_range: outcome.sport_range.map(range),
            dport_range: outcome.dport_range.map(range),
            dnat: outcome.dnat,
            snat: outcome.snat,
            masquerade: outcome.masquerade,
            by: outcome.by_hash.then_some("hash"),
            picked: outcome.picked,
            conntrack: outcome.connection.map(|(file, line)| ConnectionRefReport { file, line }),
            reject_with: outcome.reject_with.map(|with| with.to_string()),
            matched_rules: matched.map(rules),
            lines: matched.map(lines),
            dumps: matched.map(|rules| rules.iter().map(|rule| rule.dump).collect()),
            maybe_rules: rules(&outcome.other_rules()),
            maybe_lines: lines(&outcome.other_rules()),
            not_in_dump: outcome.not_in_dump.clone(),
            reason: outcome.reason.clone(),
            steps: steps.then(|| outcome.steps.iter().map(StepReport::new).collect()),
        }
    }
}

impl RuleRefReport {
    pub(super) fn new(rule: &RuleRef) -> Self {
        RuleRefReport {
            table: rule.table,
            chain: rule.chain.to_string(),
            rule: rule.rule.map_or(RuleNumber::Word("policy"), RuleNumber::Number),
            line: rule.line,
            dump: rule.dump,
        }
    }
}

impl StepReport {
    fn new(step: &WalkStep) -> Self {
        let RuleRefReport { table, chain, rule, line, dump } = RuleRefReport::new(&step.at);
        let rule = if step.kind == StepKind::Return { RuleNumber::Word("return") } else { rule };
        StepReport { table, chain, rule, line, dump, mark: step.mark }
    }
}
