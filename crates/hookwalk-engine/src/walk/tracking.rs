//! What connection tracking makes of a packet, between table raw and table mangle
//! (kernel: `net/netfilter/nf_conntrack_core.c`, `nf_conntrack_in`).

use hookwalk_parser::types::{Protocol, TcpFlags};

use super::tcp::{self, TcpMove};
use super::way::{Move, Turn, Way};
use crate::host::{Direction, TrackedConnection};
use crate::packet::{Packet, PacketState};
use crate::program::{Hook, TableName};
use crate::question::{Field, Question, Ranges};
use crate::state::{At, Connection, ConnectionId, Granted, State};

/// The entry of a table that a packet belongs to, and the direction that the packet has in it.
type Found = Option<(usize, Direction)>;

impl Way<'_> {
    #[inline(never)]
    pub(super) fn track(&mut self, state: &mut State, hook: Hook) -> Move {
        let at = At::Table(hook, TableName::Mangle);
        let in_other_zone = self.connection_of(state).is_some_and(|known| known.zone != state.zone);
        if state.connection.is_some() && (in_other_zone || state.tracking == PacketState::Untracked) {
            // Table raw took a later packet out of its connection, and of the mapping with it.
            state.connection = None;
            (state.dnat, state.snat, state.masquerade) = (false, false, false);
            (state.dnat_by, state.snat_by, state.connmark) = (None, None, 0);
            // There it is what a first packet of its kind is; no error opens a connection.
            state.tracking = match state.tracking {
                PacketState::Untracked => PacketState::Untracked,
                PacketState::Related => PacketState::Invalid,
                _ => PacketState::New,
            };
        }
        if state.tracked || state.connection.is_some() {
            // In again by lo, conntrack has seen it; and of later packets it is told what they are.
            (state.at, state.tracked) = (at, true);
            return Ok(());
        }
        if state.tracking == PacketState::New {
            let first = first_state(self.packet_of(state));
            let asks_table = matches!(first, First::New | First::PickedUp | First::InvalidAlone);
            if asks_table
                && !self.table.is_empty()
                && let Some((entry, direction)) = self.find(state)?
                && let Some(known) = self.attach(state, entry, direction)
            {
                *state = State { at, tracked: true, ..known };
                return Ok(());
            }
            state.tracking = match first {
                First::New => PacketState::New,
                First::Invalid | First::InvalidAlone => PacketState::Invalid,
                First::Untracked => PacketState::Untracked,
                First::PickedUp => {
                    let loose = self.host.sysctls.tcp_loose;
                    if loose.is_none() {
                        self.granted.insert(Granted::TcpLoose);
                    }
                    if loose == Some(false) { PacketState::Invalid } else { PacketState::New }
                }
            };
        }
        (state.at, state.tracked) = (at, true);
        Ok(())
    }

    /// The entry of the connection tracking table that a packet belongs to. Ports and ids that are not
    /// known are asked for: once for all entries that lead the packet to the same.
    fn find(&mut self, state: &State) -> Result<Found, Turn> {
        let protocol = self.packet_of(state).protocol;
        let candidates: Vec<(usize, Direction)> = self
            .table
            .between(protocol, state.src, state.dst)
            .filter(|(_, direction, known)| self.may_be(state, known, *direction))
            .map(|(entry, direction, _)| (entry, direction))
            .collect();
        for &(entry, direction) in &candidates {
            if self.is_known_to_be(state, entry, direction) {
                return Ok(Some((entry, direction)));
            }
        }
        let mut asked: Vec<(usize, Direction)> = Vec::new();
        for &(entry, direction) in &candidates {
            if asked.contains(&(entry, direction)) {
                continue;
            }
            let alike: Vec<(usize, Direction)> = candidates
                .iter()
                .copied()
                .filter(|&(other, way)| way == direction && self.lead_alike(entry, other, direction))
                .collect();
            asked.extend_from_slice(&alike);
            for question in self.questions(state, &alike) {
                match self.facts.settle(&question, state.facts) {
                    Some(true) => {}
                    Some(false) => break,
                    None => return Err(self.ask(question, None)),
                }
            }
            let all_hold = self
                .questions(state, &alike)
                .iter()
                .all(|question| self.facts.settle(question, state.facts) == Some(true));
            if all_hold {
                return Ok(Some((entry, direction)));
            }
        }
        if self.table.lacks {
            let text = "the packet belongs to a connection of a line that could not be read".to_owned();
            let question = Question::Opaque { text, seen: 0 };
            if self.facts.settle(&question, state.facts).is_none() {
                return Err(self.ask(question, None));
            }
        }
        Ok(None)
    }

    /// Whether what is known of the packet agrees with an entry.
    fn may_be(&self, state: &State, known: &TrackedConnection, direction: Direction) -> bool {
        let tuple = known.tuple(direction);
        let packet = self.packet_of(state);
        let agrees = |one: Option<u16>, other: Option<u16>| one.is_none() || other.is_none() || one == other;
        let icmp = known.icmp.is_none_or(|(kind, code, _)| {
            let expected =
                if direction == Direction::Original { Some(kind) } else { answer_to(packet, kind) };
            agrees(expected.map(u16::from), packet.icmp_type.map(u16::from))
                && agrees(known.icmp_id(direction), packet.icmp_id)
                && agrees(Some(u16::from(code)), packet.icmp_code.map(u16::from))
        });
        let zone = if direction == Direction::Original { known.zones.0 } else { known.zones.1 };
        zone == state.zone && agrees(tuple.sport, state.sport) && agrees(tuple.dport, state.dport) && icmp
    }

    /// Whether nothing is left to ask about a packet that may be an entry's.
    fn is_known_to_be(&self, state: &State, entry: usize, direction: Direction) -> bool {
        let Some(known) = self.table.get(entry) else { return false };
        let tuple = known.tuple(direction);
        let packet = self.packet_of(state);
        let ports = !known.protocol.has_ports()
            || (tuple.sport.is_some() && tuple.sport == state.sport)
                && (tuple.dport.is_some() && tuple.dport == state.dport);
        ports && (known.icmp.is_none() || packet.icmp_id == known.icmp_id(direction))
    }

    /// Whether two entries do the same to a packet.
    fn lead_alike(&self, one: usize, other: usize, direction: Direction) -> bool {
        let (Some(a), Some(b)) = (self.table.get(one), self.table.get(other)) else { return false };
        if one == other {
            return true;
        }
        let fixed = |known: &TrackedConnection| {
            // What the packet comes to, ports that stay as they are left out.
            let (original, reply) = (known.original, known.reply);
            let sport = (original.sport != reply.dport).then_some((original.sport, reply.dport));
            let answer_sport = (direction == Direction::Reply).then_some(original.sport);
            (
                original.src,
                original.dst,
                original.dport,
                reply.src,
                reply.sport,
                reply.dst,
                sport,
                answer_sport,
            )
        };
        a.icmp.is_none()
            && b.icmp.is_none()
            && fixed(a) == fixed(b)
            && (a.mark, a.unreplied, a.tcp) == (b.mark, b.unreplied, b.tcp)
            && (&a.helper, &a.labels, &a.counters) == (&b.helper, &b.labels, &b.counters)
    }

    /// What has to hold for a packet to be of one of some entries that lead to the same.
    fn questions(&self, state: &State, alike: &[(usize, Direction)]) -> Vec<Question> {
        let tuples = alike.iter().filter_map(|&(entry, way)| Some(self.table.get(entry)?.tuple(way)));
        let tuples: Vec<_> = tuples.collect();
        let mut questions = Vec::new();
        let mut port = |known: Option<u16>, field: Field, of: Vec<Option<u16>>| {
            if known.is_none() {
                let wanted = Ranges::new(of.into_iter().flatten().map(|p| (u32::from(p), u32::from(p))));
                questions.push(Question::Number { field, wanted });
            }
        };
        if self.packet_of(state).protocol.has_ports() {
            port(state.dport, Field::DestinationPort, tuples.iter().map(|t| t.dport).collect());
            port(state.sport, Field::SourcePort, tuples.iter().map(|t| t.sport).collect());
        }
        // What a session itself left open cannot be asked by number.
        let open = tuples.iter().any(|t| t.sport.is_none() || t.dport.is_none());
        let of_icmp = alike.iter().find_map(|&(entry, _)| self.table.get(entry)?.icmp);
        if let Some((_, _, id)) = of_icmp {
            let text = format!("the ICMP id is {id}");
            questions.push(Question::Opaque { text, seen: 0 });
        } else if open && self.packet_of(state).protocol.has_ports() {
            let text = format!("the packet belongs to the connection of {} with {}", state.src, state.dst);
            questions = vec![Question::Opaque { text, seen: 0 }];
        }
        questions
    }

    /// The packet as one of an entry's; none when it opens a new connection in the old one's place.
    fn attach(&mut self, state: &State, entry: usize, direction: Direction) -> Option<State> {
        let known = self.table.get(entry)?;
        let packet = self.packet_of(state);
        let tracking = match direction {
            Direction::Reply => PacketState::Reply,
            Direction::Original if known.unreplied => PacketState::Second,
            Direction::Original => PacketState::Established,
        };
        if let (Protocol::TCP, Some(tcp)) = (known.protocol, known.tcp) {
            match tcp::step(tcp, direction, packet.tcp_flags) {
                TcpMove::To(_) | TcpMove::Ignored => {}
                TcpMove::Invalid => return Some(State { tracking: PacketState::Invalid, ..*state }),
                TcpMove::Reopens => return None,
            }
        }
        let connection = Connection {
            protocol: known.protocol,
            original: known.original,
            src: known.reply.dst,
            sport: known.reply.dport,
            sport_range: None,
            src_unknown: false,
            dst: known.reply.src,
            dport: known.reply.sport,
            dport_range: None,
            zone: state.zone,
            masqueraded_by: None,
            entry: Some(entry),
        };
        let (dnat, snat, connmark) = (known.is_dnat(), known.is_snat(), known.mark);
        let at = self.connections.iter().position(|other| *other == connection).unwrap_or_else(|| {
            self.connections.push(connection);
            self.connections.len() - 1
        });
        let connection = ConnectionId::of(at);
        Some(State { connection: Some(connection), tracking, dnat, snat, connmark, ..*state })
    }
}

