//! Walks on when following every way apart has reached its limit: ways that come to the same place
//! in the same state become one, their probabilities added.
//!
//! A chain is walked once for each state that enters it, and the result is used wherever the chain
//! is entered in that state again. So n jumps in each of n chains take n times n steps, not n to the
//! power of n. Which rules matched is lost; everything else stays exact.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Limits;
use super::explore::Ended;
use super::later::Later;
use super::way::{End, Turn, Way};
use crate::probability::Probability;
use crate::program::{Hook, RuleId};
use crate::state::List;
use crate::state::QuestionId;
use crate::state::{At, InChain, Interface, State};

/// One way in which the unknown can turn out, and the ends under it.
pub(super) struct World {
    pub(super) assume: Vec<(QuestionId, bool, Option<RuleId>)>,
    pub(super) ends: Vec<Ended>,
}

/// Cases are no use to anybody past some number.
const MOST_WORLDS: usize = 64;

/// A probability of more draws than this is no longer added up exactly, but left unexplored: its
/// digits would grow without end.
const MOST_DRAWS: u32 = 4096;

/// How many times the rules of one walk all worlds together may look at.
const SHARED_RULES: u64 = 8;

pub(super) fn explore(way: &mut Way<'_>, limits: Limits) -> Vec<World> {
    way.merging = true;
    let mut rules_left = limits.rules.saturating_mul(SHARED_RULES);
    let mut worlds = Vec::new();
    let mut pending: Vec<Vec<(QuestionId, bool, Option<RuleId>)>> = vec![Vec::new()];
    while let Some(assume) = pending.pop() {
        let budget = limits.rules.min(rules_left);
        way.budget = budget;
        let mut facts = way.known;
        for &(question, is, _) in &assume {
            facts = way.facts.assume(facts, question, is);
        }
        let open = pending.len() + worlds.len() + 1;
        let mut walk = Merged { way, limits, memo: FxHashMap::default(), keep_asking: open < MOST_WORLDS };
        let ran = walk.run(facts);
        rules_left -= budget - way.budget;
        match ran {
            Ok(ends) => worlds.push(World { assume, ends }),
            Err((question, asked_by)) => {
                for is in [false, true] {
                    let mut assume = assume.clone();
                    assume.push((question, is, asked_by));
                    pending.push(assume);
                }
            }
        }
    }
    worlds
}

/// Of the limit on states, the part that may be kept apart once they merge: each costs more then.
const MERGED_SHARE: usize = 8;

/// And at least so many.
const LEAST_MERGED: usize = 256;

struct Merged<'w, 'e> {
    way: &'w mut Way<'e>,
    limits: Limits,
    /// What became of a state that entered a chain.
    memo: FxHashMap<State, Exits>,
    /// Whether a further question may make further cases; else its ways are left unexplored.
    keep_asking: bool,
}

type Exits = FxHashMap<Exit, Probability>;

/// How a state leaves a chain.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Exit {
    Returned(State),
    Ended(State, End),
}

/// A chain, or the whole way, while its states are walked on.
struct Frame {
    entered_by: State,
    /// States by how far they are, so that equal ones meet before they go on.
    todo: BTreeMap<(u16, u32), FxHashMap<State, Probability>>,
    /// How many places have so many states.
    widths: BTreeMap<usize, usize>,
    exits: Exits,
    /// What has ended, before it is asked what comes later: equal ends have the same packets behind them.
    ended: FxHashMap<(State, End), Probability>,
    /// The call that is walked before anything else of this.
    waits_for: Option<Call>,
}

/// A state that has come to a jump, and where it goes on when it comes back.
struct Call {
    callee: State,
    resume: InChain,
    weight: Probability,
}

type Question = (QuestionId, Option<RuleId>);

impl Merged<'_, '_> {
    fn run(&mut self, facts: List) -> Result<Vec<Ended>, Question> {
        let start = State { facts, ..self.way.start() };
        let mut frames = vec![Frame::new(start)];
        while let Some(frame) = frames.last_mut() {
            if let Some(call) = frame.waits_for.take()
                && let Some(exits) = self.memo.get(&call.callee)
            {
                frame.come_back(&call, exits);
            }
            let Some((state, weight)) = frame.take() else {
                let ended = std::mem::take(&mut frame.ended);
                if !ended.is_empty() {
                    for ((state, end), weight) in ended {
                        match self.way.later(&state, &end) {
                            Later::Nothing => frame.exit(Exit::Ended(state, end), weight),
                            Later::Packet(next) => frame.add(next, weight),
                            Later::Unknown(end) => frame.exit(Exit::Ended(state, end), weight),
                        }
                    }
                    continue;
                }
                let Some(frame) = frames.pop() else { break };
                if frames.is_empty() {
                    return Ok(frame.ends());
                }
                self.memo.insert(frame.entered_by, frame.exits);
                continue;
            };
            let states = self.memo.len() + frame.exits.len() + frame.ended.len() + frame.width();
            if weight.draws() > MOST_DRAWS || states > (self.limits.states / MERGED_SHARE).max(LEAST_MERGED) {
                continue;
            }
            let mut moved = state;
            match self.way.advance(&mut moved) {
                // At an end it no longer counts from where the state last set out.
                Turn::End(end) => sum(&mut frame.ended, (State { at: At::Done, ..moved }, end), weight),
                Turn::Returned => frame.exit(Exit::Returned(State { at: At::Done, ..moved }), weight),
                Turn::Draw { numerator, place } => {
                    let (yes, no) = (place.drawn(), place.turned_away());
                    frame.add(State { at: At::Rule(yes), ..moved }, weight.draw(numerator));
                    frame.add(State { at: At::Rule(no), ..moved }, weight.draw_complement(numerator));
                }
                Turn::Choose(ways) => {
                    for (share, state) in ways {
                        frame.add(state, weight.share(share));
                    }
                }
                Turn::Ask { question, asked_by } if self.keep_asking => return Err((question, asked_by)),
                Turn::Ask { .. } | Turn::Exhausted => {}
                Turn::Call { callee, resume } => {
                    let call = Call { callee: State { at: At::Rule(callee), ..moved }, resume, weight };
                    match self.memo.get(&call.callee) {
                        Some(exits) => frame.come_back(&call, exits),
                        None => {
                            let callee = Frame::new(call.callee);
                            frame.waits_for = Some(call);
                            frames.push(callee);
                        }
                    }
                }
            }
        }
        Ok(Vec::new())
    }
}

