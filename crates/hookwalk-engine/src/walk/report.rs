//! Gives the ids of a walk their names.

use hookwalk_parser::types::Text;

use super::cases::{Answered, CaseNodes, Leaf, certain_and_maybe};
use super::explore::{EndedRef, Tree};
use super::merged::World;
use super::path::{PathKind, PathStep};
use super::way::{Missing, Way};
use crate::outcome::{Assumption, Case, Outcome, RuleRef, StepKind, Verdict, Walk, WalkStep};
use crate::probability::Probability;
use crate::program::{ChainId, RuleId};
use crate::question::Question;
use crate::state::{Decider, Interface, State};

pub(super) fn walk(way: &Way<'_>, tree: &Tree, cases: &[CaseNodes]) -> Walk {
    let case = |case: &CaseNodes| Case {
        assume: way.assumptions(case.assume.iter().rev()),
        outcomes: case.leaves.iter().rev().filter_map(|leaf| way.outcome(tree, leaf)).collect(),
        unexplored: Probability::ZERO,
    };
    let cases = cases.iter().map(case).collect();
    Walk { packet: way.packet, defaults: way.defaults(), cases, truncated: false }
}

/// The walk of merged ways: no rules are told, and what was given up is unexplored.
pub(super) fn merged_walk(way: &Way<'_>, worlds: &[World]) -> Walk {
    let case = |world: &World| {
        let told = world.ends.iter().fold(Probability::ZERO, |sum, ended| sum.plus(&ended.probability));
        let outcomes =
            world.ends.iter().map(|ended| Outcome { matched_rules: None, ..way.outcome_at(ended.as_ref()) });
        Case {
            assume: way.assumptions(world.assume.iter()),
            outcomes: outcomes.collect(),
            unexplored: told.complement(),
        }
    };
    let cases = worlds.iter().map(case).collect();
    Walk { packet: way.packet, defaults: way.defaults(), cases, truncated: true }
}