/// The type of the answer to an ICMP request.
pub(super) fn answer_to(packet: &Packet, request: u8) -> Option<u8> {
    match (packet.protocol, request) {
        (Protocol::ICMP, 8) => Some(0),
        (Protocol::ICMP, 13 | 15 | 17) | (Protocol::ICMPV6, 128 | 139) => Some(request + 1),
        _ => None,
    }
}

/// What a packet that belongs to no connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    New,
    /// It opens none itself, but may be of one that began before it was tracked.
    PickedUp,
    /// It can be of a connection, but opens none.
    InvalidAlone,
    /// Nothing that a connection may hold.
    Invalid,
    /// Neighbour discovery and its like are not tracked.
    Untracked,
}

/// kernel: `net/netfilter/nf_conntrack_proto_tcp.c`, `tcp_new` and `tcp_error`;
/// `nf_conntrack_proto_icmp.c`, `nf_conntrack_proto_icmpv6.c`. Of what is not told the usual is taken:
/// SCTP is an INIT, a checksum is right.
fn first_state(packet: &Packet) -> First {
    match (packet.protocol, packet.icmp_type) {
        (Protocol::TCP, _) => tcp_first(packet.tcp_flags),
        (Protocol::ICMP, Some(0 | 14 | 16 | 18)) | (Protocol::ICMPV6, Some(129 | 140)) => First::InvalidAlone,
        (Protocol::ICMP, Some(kind)) if !matches!(kind, 8 | 13 | 15 | 17) => First::Invalid,
        (Protocol::ICMPV6, Some(130..=137 | 143)) => First::Untracked,
        (Protocol::ICMPV6, Some(kind)) if !matches!(kind, 128 | 139) => First::Invalid,
        _ => First::New,
    }
}

