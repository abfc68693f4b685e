//! The way through the chains of a table, rule by rule.

use super::judge::Judgement;
use super::path::PathKind;
use super::way::{End, Missing, Move, Turn, Way};
use crate::extensions::{self, Effect};
use crate::index::{Ahead, ChainIndex};
use crate::outcome::{Place, Verdict};
use crate::program::{CompiledChain, Go, Judged, Looks, RuleId, TableName, TargetId};
use crate::state::{At, Decider, GrantedSet, InChain, State};

/// Where a rule, or the end of a chain, leaves a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// In the table, where its place says.
    Inside,
    /// Behind the table.
    Behind,
}

impl Way<'_> {
    /// Through a table, from a place in one of its chains until it lets the packet pass.
    pub(super) fn rules(&mut self, state: &mut State, mut place: InChain) -> Move {
        let program = self.program;
        loop {
            let Some(chain) = program.chain(place.chain) else { return Err(Turn::Exhausted) };
            let left = if self.is_drawn(place)? || self.next_match(chain, state, &mut place)? {
                self.matched(chain, state, &mut place)?
            } else {
                self.end_of_chain(state, &mut place)?
            };
            if left == Left::Behind {
                return Ok(());
            }
        }
    }

    /// Whether chance was all that was still to decide on a rule, and did. The reference asks it again.
    #[inline]
    fn is_drawn(&mut self, place: InChain) -> Result<bool, Turn> {
        let is_drawn = place.draws > 0
            && self.index.is_some()
            && self.program.step(place.rule).is_some_and(|step| step.draws_once);
        if is_drawn {
            self.charge(1)?;
        }
        Ok(is_drawn)
    }

    /// On to the first rule of a chain that matches; false at its end.
    fn next_match(
        &mut self,
        chain: &CompiledChain,
        state: &mut State,
        place: &mut InChain,
    ) -> Result<bool, Turn> {
        // Most rules of a service's chains ask one thing. Long chains have an index for what more they ask.
        while self.index.is_some()
            && place.rule < chain.stop
            && let Some((judged, looks)) = self.program.judge_short(place.rule, self.packet_of(state), state)
        {
            self.looks = self.looks.and(looks);
            self.charge(1)?;
            match judged {
                Judged::Yes => return Ok(true),
                Judged::Draw(numerator) => return Err(Turn::Draw { numerator, place: *place }),
                Judged::No | Judged::Open => _ = Self::on(place),
            }
            if !chain.is_short() {
                break;
            }
        }
        let mut ahead = Ahead::default();
        loop {
            // The two ways to come to the next rule: the second is the reference.
            let (rule, judged, looks) = match self.index {
                Some(_) if chain.is_short() => self.look_at_conditions(chain.stop, state, place),
                Some(index) => self.look(chain, index.chain(place.chain), state, *place, &mut ahead),
                None => self.look_at_each(chain, state, *place),
            };
            self.looks = self.looks.and(looks);
            let passed = u64::from(rule.0 - place.rule.0);
            if passed > 0 {
                (place.rule, place.draws) = (rule, 0);
            }
            if rule >= chain.stop {
                self.charge(passed)?;
                return self.stopped(chain, state, *place).map(|()| false);
            }
            self.charge(passed + 1)?;
            match judged {
                Judged::Yes => return Ok(true),
                Judged::Draw(numerator) => return Err(Turn::Draw { numerator, place: *place }),
                Judged::Open if self.asked(chain, state, *place)? => return Ok(true),
                Judged::Open | Judged::No => _ = Self::on(place),
            }
        }
    }

    /// The next rule that is not known to turn the packet away, by conditions alone.
    #[inline(never)]
    fn look_at_conditions(&self, stop: RuleId, state: &State, place: &InChain) -> (RuleId, Judged, Looks) {
        self.program.judge(place.rule..stop, self.packet_of(state), state, place.draws)
    }

    /// The same by the index too.
    #[inline(never)]
    fn look(
        &self,
        chain: &CompiledChain,
        index: Option<&ChainIndex>,
        state: &State,
        place: InChain,
        ahead: &mut Ahead,
    ) -> (RuleId, Judged, Looks) {
        let Some(index) = index else {
            return self.look_at_conditions(chain.stop, state, &place);
        };
        let packet = self.packet_of(state);
        let (mut rule, mut draws) = (place.rule, place.draws);
        loop {
            let next = index.next(rule, packet, state, ahead).min(chain.stop);
            if next > rule {
                (rule, draws) = (next, 0);
            }
            if rule >= chain.stop {
                return (rule, Judged::No, Looks::Everything);
            }
            match self.program.judge(rule..rule.next(), packet, state, draws) {
                (_, Judged::No, _) => (rule, draws) = (rule.next(), 0),
                (rule, judged, _) => return (rule, judged, Looks::Everything),
            }
        }
    }

    /// The same by a look at each rule as the dump has it.
    #[inline(never)]
    fn look_at_each(&self, chain: &CompiledChain, state: &State, place: InChain) -> (RuleId, Judged, Looks) {
        let packet = self.packet_of(state);
        let rules = chain.rules(self.dumps, place.rule);
        match (0_u32..).zip(rules).find(|(_, rule)| Self::base_holds(rule, packet, state)) {
            Some((passed, _)) => (RuleId(place.rule.0 + passed), Judged::Open, Looks::Everything),
            None => (chain.stop, Judged::No, Looks::Everything),
        }
    }

    /// At the end of a chain, or before text of it that is missing.
    #[inline(never)]
    fn stopped(&mut self, chain: &CompiledChain, state: &mut State, place: InChain) -> Move {
        let Some(line) = chain.gap else { return Ok(()) };
        self.note_missing(state, Missing::Rules(place.chain, line));
        let reason = format!("rules may be missing at line {line}");
        Err(Turn::End(End::unknown(Place::Hook(place.hook), reason)))
    }

    /// Takes rules that were looked at off what may still be.
    #[inline]
    pub(super) fn charge(&mut self, rules: u64) -> Move {
        let left = self.budget.checked_sub(rules);
        self.budget = left.unwrap_or(0);
        if left.is_some() { Ok(()) } else { Err(Turn::Exhausted) }
    }

    /// Asks a rule as the dump has it whether it matches.
    #[inline(never)]
    fn asked(&mut self, chain: &CompiledChain, state: &mut State, place: InChain) -> Result<bool, Turn> {
        let Some(rule) = chain.rule(self.dumps, place.rule) else { return Ok(false) };
        self.looks = Looks::Everything;
        let judgement = self.judge_rule(rule, state, place);
        let has_memory = self.program.step(place.rule).is_some_and(|step| step.has_memory);
        if has_memory && matches!(judgement, Judgement::Yes | Judgement::No) {
            state.memory = self.remember(rule, state, place);
        }
        match judgement {
            Judgement::No => Ok(false),
            Judgement::Yes => Ok(true),
            Judgement::Ask(_) if extensions::has_no_effect(&rule.target) => {
                if !self.merging {
                    state.maybe = self.rules.push(state.maybe, place.rule);
                }
                Ok(false)
            }
            Judgement::Ask(question) => {
                state.at = At::Rule(place);
                Err(self.ask(question, Some(place.rule)))
            }
            Judgement::Draw(numerator) => Err(Turn::Draw { numerator, place }),
        }
    }

    /// The draw that decides on the rule at a place, where that is all it asks.
    #[inline]
    pub(super) fn draw_at(&mut self, place: InChain) -> Option<u32> {
        let chain = self.program.chain(place.chain)?;
        let is_compiled = self.index.is_some() && place.rule < chain.stop;
        let numerator = is_compiled.then(|| self.program.draw(place.rule))??;
        self.charge(1).ok().map(|()| numerator)
    }

    /// What a rule does that matches. What is rare stays apart from it, else it is slow to enter.
    fn matched(
        &mut self,
        chain: &CompiledChain,
        state: &mut State,
        place: &mut InChain,
    ) -> Result<Left, Turn> {
        let program = self.program;
        let Some(step) = program.step(place.rule) else { return Err(Turn::Exhausted) };
        if let Go::Target(target) = step.go {
            return self.act(chain, state, place, target);
        }
        self.granted.add(step.granted);
        self.note(state, PathKind::Rule(place.rule));
        match step.go {
            Go::On | Go::Target(_) => Ok(Self::on(place)),
            Go::Accept => self.accepted(state, *place, Decider::Rule(place.rule)),
            Go::Drop => Err(Turn::End(End::by(Verdict::Dropped, place.hook, Decider::Rule(place.rule)))),
            Go::Return => self.come_back(state, place),
            Go::Jump(to) if self.merging => {
                let callee = InChain { stack: self.called, ..self.first_of(place.hook, place.base, to)? };
                Self::on(place);
                Err(Turn::Call { callee, resume: *place })
            }
            Go::Jump(to) => {
                let stack = self.calls.push(place.stack, place.rule);
                *place = InChain { stack, ..self.first_of(place.hook, place.base, to)? };
                Ok(Left::Inside)
            }
            Go::Goto(to) => {
                *place = InChain { stack: place.stack, ..self.first_of(place.hook, place.base, to)? };
                Ok(Left::Inside)
            }
            Go::Missing | Go::Loop => Err(self.nowhere(chain, state, step.go, *place)),
        }
    }

    /// Does what the target of a rule does that matches.
    #[inline(never)]
    fn act(
        &mut self,
        chain: &CompiledChain,
        state: &mut State,
        place: &mut InChain,
        target: TargetId,
    ) -> Result<Left, Turn> {
        let Some(target) = self.program.target(target) else { return Err(Turn::Exhausted) };
        self.looks = Looks::Everything;
        if extensions::accepts_plainly(target, state, self.packet_of(state).protocol, place.rule) {
            self.met(state, place.rule);
            return self.accepted(state, *place, Decider::Rule(place.rule));
        }
        let before = *state;
        let effect = extensions::apply(target, state, &self.view(&before, *place), None);
        let accepts = matches!(effect, Effect::Accept);
        let end = |verdict| End::by(verdict, place.hook, Decider::Rule(place.rule));
        let end = match effect {
            Effect::Choose(range) => {
                *state = before;
                let Some(rule) = chain.rule(self.dumps, place.rule) else { return Err(Turn::Exhausted) };
                return Err(self.choose(state, *place, rule, range));
            }
            Effect::Ask(question) => {
                *state = State { at: At::Rule(*place), ..before };
                return Err(self.ask(question, Some(place.rule)));
            }
            Effect::Continue | Effect::Accept => None,
            Effect::Drop => Some(end(Verdict::Dropped)),
            Effect::Queue => Some(end(Verdict::Queued)),
            Effect::Reject(with) => Some(End { reject_with: Some(with), ..end(Verdict::Rejected) }),
            Effect::Stolen(reason) => Some(End { reason: Some(reason.to_owned()), ..end(Verdict::Dropped) }),
            Effect::Answered(reason) => {
                Some(End { reason: Some(reason.to_owned()), ..end(Verdict::Rejected) })
            }
            Effect::Unknown(reason) => Some(End { reason: Some(reason), ..end(Verdict::Unknown) }),
        };
        if state.mark != before.mark {
            state.rewrites += 1;
        }
        self.met(state, place.rule);
        match end {
            Some(end) => Err(Turn::End(end)),
            None if accepts => self.accepted(state, *place, Decider::Rule(place.rule)),
            None => Ok(Self::on(place)),
        }
    }

    /// Notes a rule that matched.
    fn met(&mut self, state: &mut State, rule: RuleId) {
        self.granted.add(self.program.step(rule).map_or(GrantedSet::default(), |step| step.granted));
        self.note(state, PathKind::Rule(rule));
    }

    /// On to the next rule.
    fn on(place: &mut InChain) -> Left {
        *place = place.turned_away();
        Left::Inside
    }

    /// The end at a jump that leads nowhere.
    #[inline(never)]
    fn nowhere(&mut self, chain: &CompiledChain, state: &mut State, go: Go, place: InChain) -> Turn {
        let target = chain.rule(self.dumps, place.rule).map(|rule| rule.target.name()).unwrap_or_default();
        let reason = if go == Go::Missing {
            self.note_missing(state, Missing::Target(place.rule));
            format!("`{target}` is no chain of the table and no known target")
        } else {
            format!("the jump to `{target}` leads in a loop")
        };
        let by = End::by(Verdict::Unknown, place.hook, Decider::Rule(place.rule));
        Turn::End(End { reason: Some(reason), ..by })
    }

    /// A packet that a rule or policy of a table lets pass.
    pub(super) fn accepted(&self, state: &mut State, place: InChain, decider: Decider) -> Result<Left, Turn> {
        let table = self.program.chain(place.base).map_or(TableName::Filter, |chain| chain.table);
        if table == TableName::Filter {
            state.accepted_by = Some(decider);
        }
        if let Some(other) = state.other_backend.take()
            && !(table == TableName::Nat && state.nat_settled)
        {
            state.at = At::Rule(self.first_of(place.hook, other, other)?);
        } else {
            self.behind(state, place.hook, table);
        }
        Ok(Left::Behind)
    }

    fn end_of_chain(&mut self, state: &mut State, place: &mut InChain) -> Result<Left, Turn> {
        if place.chain != place.base {
            self.note(state, PathKind::Return(place.chain));
        }
        self.come_back(state, place)
    }

    /// RETURN, or the end of a chain: behind the rule that jumped last, else the policy of the
    /// built-in chain that the hook entered.
    fn come_back(&mut self, state: &mut State, place: &mut InChain) -> Result<Left, Turn> {
        if self.merging && !place.stack.is_empty() {
            return Err(Turn::Returned);
        }
        if let Some((jumped, stack)) = self.calls.pop(place.stack) {
            let chain = self.program.step(jumped).map_or(place.base, |step| step.chain);
            *place = InChain { chain, rule: jumped.next(), stack, draws: 0, ..*place };
            return Ok(Left::Inside);
        }
        self.note(state, PathKind::Policy(place.base));
        let decider = Decider::Policy(place.base);
        match self.program.chain(place.base).and_then(|chain| chain.policy) {
            Some(hookwalk_parser::Policy::Drop) => {
                return Err(Turn::End(End::by(Verdict::Dropped, place.hook, decider)));
            }
            Some(hookwalk_parser::Policy::Accept) => {}
            None => self.note_missing(state, Missing::Policy(place.base)),
        }
        self.accepted(state, *place, decider)
    }
}