impl Way<'_> {
    fn assumptions<'a>(&self, answers: impl Iterator<Item = &'a Answered>) -> Vec<Assumption> {
        answers
            .map(|&(question, is, asked_by)| Assumption {
                rule: asked_by.and_then(|rule| self.rule_ref(rule)),
                what: self.facts.question(question).map(ToString::to_string).unwrap_or_default(),
                is,
                told_by: self.facts.question(question).and_then(Question::told_by),
            })
            .collect()
    }

    fn outcome(&self, tree: &Tree, leaf: &Leaf) -> Option<Outcome> {
        let mut ends = leaf.ends.iter().filter_map(|end| tree.end(*end));
        let ended = ends.next()?;
        let alike = || ends.clone();
        let (certain, maybe) = certain_and_maybe(self, tree, leaf);
        let decided_alike = alike().all(|other| other.end.decided_by == ended.end.decided_by);
        let mut outcome = self.outcome_at(ended);
        for other in alike() {
            outcome.not_in_dump.extend(self.not_in_dump(other.state));
        }
        outcome.not_in_dump = in_order_once(outcome.not_in_dump);
        Some(Outcome {
            assume: self.assumptions(leaf.assume.iter().rev()),
            decided_by: outcome.decided_by.filter(|_| decided_alike),
            matched_rules: Some(
                certain
                    .iter()
                    .filter_map(|step| step.rule())
                    .filter_map(|rule| self.rule_ref(rule))
                    .collect(),
            ),
            steps: certain.into_iter().filter_map(|step| self.step(step)).collect(),
            maybe_rules: maybe.into_iter().filter_map(|rule| self.rule_ref(rule)).collect(),
            ..outcome
        })
    }

    /// What a state at its end tells, apart from the rules on its way.
    fn outcome_at(&self, ended: EndedRef<'_>) -> Outcome {
        let EndedRef { state, end, .. } = ended;
        let not_in_dump = self.not_in_dump(state);
        let verdict = if not_in_dump.is_empty() { end.verdict } else { Verdict::Unknown };
        Outcome {
            probability: ended.probability().clone(),
            assume: Vec::new(),
            verdict,
            place: end.place,
            decided_by: end.decided_by.and_then(|decider| self.decider_ref(decider)),
            dnat_by: state.dnat_by.and_then(|rule| self.rule_ref(rule)),
            snat_by: state.snat_by.and_then(|rule| self.rule_ref(rule)),
            in_interface: self.packet_of(state).in_interface,
            out_interface: match state.out {
                Interface::Known(name) => Some(name),
                _ => None,
            },
            src: (!state.src_unknown).then_some(state.src),
            sport: state.sport,
            dst: state.dst,
            dport: state.dport,
            mark: state.mark,
            sport_range: state.sport_range,
            dport_range: state.dport_range,
            dnat: state.dnat,
            snat: state.snat,
            masquerade: state.masquerade,
            by_hash: state.by_hash,
            picked: state.picked,
            reject_with: end.reject_with,
            connection: self.connection_line(state),
            matched_rules: Some(Vec::new()),
            maybe_rules: Vec::new(),
            steps: self.path_of(state).into_iter().filter_map(|step| self.step(step)).collect(),
            not_in_dump,
            reason: end.reason.clone(),
        }
    }

    /// Where the connection of a state is listed: the file of the table, and the line.
    pub(crate) fn connection_line(&self, state: &State) -> Option<(usize, u32)> {
        self.table.get(self.connection_of(state)?.entry?)?.line
    }

    /// What the dump lacked on the way, in words.
    fn not_in_dump(&self, state: &State) -> Vec<String> {
        let missing = self.missing.to_vec(state.missing);
        missing.into_iter().filter_map(|missing| self.missing_text(missing)).collect()
    }

    /// The steps of a state, oldest first.
    pub(super) fn path_of(&self, state: &State) -> Vec<PathStep> {
        let mut steps: Vec<PathStep> = self.steps(state).collect();
        steps.reverse();
        steps
    }

    fn step(&self, step: PathStep) -> Option<WalkStep> {
        let (at, kind) = match step.kind {
            PathKind::Rule(rule) => (self.rule_ref(rule)?, StepKind::Rule),
            PathKind::Return(chain) => (RuleRef { line: None, ..self.chain_ref(chain)? }, StepKind::Return),
            PathKind::Policy(chain) => (self.chain_ref(chain)?, StepKind::Policy),
        };
        Some(WalkStep { at, kind, mark: step.mark })
    }

    pub(crate) fn decider_ref(&self, decider: Decider) -> Option<RuleRef> {
        match decider {
            Decider::Rule(rule) => self.rule_ref(rule),
            Decider::Policy(chain) => self.chain_ref(chain),
        }
    }

    pub(crate) fn rule_ref(&self, rule: RuleId) -> Option<RuleRef> {
        let step = self.program.step(rule)?;
        let chain = self.program.chain(step.chain)?;
        let line = chain.rule(self.dumps, rule).map(|rule| rule.line);
        Some(RuleRef { rule: Some(chain.number(rule)), line, ..self.chain_ref(step.chain)? })
    }

    fn chain_ref(&self, chain: ChainId) -> Option<RuleRef> {
        let chain = self.program.chain(chain)?;
        let source = chain.source(self.dumps);
        Some(RuleRef {
            dump: chain.place.dump as usize,
            table: chain.table.name(),
            chain: source.map_or_else(Text::default, |source| source.name.clone()),
            rule: None,
            line: source.and_then(|source| source.line),
            place: chain.place,
        })
    }

    fn missing_text(&self, missing: Missing) -> Option<String> {
        let chain = |chain: ChainId| self.chain_ref(chain).map(|at| format!("{}/{}", at.table, at.chain));
        Some(match missing {
            Missing::Table(table) => format!("table {}", table.name()),
            Missing::Chain(table, hook) => format!("chain {}/{}", table.name(), hook.name()),
            Missing::Policy(at) => format!("policy of {}", chain(at)?),
            Missing::Target(rule) => {
                let at = self.rule_ref(rule)?;
                let step = self.program.step(rule)?;
                let target =
                    self.program.chain(step.chain)?.rule(self.dumps, rule)?.target.name().into_owned();
                format!("chain {}/{target}", at.table)
            }
            Missing::Rules(at, line) => format!("rules of {} at line {line}", chain(at)?),
        })
    }

    /// What was taken for granted, in words.
    pub(crate) fn defaults(&self) -> Vec<String> {
        let texts = self.granted.iter().map(|granted| granted.text(self.packet.src, self.past.in_session));
        texts.collect()
    }
}

/// Each text once, where it stands first.
fn in_order_once(texts: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}
