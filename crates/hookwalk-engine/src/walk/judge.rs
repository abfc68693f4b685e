//! A rule as the dump has it: whether it matches, and what it remembers of having been asked.

use std::net::IpAddr;

use hookwalk_parser::Rule;
use hookwalk_parser::types::{InterfacePattern, Negatable};

use super::way::Way;
use crate::extensions;
use crate::packet::Packet;
use crate::question::Question;
use crate::state::{Answer, InChain, Interface, List, State, View};

/// What a rule makes of a packet.
pub(super) enum Judgement {
    No,
    Yes,
    Ask(Question),
    Draw(u32),
}

impl Way<'_> {
    /// Judges a rule as the dump has it.
    pub(super) fn judge_rule(&self, rule: &Rule, state: &State, place: InChain) -> Judgement {
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
        if !holds(base.in_interface(), state.in_interface, view.packet.src)
            || !holds(base.out_interface(), state.out, state.dst)
        {
            return Judgement::No;
        }
        if base.fragment().is_some_and(|wanted| view.is_later_fragment() == wanted.negated) {
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
    pub(super) fn remember(&mut self, rule: &Rule, state: &State, place: InChain) -> List {
        let mut memory = state.memory;
        let met =
            |wanted: Option<Negatable<InterfacePattern>>, interface: Interface| match (wanted, interface) {
                (None, _) | (_, Interface::Unknown) => true,
                (Some(wanted), Interface::None) => wanted.holds(|pattern| pattern.matches(b"")),
                (Some(wanted), Interface::Known(name)) => {
                    wanted.holds(|pattern| pattern.matches(name.as_bytes()))
                }
            };
        if !Self::base_holds(rule, self.packet_of(state), state)
            || !met(rule.base.in_interface(), state.in_interface)
            || !met(rule.base.out_interface(), state.out)
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
    #[inline]
    pub(super) fn base_holds(rule: &Rule, packet: &Packet, state: &State) -> bool {
        let base = &rule.base;
        base.destination().is_none_or(|wanted| wanted.holds(|net| net.contains(state.dst)))
            && (state.src_unknown
                || base.source().is_none_or(|wanted| wanted.holds(|net| net.contains(state.src))))
            && base.protocol().is_none_or(|wanted| wanted.holds(|protocol| *protocol == packet.protocol))
    }

    pub(super) fn view<'a>(&'a self, state: &'a State, place: InChain) -> View<'a> {
        View {
            host: self.host,
            table: self.table,
            past: self.past,
            packet: self.packet_of(state),
            first: if state.connection.is_none() { self.packet_of(state) } else { &self.packet },
            state,
            connection: self.connection_of(state),
            facts: &self.facts,
            memory: &self.memory,
            hook: place.hook,
            rule_id: place.rule,
            is_nft: self.packet.fragment_offset > 0
                && self.program.chain(place.chain).is_some_and(|chain| chain.is_nft),
            tracks: self.program.tracks,
            marks_templates: self.program.marks_templates,
        }
    }
}
