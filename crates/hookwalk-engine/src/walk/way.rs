//! The way of a packet: hooks, tables and routing in the kernel's order, rule by rule.
//!
//! ```text
//!  arrives                                                            sent here
//!     |                                                                   |
//!  PREROUTING: raw, (tracking), mangle, nat                            routing
//!     |                                                                   |
//!  routing --------- to this node -----> INPUT: mangle, filter,        OUTPUT: raw, (tracking), mangle,
//!     |                                   security, nat -> local          nat, filter, security
//!     |                                       ^                           |
//!  FORWARD: mangle, filter, security          |                           |
//!     |                                       |                           |
//!  POSTROUTING: mangle, nat <-----------------+---------------------------+
//!     |                                       |
//!   forwarded, sent             to this node itself: in again by lo, without nat
//! ```

use std::net::IpAddr;

use hookwalk_parser::types::{InterfacePattern, Negatable};
use hookwalk_parser::{Dump, Rule};

use crate::extensions::{self, Effect};
use crate::host::{ConnectionTable, Host};
use crate::outcome::{Place, Verdict};
use crate::packet::{InterfaceName, Packet, PacketState};
use crate::program::{ChainId, Entry, Go, Hook, Program, RuleId, TableName};
use crate::question::Question;
use crate::state::{
    Answer, At, Chosen, Connection, Decider, Facts, GrantedSet, InChain, Interface, List, Lists, Memory,
    PacketId, Past, QuestionId, State, View,
};

/// Walks states on until they end or must fork; holds what all states of one walk share.
pub(crate) struct Way<'e> {
    pub(crate) dumps: &'e [Dump],
    pub(crate) host: &'e Host,
    /// The connections that the host has.
    pub(crate) table: &'e ConnectionTable,
    /// What rules with a memory have seen before.
    pub(crate) past: &'e Past,
    pub(crate) program: &'e Program,
    /// The packet asked about, the first of its connection.
    pub(crate) packet: &'e Packet,
    /// Every packet under way: the first, and one for each later one that follows an outcome of it.
    pub(crate) packets: Vec<Packet>,
    pub(crate) connections: Vec<Connection>,
    /// Which later packet is asked about.
    pub(crate) later: Option<PacketState>,
    pub(crate) facts: Facts,
    /// The answers that are known from the start.
    pub(crate) known: List,
    pub(crate) memory: Memory,
    pub(crate) path: Lists<PathStep>,
    pub(crate) rules: Lists<RuleId>,
    pub(crate) missing: Lists<Missing>,
    /// Return addresses: the rule that jumped.
    pub(crate) calls: Lists<RuleId>,
    pub(crate) granted: GrantedSet,
    /// How many rules may still be looked at.
    pub(crate) budget: u64,
    /// Whether equal states become one: then no path is kept, and chains are walked apart from their
    /// callers.
    pub(crate) merging: bool,
    /// When merging: the stack of every chain that was called, whoever called it.
    pub(crate) called: List,
}

/// One step of a way, in the path of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathStep {
    pub(crate) kind: PathKind,
    pub(crate) mark: u32,
}

impl PathStep {
    /// The rule, when the step is one.
    pub(crate) fn rule(self) -> Option<RuleId> {
        match self.kind {
            PathKind::Rule(rule) => Some(rule),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    Rule(RuleId),
    Return(ChainId),
    Policy(ChainId),
}

/// What a dump does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Table(TableName),
    Chain(TableName, Hook),
    Policy(ChainId),
    /// The chain that a rule jumps to.
    Target(RuleId),
    /// Rules of a chain, lost at a line.
    Rules(ChainId, u32),
}

/// What a state comes to.
pub(crate) enum Turn {
    /// The way ends.
    End(State, End),
    /// 31 random bits decide between two.
    Draw { numerator: u32, yes: State, no: State },
    /// A hash picks one of several, each by its share of 2^32.
    Choose(Vec<(u64, State)>),
    /// A question that nobody answered decides between two.
    Ask { question: QuestionId, asked_by: Option<RuleId>, yes: State, no: State },
    /// The budget is used up.
    Exhausted,
    /// When merging: a jump, the state that enters the chain and the place to come back to.
    Call { callee: State, resume: InChain },
    /// When merging: the end of a chain that was called.
    Returned(State),
}

/// How a way ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct End {
    pub(crate) verdict: Verdict,
    pub(crate) place: Option<Place>,
    pub(crate) decided_by: Option<Decider>,
    pub(crate) reject_with: Option<hookwalk_parser::extensions::RejectWith>,
    pub(crate) reason: Option<String>,
}

