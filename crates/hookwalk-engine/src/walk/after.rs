//! What a packet leaves behind on its host, for the packets of a session that come after it.

use super::tcp::{self, TcpMove};
use super::way::{End, Way};
use crate::host::{ConnectionTuple, Direction, TcpState, TrackedConnection};
use crate::outcome::Verdict;
use crate::packet::PacketState;
use crate::program::RuleId;
use crate::question::{Field, Question};
use crate::state::{Event, QuestionId, State};
use hookwalk_parser::types::{PortRange, Protocol};

/// What one outcome leaves behind.
#[derive(Debug)]
pub(crate) struct After {
    /// What rules with a memory have seen, in order.
    pub(crate) events: Vec<Event>,
    pub(crate) tracked: Tracked,
    /// What was assumed of the host.
    pub(crate) assumed: Vec<(Question, bool)>,
}

/// What connection tracking keeps of a packet.
#[derive(Debug)]
pub(crate) enum Tracked {
    Nothing,
    /// A new connection; of a source port that NAT draws, the ports it draws from.
    New(Box<TrackedConnection>, Option<PortRange>),
    /// A packet of a connection that is known.
    Known {
        entry: usize,
        direction: Direction,
        tcp: Option<TcpState>,
        mark: u32,
    },
}

impl Way<'_> {
    pub(super) fn after<'a>(
        &self,
        state: &State,
        end: &End,
        assumed: impl Iterator<Item = &'a (QuestionId, bool, Option<RuleId>)>,
    ) -> After {
        let of_host = |question: &Question| {
            matches!(
                question,
                Question::SetHolds { .. }
                    | Question::LeavesBy { .. }
                    | Question::Number { field: Field::TypeOf(_), .. }
            )
        };
        let assumed = assumed
            .filter_map(|&(id, is, _)| Some((self.facts.question(id)?.clone(), is)))
            .filter(|(question, _)| of_host(question))
            .collect();
        After { events: self.memory.events(state.memory), tracked: self.tracked(state, end), assumed }
    }

    fn tracked(&self, state: &State, end: &End) -> Tracked {
        let packet = self.packet_of(state);
        if let Some(entry) = self.connection_of(state).and_then(|connection| connection.entry) {
            let Some(known) = self.table.get(entry) else { return Tracked::Nothing };
            let direction = match state.tracking {
                PacketState::Reply => Direction::Reply,
                PacketState::Second | PacketState::Established => Direction::Original,
                _ => return Tracked::Nothing,
            };
            let tcp = known.tcp.map(|before| match tcp::step(before, direction, packet.tcp_flags) {
                TcpMove::To(next) => next,
                _ => before,
            });
            return Tracked::Known { entry, direction, tcp, mark: state.connmark };
        }
        // POSTROUTING and INPUT confirm a connection; what ends before leaves none.
        let confirmed =
            end.place.is_none() && matches!(end.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
        if !confirmed || state.connection.is_some() || !state.has_connection() {
            return Tracked::Nothing;
        }
        let first = &self.packet;
        let original =
            ConnectionTuple { src: first.src, sport: first.sport, dst: first.dst, dport: first.dport };
        let came_out =
            ConnectionTuple { src: state.src, sport: state.sport, dst: state.dst, dport: state.dport };
        let mut connection = TrackedConnection::new(first.protocol, original);
        connection.reply = came_out.inverted();
        connection.mark = state.connmark;
        connection.zones = (state.zone, state.zone);
        if first.protocol == Protocol::TCP {
            let opens = first.tcp_flags.contains(hookwalk_parser::types::TcpFlags::SYN);
            connection.tcp = Some(if opens { TcpState::SynSent } else { TcpState::Established });
        }
        if let (Protocol::ICMP | Protocol::ICMPV6, Some(kind), Some(id)) =
            (first.protocol, first.icmp_type, first.icmp_id)
        {
            connection.icmp = Some((kind, first.icmp_code.unwrap_or(0), id));
        }
        Tracked::New(Box::new(connection), state.sport_range)
    }
}