fn tcp_first(flags: TcpFlags) -> First {
    let has = |flag| flags.contains(flag);
    match (has(TcpFlags::SYN), has(TcpFlags::ACK), has(TcpFlags::FIN), has(TcpFlags::RST)) {
        (true, false, false, false) => First::New,
        (false, true, false, false) => First::PickedUp,
        (true, true, false, false) | (false, true, true, false) | (false, _, false, true) => {
            First::InvalidAlone
        }
        _ => First::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_connection() {
        let first = |protocol, kind: Option<u8>, flags| {
            let mut packet = Packet::new("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
            (packet.protocol, packet.icmp_type, packet.tcp_flags) = (protocol, kind, flags);
            first_state(&packet)
        };
        let tcp = |flags: TcpFlags| first(Protocol::TCP, None, flags);
        assert_eq!(tcp(TcpFlags::SYN), First::New);
        assert_eq!(tcp(TcpFlags::ACK), First::PickedUp);
        for flags in [TcpFlags(0), TcpFlags::FIN, TcpFlags::SYN.union(TcpFlags::FIN)] {
            assert_eq!(tcp(flags), First::Invalid, "{flags}");
        }
        for flags in [TcpFlags::RST, TcpFlags::FIN.union(TcpFlags::ACK), TcpFlags::SYN.union(TcpFlags::ACK)] {
            assert_eq!(tcp(flags), First::InvalidAlone, "{flags}");
        }
        assert_eq!(first(Protocol::ICMP, Some(8), TcpFlags(0)), First::New);
        assert_eq!(first(Protocol::ICMP, None, TcpFlags(0)), First::New);
        assert_eq!(first(Protocol::ICMP, Some(0), TcpFlags(0)), First::InvalidAlone);
        assert_eq!(first(Protocol::ICMP, Some(3), TcpFlags(0)), First::Invalid);
        assert_eq!(first(Protocol::ICMPV6, Some(135), TcpFlags(0)), First::Untracked);
        assert_eq!(first(Protocol::ICMPV6, Some(1), TcpFlags(0)), First::Invalid);
        assert_eq!(first(Protocol::UDP, None, TcpFlags(0)), First::New);
    }
}
