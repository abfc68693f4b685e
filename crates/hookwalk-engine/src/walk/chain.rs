//! The way through a chain, rule by rule.

use std::net::IpAddr;

use hookwalk_parser::Rule;
use hookwalk_parser::types::{InterfacePattern, Negatable};

use super::way::{End, Missing, Move, PathKind, Turn, Way};
use crate::extensions::{self, Effect};
use crate::index::Ahead;
use crate::outcome::{Place, Verdict};
use crate::packet::Packet;
use crate::program::{CompiledChain, Go, Judged, RuleId, TableName};
use crate::question::Question;
use crate::state::{Answer, At, Decider, InChain, Interface, List, State, View};

/// What a rule makes of a packet.
enum Judgement {
    No,
    Yes,
    Ask(Question),
    Draw(u32),
}

impl Way<'_> {
    /// Before a rule, or behind the last one of a chain.
    pub(super) fn rule(&mut self, state: &mut State, mut place: InChain) -> Move {
        let program = self.program;
        let Some(chain) = program.chain(place.chain) else { return Err(Turn::Exhausted) };
        let index = self.index.and_then(|index| index.chain(place.chain));
        let mut ahead = Ahead::default();
        loop {
            // Of the two ways to come to the next rule the index is the faster one; the other asks each.
            let next = match index {
                Some(index) => {
                    index.next(place.rule, self.packet_of(state), state, &mut ahead).min(chain.end)
                }
                None => place.rule,
            };
            self.pass(chain, &mut place, next)?;
            if let Some((before, line)) = chain.gap
                && place.rule == before
            {
                self.note_missing(state, Missing::Rules(place.chain, line));
                let reason = format!("rules may be missing at line {line}");
                return Err(Turn::End(End::unknown(Place::Hook(place.hook), reason)));
            }
            if place.rule == chain.end {
                return self.end_of_chain(state, place);
            }
            self.budget = self.budget.checked_sub(1).ok_or(Turn::Exhausted)?;
            let next = InChain { rule: place.rule.next(), draws: 0, ..place };
            let judgement = self.judge(chain, state, place);
            if chain.has_memory
                && let Judgement::Yes | Judgement::No = judgement
            {
                state.memory = self.remember(chain, state, place);
            }
            match judgement {
                Judgement::No => place = next,
                Judgement::Ask(_) if self.has_no_effect(chain, place) => {
                    if !self.merging {
                        state.maybe = self.rules.push(state.maybe, place.rule);
                    }
                    place = next;
                }
                Judgement::Ask(question) => {
                    state.at = At::Rule(place);
                    return Err(self.ask(question, Some(place.rule)));
                }
                Judgement::Draw(numerator) => {
                    state.at = At::Rule(place);
                    let yes = InChain { draws: place.draws + 1, ..place };
                    return Err(Turn::Draw { numerator, yes, no: next });
                }
                Judgement::Yes => return self.matched(chain, state, place, next),
            }
        }
    }

    /// Passes rules that do not match, at the cost of asking them, but none behind missing text.
    fn pass(&mut self, chain: &CompiledChain, place: &mut InChain, to: RuleId) -> Move {
        let to = match chain.gap {
            Some((before, _)) if place.rule <= before => to.min(before),
            _ => to,
        };
        if to > place.rule {
            let passed = u64::from(to.0 - place.rule.0);
            self.budget = self.budget.checked_sub(passed).ok_or(Turn::Exhausted)?;
            *place = InChain { rule: to, draws: 0, ..*place };
        }
        Ok(())
    }

    /// Judges a rule: by its conditions as far as they tell, else as the dump has it. Without an index
    /// it is always the latter.
    fn judge(&self, chain: &CompiledChain, state: &State, place: InChain) -> Judgement {
        if self.index.is_some() {
            match self.program.judge(place.rule, self.packet_of(state), state, place.draws) {
                Judged::No => return Judgement::No,
                Judged::Yes => return Judgement::Yes,
                Judged::Draw(numerator) => return Judgement::Draw(numerator),
                Judged::Open => {}
            }
        }
        match chain.rule(self.dumps, place.rule) {
            Some(rule) => self.judge_rule(rule, state, place),
            None => Judgement::No,
        }
    }

    fn has_no_effect(&self, chain: &CompiledChain, place: InChain) -> bool {
        chain.rule(self.dumps, place.rule).is_some_and(|rule| extensions::has_no_effect(&rule.target))
    }

    /// Judges a rule as the dump has it.
    fn judge_rule(&self, rule: &Rule, state: &State, place: InChain) -> Judgement {
        let base = &rule.base;
        if !Self::base_holds(rule, self.packet_of(state), state) {
            return Judgement::No;
        }
        let view = self.view(state, place);
        let mut asked = None;
        let mut draws_left = place.draws;
        if state.src_unknown
            && let Some(text) = extensions::about_source(rule)
        {
            match view.ask(Question::Opaque { text, seen: state.rewrites }) {
                Answer::No => return Judgement::No,
                Answer::Ask(question) => asked = Some(question),
                _ => {}
            }
        }
        let mut holds =
            |wanted: Option<Negatable<InterfacePattern>>, interface: Interface, other_end: IpAddr| {
                let Some(wanted) = wanted else { return true };
                let holds = match interface {
                    // A packet without the interface has the empty name there.
                    Interface::None => Some(wanted.value.matches(b"")),
                    Interface::Known(name) => Some(wanted.value.matches(name.as_bytes())),
                    Interface::Unknown => {
                        let question = Question::LeavesBy { dst: other_end, interface: wanted.value };
                        let known = view.known(&question);
                        if known.is_none() {
                            asked = Some(question);
                        }
                        known
                    }
                };
                holds != Some(wanted.negated)
            };
        // An answer comes in where packets to its sender leave.
        if !holds(base.in_interface, state.in_interface, view.packet.src)
            || !holds(base.out_interface, state.out, state.dst)
        {
            return Judgement::No;
        }
        if base.fragment.is_some_and(|wanted| view.is_later_fragment() == wanted.negated) {
            return Judgement::No;
        }
        let mut draw = None;
        for candidate in &rule.matches {
            if state.src_unknown && extensions::asks_source(candidate) {
                continue;
            }
            match extensions::test(candidate, &view) {
                Answer::Yes => {}
                Answer::No => return Judgement::No,
                Answer::Ask(question) => asked = asked.or(Some(question)),
                Answer::Draw(_) if draws_left > 0 => draws_left -= 1,
                Answer::Draw(numerator) => draw = draw.or(Some(numerator)),
            }
        }
        match (asked, draw) {
            (Some(question), _) => Judgement::Ask(question),
            (None, Some(numerator)) => Judgement::Draw(numerator),
            (None, None) => Judgement::Yes,
        }
    }

    /// What the matches of a rule that have a memory keep, as far as they were asked: those behind one
    /// that does not hold are not.
    fn remember(&mut self, chain: &CompiledChain, state: &State, place: InChain) -> List {
        let mut memory = state.memory;
        let Some(rule) = chain.rule(self.dumps, place.rule) else { return memory };
        let met =
            |wanted: Option<Negatable<InterfacePattern>>, interface: Interface| match (wanted, interface) {
                (None, _) | (_, Interface::Unknown) => true,
                (Some(wanted), Interface::None) => wanted.holds(|pattern| pattern.matches(b"")),
                (Some(wanted), Interface::Known(name)) => {
                    wanted.holds(|pattern| pattern.matches(name.as_bytes()))
                }
            };
        if !self.program.step(place.rule).is_some_and(|step| step.has_memory)
            || !Self::base_holds(rule, self.packet_of(state), state)
            || !met(rule.base.in_interface, state.in_interface)
            || !met(rule.base.out_interface, state.out)
        {
            return memory;
        }
        let mut events = Vec::new();
        for candidate in &rule.matches {
            let view = self.view(state, place);
            events.extend(extensions::event(candidate, &view));
            if extensions::test(candidate, &view) == Answer::No {
                break;
            }
        }
        for event in events {
            memory = self.memory.note(memory, event);
        }
        memory
    }

    /// Whether addresses and protocol are those of a rule, or may be.
    fn base_holds(rule: &Rule, packet: &Packet, state: &State) -> bool {
        let base = &rule.base;
        base.destination.is_none_or(|wanted| wanted.holds(|net| net.contains(state.dst)))
            && (state.src_unknown
                || base.source.is_none_or(|wanted| wanted.holds(|net| net.contains(state.src))))
            && base.protocol.is_none_or(|wanted| wanted.holds(|protocol| *protocol == packet.protocol))
    }

    pub(super) fn view<'a>(&'a self, state: &'a State, place: InChain) -> View<'a> {
        View {
            host: self.host,
            table: self.table,
            past: self.past,
            packet: self.packet_of(state),
            first: self.packet,
            state,
            connection: self.connection_of(state),
            facts: &self.facts,
            memory: &self.memory,
            hook: place.hook,
            rule_id: place.rule,
            is_nft: self.packet.fragment_offset > 0
                && self.program.chain(place.chain).is_some_and(|chain| chain.is_nft),
        }
    }

    fn matched(&mut self, chain: &CompiledChain, state: &mut State, place: InChain, next: InChain) -> Move {
        let Some(&step) = self.program.step(place.rule) else { return Err(Turn::Exhausted) };
        let go = step.go;
        let mark = state.mark;
        let effect = match (go, chain.rule(self.dumps, place.rule)) {
            (Go::Target, Some(rule)) => {
                let before = *state;
                let effect = extensions::apply(&rule.target, state, &self.view(&before, place), None);
                if let Effect::Choose(range) = effect {
                    *state = before;
                    return Err(self.choose(state, place, rule, range));
                }
                if let Effect::Ask(question) = effect {
                    *state = State { at: At::Rule(place), ..before };
                    return Err(self.ask(question, Some(place.rule)));
                }
                effect
            }
            _ => Effect::Continue,
        };
        if state.mark != mark {
            state.rewrites += 1;
        }
        self.granted.add(step.granted);
        self.note(state, PathKind::Rule(place.rule));
        let hook = place.hook;
        let here = Place::Hook(hook);
        let decider = Decider::Rule(place.rule);
        let target = || chain.rule(self.dumps, place.rule).map(|rule| rule.target.name()).unwrap_or_default();
        let end = |end: End| Err(Turn::End(end));
        match go {
            Go::On => {
                state.at = At::Rule(next);
                Ok(())
            }
            Go::Accept => self.accepted(state, place, decider),
            Go::Drop => end(End::by(Verdict::Dropped, hook, decider)),
            Go::Return => self.come_back(state, place),
            Go::Jump(to) | Go::Goto(to) => {
                let Some(first) = self.program.chain(to).map(|chain| chain.first) else {
                    return Err(Turn::Exhausted);
                };
                let enter = |stack| InChain { chain: to, rule: first, stack, draws: 0, ..place };
                state.at = At::Rule(match go {
                    Go::Jump(_) if self.merging => {
                        return Err(Turn::Call { callee: enter(self.called), resume: next });
                    }
                    Go::Jump(_) => enter(self.calls.push(place.stack, place.rule)),
                    _ => enter(place.stack),
                });
                Ok(())
            }
            Go::Missing => {
                let reason = format!("`{}` is no chain of the table and no known target", target());
                self.note_missing(state, Missing::Target(place.rule));
                end(End { decided_by: Some(decider), ..End::unknown(here, reason) })
            }
            Go::Loop => {
                let reason = format!("the jump to `{}` leads in a loop", target());
                end(End { decided_by: Some(decider), ..End::unknown(here, reason) })
            }
            Go::Target => match effect {
                Effect::Continue | Effect::Ask(_) | Effect::Choose(_) => {
                    state.at = At::Rule(next);
                    Ok(())
                }
                Effect::Accept => self.accepted(state, place, decider),
                Effect::Drop => end(End::by(Verdict::Dropped, hook, decider)),
                Effect::Stolen(reason) => {
                    end(End { reason: Some(reason.to_owned()), ..End::by(Verdict::Dropped, hook, decider) })
                }
                Effect::Queue => end(End::by(Verdict::Queued, hook, decider)),
                Effect::Reject(with) => {
                    end(End { reject_with: Some(with), ..End::by(Verdict::Rejected, hook, decider) })
                }
                Effect::Unknown(reason) => {
                    end(End { decided_by: Some(decider), ..End::unknown(here, reason) })
                }
            },
        }
    }

    pub(super) fn accepted(&self, state: &mut State, place: InChain, decider: Decider) -> Move {
        let table = self.program.chain(place.base).map_or(TableName::Filter, |chain| chain.table);
        if table == TableName::Filter {
            state.accepted_by = Some(decider);
        }
        if let Some(other) = state.other_backend.take()
            && !(table == TableName::Nat && state.nat_settled)
        {
            return self.enter_chain(state, place.hook, other);
        }
        self.behind(state, place.hook, table);
        Ok(())
    }

    fn end_of_chain(&mut self, state: &mut State, place: InChain) -> Move {
        if place.chain != place.base {
            self.note(state, PathKind::Return(place.chain));
        }
        self.come_back(state, place)
    }

    /// RETURN, or the end of a chain: behind the rule that jumped last, else the policy of the
    /// built-in chain that the hook entered.
    fn come_back(&mut self, state: &mut State, place: InChain) -> Move {
        if self.merging && !place.stack.is_empty() {
            return Err(Turn::Returned);
        }
        if let Some((jumped, stack)) = self.calls.pop(place.stack) {
            let chain = self.program.step(jumped).map_or(place.base, |step| step.chain);
            state.at = At::Rule(InChain { chain, rule: jumped.next(), stack, draws: 0, ..place });
            return Ok(());
        }
        self.note(state, PathKind::Policy(place.base));
        let decider = Decider::Policy(place.base);
        match self.program.chain(place.base).and_then(|chain| chain.policy) {
            Some(hookwalk_parser::Policy::Drop) => {
                Err(Turn::End(End::by(Verdict::Dropped, place.hook, decider)))
            }
            Some(hookwalk_parser::Policy::Accept) => self.accepted(state, place, decider),
            None => {
                self.note_missing(state, Missing::Policy(place.base));
                self.accepted(state, place, decider)
            }
        }
    }
}