impl End {
    pub(crate) fn delivered(verdict: Verdict, state: &State) -> End {
        End { verdict, place: None, decided_by: state.accepted_by, reject_with: None, reason: None }
    }

    pub(crate) fn not_routed(reason: &str) -> End {
        End::lost(Verdict::Dropped, Place::Routing, Some(reason.to_owned()))
    }

    pub(crate) fn lost(verdict: Verdict, place: Place, reason: Option<String>) -> End {
        End { verdict, place: Some(place), decided_by: None, reject_with: None, reason }
    }

    pub(crate) fn unknown(place: Place, reason: String) -> End {
        End::lost(Verdict::Unknown, place, Some(reason))
    }

    fn by(verdict: Verdict, hook: Hook, decider: Decider) -> End {
        End { decided_by: Some(decider), ..End::lost(verdict, Place::Hook(hook), None) }
    }
}

/// What one move makes of a state; moves that neither end nor fork are followed at once.
pub(super) enum Move {
    On(State),
    Turn(Turn),
}

/// What a rule makes of a packet.
enum Judgement {
    No,
    Yes,
    Ask(Question),
    Draw(u32),
}

impl Way<'_> {
    /// The first packet before its first hook.
    pub(crate) fn start(&self) -> State {
        let start = State { facts: self.known, ..Self::start_of(PacketId(0), self.packet) };
        State { tracking: if self.later.is_some() { PacketState::New } else { self.packet.state }, ..start }
    }

    /// A packet before its first hook.
    pub(super) fn start_of(id: PacketId, packet: &Packet) -> State {
        let in_interface = Self::arrives_by(packet);
        State {
            src: packet.src,
            dst: packet.dst,
            sport: packet.sport,
            dport: packet.dport,
            sport_range: None,
            dport_range: None,
            src_unknown: false,
            mark: packet.mark,
            mark_at_table: packet.mark,
            connmark: packet.connmark,
            tracking: packet.state,
            tracked: false,
            packet: id,
            connection: None,
            zone: 0,
            ttl: packet.ttl,
            tos: packet.tos,
            sets_changed: false,
            dnat: false,
            snat: false,
            masquerade: false,
            by_hash: false,
            dnat_by: None,
            snat_by: None,
            rewrites: 0,
            looped_back: false,
            other_backend: None,
            nat_settled: false,
            in_interface,
            out: Interface::None,
            route: None,
            accepted_by: None,
            at: Self::entry_of(in_interface),
            path: List::EMPTY,
            maybe: List::EMPTY,
            facts: List::EMPTY,
            memory: List::EMPTY,
            missing: List::EMPTY,
        }
    }

    pub(super) fn arrives_by(packet: &Packet) -> Interface {
        packet.in_interface.map_or(Interface::None, Interface::Known)
    }

    /// The packet under way.
    pub(super) fn packet_of(&self, state: &State) -> &Packet {
        self.packets.get(state.packet.0 as usize).unwrap_or(self.packet)
    }

    pub(super) fn connection_of(&self, state: &State) -> Option<&Connection> {
        self.connections.get(state.connection?.0 as usize)
    }

    /// Walks on to the next end or fork.
    pub(crate) fn advance(&mut self, state: State) -> Turn {
        let mut state = state;
        loop {
            let moved = match state.at {
                At::Table(hook, table) => self.enter(state, hook, table),
                At::Rule(place) => self.rule(state, place),
                At::Receive => Self::receive(state),
                At::Track(hook) => self.track(state, hook),
                At::RouteIn => self.route_in(state),
                At::RouteOut => self.route_out(state),
                At::RerouteMark => self.reroute_mark(state),
                At::RerouteDnat => self.reroute_dnat(state),
                At::Done => self.leave(state),
            };
            match moved {
                Move::On(next) => state = next,
                Move::Turn(turn) => return turn,
            }
        }
    }

    /// Into a table. nat is asked for the first packet of a connection only, and not when it comes in
    /// again by lo; later packets get the connection's mapping there.
    fn enter(&mut self, mut state: State, hook: Hook, table: TableName) -> Move {
        state.mark_at_table = state.mark;
        if table == TableName::Nat {
            if let Some(connection) = state.connection {
                return self.behind(self.map(state, connection, hook), hook, table);
            }
            state.nat_settled = false;
            if state.tracking != PacketState::New || state.looped_back {
                return self.behind(state, hook, table);
            }
        }
        let mut chains = [None, None];
        for (entry, chain) in self.program.entries(table, hook).into_iter().zip(&mut chains) {
            match entry {
                Entry::Empty => {}
                Entry::Chain(base) => *chain = Some(base),
                Entry::NotInDump => {
                    let missing = if self.program.has_table(table) {
                        Missing::Chain(table, hook)
                    } else {
                        Missing::Table(table)
                    };
                    self.note_missing(&mut state, missing);
                }
            }
        }
        let (first, second) = match chains {
            [Some(legacy), Some(nft)] => match self.legacy_runs_first(&state, table) {
                Ok(true) => (legacy, Some(nft)),
                Ok(false) => (nft, Some(legacy)),
                Err(turn) => return Move::Turn(turn),
            },
            [Some(only), None] | [None, Some(only)] => (only, None),
            [None, None] => return self.behind(state, hook, table),
        };
        state.other_backend = second;
        self.enter_chain(state, hook, first)
    }

    /// At equal priority the table registered last runs first, and no dump tells which was.
    fn legacy_runs_first(&mut self, state: &State, table: TableName) -> Result<bool, Turn> {
        let text = format!("the legacy rules of table {} run before the nft ones", table.name());
        let question = Question::Opaque { text, seen: 0 };
        match self.facts.settle(&question, state.facts) {
            Some(is) => Ok(is),
            None => Err(self.ask(*state, question, None)),
        }
    }

    fn enter_chain(&self, state: State, hook: Hook, base: ChainId) -> Move {
        let Some(chain) = self.program.chain(base) else { return Move::Turn(Turn::Exhausted) };
        let place = InChain { hook, base, chain: base, rule: chain.first, stack: List::EMPTY, draws: 0 };
        Move::On(State { at: At::Rule(place), ..state })
    }

    pub(super) fn note(&mut self, state: &mut State, kind: PathKind) {
        if !self.merging {
            state.path = self.path.push(state.path, PathStep { kind, mark: state.mark });
        }
    }

    fn note_missing(&mut self, state: &mut State, missing: Missing) {
        if !self.missing.iter(state.missing).any(|known| known == missing) {
            state.missing = self.missing.push(state.missing, missing);
        }
    }

    /// Where a packet goes that a table lets pass.
    fn behind(&self, state: State, hook: Hook, table: TableName) -> Move {
        use Hook::{Forward, Input, Output, Postrouting, Prerouting};
        use TableName::{Filter, Mangle, Nat, Raw, Security};
        let at = match (hook, table) {
            (Prerouting | Output, Raw) => At::Track(hook),
            (Prerouting, Mangle) => At::Table(Prerouting, Nat),
            (Prerouting, _) => At::RouteIn,
            (Input, Mangle) => At::Table(Input, Filter),
            // iptables-nft registers security behind nat (priorities 150 and 100), legacy before it (50).
            (Input, Filter) if self.program.security_is_behind_nat() => At::Table(Input, Nat),
            (Input, Nat) if self.program.security_is_behind_nat() => At::Table(Input, Security),
            (Input, Security) if self.program.security_is_behind_nat() => At::Done,
            (Input, Filter) => At::Table(Input, Security),
            (Input, Security) => At::Table(Input, Nat),
            (Forward, Mangle) => At::Table(Forward, Filter),
            (Forward, Filter) => At::Table(Forward, Security),
            (Output, Mangle) => At::RerouteMark,
            (Output, Nat) => At::RerouteDnat,
            (Output, Filter) => At::Table(Output, Security),
            (Forward | Output, Security) => At::Table(Postrouting, Mangle),
            (Postrouting, Mangle) => At::Table(Postrouting, Nat),
            _ => At::Done,
        };
        let mut state = State { at, ..state };
        // What `-o` sees changes with the route, but not before POSTROUTING for what OUTPUT rerouted.
        if at == At::Table(Postrouting, Mangle)
            && let Some(route) = state.route
        {
            state.out = route.out;
        }
        Move::On(state)
    }

    /// Before a rule, or behind the last one of a chain.
    fn rule(&mut self, mut state: State, mut place: InChain) -> Move {
        let program = self.program;
        let Some(chain) = program.chain(place.chain) else { return Move::Turn(Turn::Exhausted) };
        let Some(source) = chain.source(self.dumps) else { return Move::Turn(Turn::Exhausted) };
        loop {
            if let Some(&(_, line)) = chain.gaps.iter().find(|(before, _)| *before == place.rule) {
                self.note_missing(&mut state, Missing::Rules(place.chain, line));
                let reason = format!("rules may be missing at line {line}");
                return Move::Turn(Turn::End(state, End::unknown(Place::Hook(place.hook), reason)));
            }
            if place.rule == chain.end {
                return self.end_of_chain(state, place);
            }
            if self.budget == 0 {
                return Move::Turn(Turn::Exhausted);
            }
            self.budget -= 1;
            let Some(rule) = source.rules.get((place.rule.0 - chain.first.0) as usize) else {
                return self.end_of_chain(state, place);
            };
            let next = InChain { rule: place.rule.next(), draws: 0, ..place };
            let judgement = self.judge(rule, &state, place);
            if chain.has_memory
                && let Judgement::Yes | Judgement::No = judgement
            {
                state.memory = self.remember(rule, &state, place);
            }
            match judgement {
                Judgement::No => place = next,
                Judgement::Ask(_) if extensions::has_no_effect(&rule.target) => {
                    if !self.merging {
                        state.maybe = self.rules.push(state.maybe, place.rule);
                    }
                    place = next;
                }
                Judgement::Ask(question) => {
                    let here = State { at: At::Rule(place), ..state };
                    return Move::Turn(self.ask(here, question, Some(place.rule)));
                }
                Judgement::Draw(numerator) => {
                    let yes = InChain { draws: place.draws + 1, ..place };
                    let (yes, no) =
                        (State { at: At::Rule(yes), ..state }, State { at: At::Rule(next), ..state });
                    return Move::Turn(Turn::Draw { numerator, yes, no });
                }
                Judgement::Yes => return self.matched(state, place, next, rule),
            }
        }
    }

    fn judge(&self, rule: &Rule, state: &State, place: InChain) -> Judgement {
        let base = &rule.base;
        if !Self::base_holds(rule, self.packet, state) {
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
    fn remember(&mut self, rule: &Rule, state: &State, place: InChain) -> List {
        let mut memory = state.memory;
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
        }
    }

    fn matched(&mut self, mut state: State, place: InChain, next: InChain, rule: &Rule) -> Move {
        let Some(step) = self.program.step(place.rule) else { return Move::Turn(Turn::Exhausted) };
        let go = step.go;
        let before = state;
        let effect = match go {
            Go::Target => extensions::apply(&rule.target, &mut state, &self.view(&before, place), None),
            _ => Effect::Continue,
        };
        if let Effect::Choose(range) = effect {
            return self.choose(before, place, rule, range);
        }
        if let Effect::Ask(question) = effect {
            let here = State { at: At::Rule(place), ..before };
            return Move::Turn(self.ask(here, question, Some(place.rule)));
        }
        if state.mark != before.mark {
            state.rewrites += 1;
        }
        for granted in rule.matches.iter().filter_map(extensions::granted) {
            self.granted.insert(granted);
        }
        self.note(&mut state, PathKind::Rule(place.rule));
        let hook = place.hook;
        let here = Place::Hook(hook);
        let decider = Decider::Rule(place.rule);
        let end = |end: End| Move::Turn(Turn::End(state, end));
        match go {
            Go::On => Move::On(State { at: At::Rule(next), ..state }),
            Go::Accept => self.accepted(state, place, decider),
            Go::Drop => end(End::by(Verdict::Dropped, hook, decider)),
            Go::Return => self.come_back(state, place),
            Go::Jump(to) | Go::Goto(to) => {
                let Some(first) = self.program.chain(to).map(|chain| chain.first) else {
                    return Move::Turn(Turn::Exhausted);
                };
                let enter = |stack| {
                    let at = At::Rule(InChain { chain: to, rule: first, stack, draws: 0, ..place });
                    State { at, ..state }
                };
                match go {
                    Go::Jump(_) if self.merging => {
                        let callee = enter(self.called);
                        Move::Turn(Turn::Call { callee, resume: next })
                    }
                    Go::Jump(_) => Move::On(enter(self.calls.push(place.stack, place.rule))),
                    _ => Move::On(enter(place.stack)),
                }
            }
            Go::Missing => {
                self.note_missing(&mut state, Missing::Target(place.rule));
                let reason = format!("`{}` is no chain of the table and no known target", rule.target.name());
                Move::Turn(Turn::End(state, End { decided_by: Some(decider), ..End::unknown(here, reason) }))
            }
            Go::Loop => {
                let reason = format!("the jump to `{}` leads in a loop", rule.target.name());
                end(End { decided_by: Some(decider), ..End::unknown(here, reason) })
            }
            Go::Target => match effect {
                Effect::Continue | Effect::Ask(_) | Effect::Choose(_) => {
                    Move::On(State { at: At::Rule(next), ..state })
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

    pub(super) fn accepted(&self, mut state: State, place: InChain, decider: Decider) -> Move {
        let table = self.program.chain(place.base).map_or(TableName::Filter, |chain| chain.table);
        if table == TableName::Filter {
            state.accepted_by = Some(decider);
        }
        if let Some(other) = state.other_backend.take()
            && !(table == TableName::Nat && state.nat_settled)
        {
            return self.enter_chain(state, place.hook, other);
        }
        self.behind(state, place.hook, table)
    }

    fn end_of_chain(&mut self, mut state: State, place: InChain) -> Move {
        if place.chain != place.base {
            self.note(&mut state, PathKind::Return(place.chain));
        }
        self.come_back(state, place)
    }

    /// RETURN, or the end of a chain: behind the rule that jumped last, else the policy of the
    /// built-in chain that the hook entered.
    fn come_back(&mut self, mut state: State, place: InChain) -> Move {
        if self.merging && !place.stack.is_empty() {
            return Move::Turn(Turn::Returned(State { at: At::Done, ..state }));
        }
        if let Some((jumped, stack)) = self.calls.pop(place.stack) {
            let chain = self.program.step(jumped).map_or(place.base, |step| step.chain);
            let place = InChain { chain, rule: jumped.next(), stack, draws: 0, ..place };
            return Move::On(State { at: At::Rule(place), ..state });
        }
        self.note(&mut state, PathKind::Policy(place.base));
        let decider = Decider::Policy(place.base);
        match self.program.chain(place.base).and_then(|chain| chain.policy) {
            Some(hookwalk_parser::Policy::Drop) => {
                Move::Turn(Turn::End(state, End::by(Verdict::Dropped, place.hook, decider)))
            }
            Some(hookwalk_parser::Policy::Accept) => self.accepted(state, place, decider),
            None => {
                self.note_missing(&mut state, Missing::Policy(place.base));
                self.accepted(state, place, decider)
            }
        }
    }

    /// Splits a state on a question.
    pub(super) fn ask(&mut self, state: State, question: Question, asked_by: Option<RuleId>) -> Turn {
        let question = self.facts.id(question);
        let yes = State { facts: self.facts.assume(state.facts, question, true), ..state };
        let no = State { facts: self.facts.assume(state.facts, question, false), ..state };
        Turn::Ask { question, asked_by, yes, no }
    }

    fn leave(&self, mut state: State) -> Move {
        if !state.looped_back {
            self.avoid_taken(&mut state);
        }
        let route = state.route.unwrap_or(Chosen::LOOPBACK);
        let arrived = state.in_interface != Interface::None;
        if !route.to_this_node {
            let verdict = if arrived { Verdict::Forwarded } else { Verdict::Sent };
            return Move::Turn(Turn::End(state, End::delivered(verdict, &state)));
        }
        if !arrived && !state.looped_back {
            state.looped_back = true;
            state.in_interface = Interface::Known(InterfaceName::LOOPBACK);
            state.out = Interface::None;
            return Move::On(State { at: At::Receive, ..state });
        }
        Move::Turn(Turn::End(state, End::delivered(Verdict::Local, &state)))
    }
}