impl Frame {
    fn new(entered_by: State) -> Self {
        let (todo, widths) = (BTreeMap::new(), BTreeMap::new());
        let mut frame = Frame {
            entered_by,
            todo,
            widths,
            exits: Exits::default(),
            ended: FxHashMap::default(),
            waits_for: None,
        };
        frame.add(entered_by, Probability::ONE);
        frame
    }

    fn add(&mut self, state: State, weight: Probability) {
        if !weight.is_zero() {
            let there = self.todo.entry(progress(&state)).or_default();
            let before = there.len();
            sum(there, state, weight);
            let after = there.len();
            self.widen(before, after);
        }
    }

    fn exit(&mut self, exit: Exit, weight: Probability) {
        sum(&mut self.exits, exit, weight);
    }

    /// Goes on with what a called chain has made of a state.
    fn come_back(&mut self, call: &Call, exits: &Exits) {
        for (exit, share) in exits {
            let weight = call.weight.times(share);
            match exit {
                Exit::Returned(state) => self.add(State { at: At::Rule(call.resume), ..*state }, weight),
                Exit::Ended(state, end) => self.exit(Exit::Ended(*state, end.clone()), weight),
            }
        }
    }

    fn take(&mut self) -> Option<(State, Probability)> {
        let mut first = self.todo.first_entry()?;
        let state = *first.get().keys().next()?;
        let weight = first.get_mut().remove(&state)?;
        let left = first.get().len();
        if left == 0 {
            first.remove();
        }
        self.widen(left + 1, left);
        Some((state, weight))
    }

    /// How many states stand at one place at most.
    fn width(&self) -> usize {
        self.widths.last_key_value().map_or(0, |(width, _)| *width)
    }

    /// Notes that a place has more or fewer states than before.
    fn widen(&mut self, before: usize, after: usize) {
        if before == after {
            return;
        }
        if let Some(places) = self.widths.get_mut(&before) {
            *places -= 1;
            if *places == 0 {
                self.widths.remove(&before);
            }
        }
        if after > 0 {
            *self.widths.entry(after).or_default() += 1;
        }
    }

    fn ends(self) -> Vec<Ended> {
        let mut ends: Vec<_> = self
            .exits
            .into_iter()
            .filter_map(|(exit, probability)| match exit {
                Exit::Ended(state, end) => Some(Ended { state, end, probability }),
                Exit::Returned(_) => None,
            })
            .collect();
        // A map has no order; addresses and ports give one that does not change from run to run.
        ends.sort_by_cached_key(|Ended { state, end, probability }| {
            let by = [state.dnat_by, state.snat_by];
            // The bits of a float that is not negative are in its order.
            let likely = probability.to_f64().to_bits();
            (state.dst, state.dport, state.src, state.mark, format!("{end:?}"), state.sport, by, likely)
        });
        ends
    }
}

fn sum<K: std::hash::Hash + Eq>(into: &mut FxHashMap<K, Probability>, key: K, weight: Probability) {
    let total = match into.get(&key) {
        Some(known) => known.plus(&weight),
        None => weight,
    };
    into.insert(key, total.reduced());
}

/// How far a state is on its way; forks only ever lead on.
fn progress(state: &State) -> (u16, u32) {
    let hook = |hook: Hook| match hook {
        Hook::Output => 0,
        Hook::Prerouting => 40,
        Hook::Forward | Hook::Input => 60,
        Hook::Postrouting => 20,
    };
    let later = if state.connection.is_some() { 120 } else { 0 };
    let again = later + if state.in_interface != Interface::None && !state.looped_back { 80 } else { 0 };
    match state.at {
        At::RouteOut => (later, 0),
        At::Receive => (again + hook(Hook::Prerouting), 0),
        At::Track(at) => (again + hook(at) + 1, u32::MAX),
        At::Table(at, table) => (again + hook(at) + 2 * table as u16, 0),
        At::Rule(InChain { hook: at, rule, .. }) => (again + hook(at) + 10, rule.0),
        At::RerouteMark | At::RerouteDnat => (later + 12, 0),
        At::RouteIn => (again + 50, 0),
        At::Done => (again + 79, 0),
    }
}
