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

use std::net::{IpAddr, Ipv4Addr};

use hookwalk_parser::Dump;

use super::passage::Passages;
use super::path::{PathKind, Paths, Steps};
use super::routing::LetPass;
use super::{Given, Limits};
use crate::host::{ConnectionTable, Host};
use crate::index::Index;
use crate::outcome::{Place, Verdict};
use crate::packet::{InterfaceName, Packet, PacketState};
use crate::program::{ChainId, Entry, Hook, Looks, Program, RuleId, TableName};
use crate::question::Question;
use crate::state::{
    At, AtTable, ChangedSets, Checksum, Connection, Decider, Facts, Granted, GrantedSet, InChain, Interface,
    List, Lists, Memory, PacketId, Past, QuestionId, State, Translated,
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
    /// Finds the next rule; without it each is asked as the dump has it, which is the reference.
    pub(crate) index: Option<&'e Index>,
    /// The packet asked about, the first of its connection.
    pub(crate) packet: Packet,
    /// Every packet under way: the first, and one for each later one that follows an outcome of it.
    pub(crate) packets: Vec<Packet>,
    pub(crate) connections: Vec<Connection>,
    /// Answers under way, each with the packet that follows it.
    pub(crate) answered: Vec<(PacketId, State)>,
    /// Which later packet is asked about.
    pub(crate) later: Option<PacketState>,
    pub(crate) facts: Facts,
    /// The answers that are known from the start.
    pub(crate) known: List,
    pub(crate) memory: Memory,
    pub(super) paths: Paths,
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
    pub(crate) passages: Passages,
    pub(super) let_pass: Option<LetPass>,
    /// What the rules of a table have looked at so far.
    pub(crate) looks: Looks,
    /// When merging: the stack of every chain that was called, whoever called it.
    pub(crate) called: List,
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

/// What a state comes to; it stands where that happened.
pub(crate) enum Turn {
    /// The way ends.
    End(End),
    /// 31 random bits, fewer than this or not, decide how the rule at a place turns out.
    Draw { numerator: u32, place: InChain },
    /// A hash picks one of several, each by its share of 2^32.
    Choose(Vec<(u64, State)>),
    /// A question that nobody answered decides how it goes on.
    Ask { question: QuestionId, asked_by: Option<RuleId> },
    /// The budget is used up.
    Exhausted,
    /// When merging: a jump, the place that it leads to and the place to come back to.
    Call { callee: InChain, resume: InChain },
    /// When merging: the end of a chain that was called.
    Returned,
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

    pub(super) fn by(verdict: Verdict, hook: Hook, decider: Decider) -> End {
        End { decided_by: Some(decider), ..End::lost(verdict, Place::Hook(hook), None) }
    }
}

/// What one move makes of a state: it goes on from where it stands now, or turns.
pub(super) type Move = Result<(), Turn>;

impl<'e> Way<'e> {
    /// Before any packet.
    pub(super) fn new(given: Given<'e>) -> Self {
        let Given { dumps, host, program, index, table, past } = given;
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Way {
            dumps,
            host,
            table,
            past,
            program,
            index,
            packet: Packet::new(nobody, nobody),
            packets: Vec::new(),
            connections: Vec::new(),
            answered: Vec::new(),
            later: None,
            facts: Facts::default(),
            known: List::EMPTY,
            memory: Memory::default(),
            paths: Paths::default(),
            rules: Lists::default(),
            missing: Lists::default(),
            calls: Lists::default(),
            granted: GrantedSet::default(),
            budget: 0,
            merging: false,
            passages: Passages::default(),
            let_pass: None,
            looks: Looks::default(),
            called: List::EMPTY,
        }
    }

    /// Before the first hook of a packet; of those before it nothing is left but passages.
    pub(super) fn restart(&mut self, given: Given<'e>, packet: &Packet, limits: Limits) {
        let Given { dumps, host, program, index, table, past } = given;
        (self.dumps, self.host, self.table, self.past) = (dumps, host, table, past);
        (self.program, self.index) = (program, index);
        self.packet = *packet;
        self.packets.clear();
        self.packets.push(*packet);
        self.connections.clear();
        self.answered.clear();
        self.facts.clear();
        self.memory.clear();
        self.paths.clear();
        self.passages.restart();
        self.rules.clear();
        self.missing.clear();
        self.calls.clear();
        self.later = match packet.state {
            later @ (PacketState::Second
            | PacketState::Established
            | PacketState::Reply
            | PacketState::Related) => Some(later),
            _ => None,
        };
        self.granted = GrantedSet::default();
        if program.family_taken_for_granted {
            self.granted.insert(Granted::Family);
        }
        (self.budget, self.merging, self.looks) = (limits.rules, false, Looks::default());
        (self.known, self.let_pass) = (List::EMPTY, None);
        for (question, is) in &past.known {
            let question = self.facts.id(question.clone());
            self.known = self.facts.assume(self.known, question, *is);
        }
        self.called = self.calls.push(List::EMPTY, RuleId(0));
    }
}

impl Way<'_> {
    /// The first packet before its first hook.
    pub(crate) fn start(&self) -> State {
        let start = State { facts: self.known, ..Self::start_of(PacketId(0), &self.packet) };
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
            at_table: AtTable::default(),
            connmark: packet.connmark,
            tracking: packet.state,
            tracked: false,
            packet: id,
            connection: None,
            zone: 0,
            template: None,
            ttl: packet.ttl,
            tos: packet.tos,
            sets_changed: ChangedSets::default(),
            translated: Translated::default(),
            checksum: Checksum::Right,
            dnat: false,
            snat: false,
            masquerade: false,
            by_hash: false,
            picked: None,
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
        let unknown = if packet.arrives { Interface::Unknown } else { Interface::None };
        packet.in_interface.map_or(unknown, Interface::Known)
    }

    /// The packet under way.
    pub(crate) fn packet_of(&self, state: &State) -> &Packet {
        self.packets.get(state.packet.0 as usize).unwrap_or(&self.packet)
    }

    pub(super) fn connection_of(&self, state: &State) -> Option<&Connection> {
        self.connections.get(state.connection?.index())
    }

    /// Walks a state on to the next end or fork.
    pub(crate) fn advance(&mut self, state: &mut State) -> Turn {
        loop {
            let moved = match state.at {
                At::Table(hook @ (Hook::Input | Hook::Forward), TableName::Mangle) => {
                    self.onward(state, hook)
                }
                At::Table(hook, table) => self.enter(state, hook, table),
                At::Rule(place) => self.rules(state, place),
                At::Receive => Self::receive(state),
                At::Track(hook) => self.track(state, hook),
                At::RouteIn => self.route_in(state),
                At::RouteOut => self.route_out(state),
                At::RerouteMark => self.reroute_mark(state),
                At::RerouteDnat => self.reroute_dnat(state),
                At::Done => self.leave(state),
            };
            if let Err(turn) = moved {
                return turn;
            }
        }
    }

    /// Into a table. nat is asked for the first packet of a connection only, and not when it comes in
    /// again by lo; later packets get the connection's mapping there.
    pub(super) fn enter(&mut self, state: &mut State, hook: Hook, table: TableName) -> Move {
        state.at_table = state.for_route();
        if table == TableName::Nat {
            if let Some(connection) = state.connection {
                self.map(state, connection, hook)?;
                self.behind(state, hook, table);
                return Ok(());
            }
            state.nat_settled = false;
            if state.looped_back
                && hook == Hook::Prerouting
                && state.dnat
                && state.translated.has(Translated::DESTINATION)
            {
                self.map_again(state)?;
            }
            if state.tracking != PacketState::New || state.looped_back {
                self.behind(state, hook, table);
                return Ok(());
            }
        }
        let (first, second) = match self.program.entries(table, hook) {
            [Entry::Empty, Entry::Empty] => {
                self.behind(state, hook, table);
                return Ok(());
            }
            [Entry::Chain(only), Entry::Empty] | [Entry::Empty, Entry::Chain(only)] => (only, None),
            [Entry::Chain(legacy), Entry::Chain(nft)] if self.legacy_runs_first(state, table)? => {
                (legacy, Some(nft))
            }
            [Entry::Chain(legacy), Entry::Chain(nft)] => (nft, Some(legacy)),
            entries => {
                let has_table = self.program.has_table(table);
                let missing = if has_table { Missing::Chain(table, hook) } else { Missing::Table(table) };
                self.note_missing(state, missing);
                match entries {
                    [Entry::Chain(only), _] | [_, Entry::Chain(only)] => (only, None),
                    _ => {
                        self.behind(state, hook, table);
                        return Ok(());
                    }
                }
            }
        };
        state.other_backend = second;
        self.pass(state, hook, first)
    }

    /// At equal priority the table registered last runs first, and no dump tells which was: no passage
    /// repeats the answer.
    fn legacy_runs_first(&mut self, state: &State, table: TableName) -> Result<bool, Turn> {
        self.looks = Looks::Everything;
        let text = format!("the legacy rules of table {} run before the nft ones", table.name());
        let question = Question::Opaque { text, seen: 0 };
        match self.facts.settle(&question, state.facts) {
            Some(is) => Ok(is),
            None => Err(self.ask(question, None)),
        }
    }

    /// Before the first rule of a chain, on the way through a built-in one.
    pub(super) fn first_of(&self, hook: Hook, base: ChainId, chain: ChainId) -> Result<InChain, Turn> {
        let Some(first) = self.program.chain(chain).map(|chain| chain.first) else {
            return Err(Turn::Exhausted);
        };
        Ok(InChain { hook, base, chain, rule: first, stack: List::EMPTY, draws: 0 })
    }

    #[inline]
    pub(super) fn note(&mut self, state: &mut State, kind: PathKind) {
        if !self.merging {
            state.path = self.paths.push(state.path, kind, state.mark);
        }
    }

    /// The steps of a state so far, newest first.
    pub(crate) fn steps(&self, state: &State) -> Steps<'_> {
        self.paths.since(&self.passages, state.path, List::EMPTY)
    }

    pub(super) fn note_missing(&mut self, state: &mut State, missing: Missing) {
        if !self.missing.iter(state.missing).any(|known| known == missing) {
            state.missing = self.missing.push(state.missing, missing);
        }
    }

    /// Where a packet goes that a table lets pass: behind all tables that have no rules.
    #[inline]
    pub(super) fn behind(&self, state: &mut State, hook: Hook, table: TableName) {
        state.at = self.next_stop(hook, table);
        if let At::Table(hook, table) = state.at {
            self.behind_empty(state, hook, table);
        }
    }

    #[inline(never)]
    fn behind_empty(&self, state: &mut State, mut hook: Hook, mut table: TableName) {
        loop {
            // What `-o` sees changes with the route, but not before POSTROUTING for what OUTPUT rerouted.
            if (hook, table) == (Hook::Postrouting, TableName::Mangle)
                && let Some(route) = state.route
            {
                state.out = route.out;
            }
            // nat rewrites later packets without any rule.
            if table == TableName::Nat || self.program.entries(table, hook) != [Entry::Empty, Entry::Empty] {
                return;
            }
            state.at_table = state.for_route();
            state.at = self.next_stop(hook, table);
            let At::Table(next_hook, next_table) = state.at else { return };
            (hook, table) = (next_hook, next_table);
        }
    }

    /// What follows a table at a hook.
    fn next_stop(&self, hook: Hook, table: TableName) -> At {
        use Hook::{Forward, Input, Output, Postrouting, Prerouting};
        use TableName::{Filter, Mangle, Nat, Raw, Security};
        match (hook, table) {
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
        }
    }

    /// A question that nobody answered.
    pub(super) fn ask(&mut self, question: Question, asked_by: Option<RuleId>) -> Turn {
        Turn::Ask { question: self.facts.id(question), asked_by }
    }

    /// The state with an answer more.
    pub(super) fn assuming(&mut self, state: &State, question: QuestionId, is: bool) -> State {
        State { facts: self.facts.assume(state.facts, question, is), ..*state }
    }

    /// Behind the last hook.
    #[expect(
        clippy::inline_always,
        reason = "calls are a twentieth of a walk, and two callers keep it from inlining"
    )]
    #[inline(always)]
    pub(super) fn leave(&self, state: &mut State) -> Move {
        if !state.looped_back && !self.table.is_empty() {
            self.avoid_taken(state)?;
        }
        match state.route {
            Some(route) if !route.to_this_node => {
                let arrived = state.in_interface != Interface::None;
                let verdict = if arrived { Verdict::Forwarded } else { Verdict::Sent };
                Err(Turn::End(End::delivered(verdict, state)))
            }
            _ => Self::arrive(state),
        }
    }

    /// At this node, where what was sent here comes in once more.
    #[inline(never)]
    fn arrive(state: &mut State) -> Move {
        if state.in_interface != Interface::None || state.looped_back {
            return Err(Turn::End(End::delivered(Verdict::Local, state)));
        }
        state.looped_back = true;
        if state.checksum == Checksum::Off {
            state.checksum = Checksum::CameBackOff;
        }
        if state.tracking == PacketState::Invalid {
            // Nothing is known of it there: table raw and conntrack look at it anew.
            (state.tracked, state.template) = (false, None);
        }
        state.in_interface = Interface::Known(InterfaceName::LOOPBACK);
        state.out = Interface::None;
        state.at = At::Receive;
        Ok(())
    }
}
