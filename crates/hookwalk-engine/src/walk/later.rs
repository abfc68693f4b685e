//! The later packets of a connection: the same mapping, and no nat rule asked.

use hookwalk_parser::types::{Protocol, TcpFlags};

use super::way::{End, Way};
use crate::outcome::{Place, Verdict};
use crate::packet::{Packet, PacketState};
use crate::program::Hook;
use crate::state::{At, Connection, ConnectionId, Interface, PacketId, State};

/// What follows the end of a first packet.
pub(crate) enum Later {
    /// Nothing: its own walk is the answer.
    Nothing,
    /// The later packet, before its first hook.
    Packet(State),
    /// The later packet cannot be told.
    Unknown(State, End),
}

impl Way<'_> {
    /// The later packet of the connection that a first packet has opened, when one was asked for.
    pub(super) fn later(&mut self, state: &State, end: &End) -> Later {
        let Some(kind) = self.later else { return Later::Nothing };
        let got_through =
            end.place.is_none() && matches!(end.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
        if !got_through || state.connection.is_some() || !state.has_connection() || !state.missing.is_empty()
        {
            return Later::Nothing;
        }
        if kind == PacketState::Reply && state.src_unknown {
            let reason = "the answer goes to an address that MASQUERADE chose, which is not known".to_owned();
            return Later::Unknown(*state, End::unknown(Place::Hook(Hook::Prerouting), reason));
        }
        let connection = Connection {
            src: state.src,
            sport: state.sport,
            sport_range: state.sport_range,
            src_unknown: state.src_unknown,
            dst: state.dst,
            dport: state.dport,
            dport_range: state.dport_range,
        };
        let (packet, in_interface) = match kind {
            PacketState::Reply => self.reply(state, end),
            _ => (self.again(kind), Self::arrives_by(self.packet)),
        };
        let packet_id = PacketId(u32::try_from(self.packets.len()).unwrap_or(u32::MAX));
        let connection_id = ConnectionId(u32::try_from(self.connections.len()).unwrap_or(u32::MAX));
        let ports = |range| if kind == PacketState::Reply { range } else { None };
        let start = State {
            packet: packet_id,
            connection: Some(connection_id),
            tracking: kind,
            connmark: state.connmark,
            in_interface,
            at: Self::entry_of(in_interface),
            sport_range: ports(state.dport_range),
            dport_range: ports(state.sport_range),
            dnat: state.dnat,
            snat: state.snat,
            masquerade: state.masquerade,
            dnat_by: state.dnat_by,
            snat_by: state.snat_by,
            facts: state.facts,
            rewrites: state.rewrites + 1,
            ..Self::start_of(packet_id, &packet)
        };
        self.packets.push(packet);
        self.connections.push(connection);
        Later::Packet(start)
    }

    /// The first packet sent once more.
    fn again(&self, kind: PacketState) -> Packet {
        let mut packet = *self.packet;
        let opens = packet.tcp_flags.contains(TcpFlags::SYN) && !packet.tcp_flags.contains(TcpFlags::ACK);
        if kind == PacketState::Established && packet.protocol == Protocol::TCP && opens {
            packet.tcp_flags = TcpFlags::ACK;
        }
        packet
    }

    /// The answer: in where the first packet left, or out of the local process that got it.
    fn reply(&self, state: &State, end: &End) -> (Packet, Interface) {
        let mut packet = *self.packet;
        (packet.src, packet.sport) = (state.dst, state.dport);
        (packet.dst, packet.dport) = (state.src, state.sport);
        (packet.mark, packet.ttl) = (0, 64);
        (packet.uid, packet.gid) = (None, None);
        (packet.physdev_in, packet.physdev_out) = (None, None);
        if packet.tcp_flags == TcpFlags::SYN {
            packet.tcp_flags = TcpFlags::SYN.union(TcpFlags::ACK);
        }
        packet.icmp_type = match (packet.protocol, packet.icmp_type) {
            (Protocol::ICMP, Some(8)) => Some(0),
            (Protocol::ICMP, Some(request @ (13 | 15 | 17))) => Some(request + 1),
            (Protocol::ICMPV6, Some(128)) => Some(129),
            (_, other) => other,
        };
        let in_interface = if end.verdict == Verdict::Local { Interface::None } else { state.out };
        packet.in_interface = match in_interface {
            Interface::Known(name) => Some(name),
            _ => None,
        };
        (packet, in_interface)
    }

    /// Where a packet enters.
    pub(super) fn entry_of(in_interface: Interface) -> At {
        match in_interface {
            Interface::None => At::RouteOut,
            _ => At::Receive,
        }
    }

    /// What nat does with a packet whose connection has its mapping
    /// (kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_packet`).
    pub(super) fn map(&self, mut state: State, id: ConnectionId, hook: Hook) -> State {
        let Some(connection) = self.connections.get(id.0 as usize) else { return state };
        let first = self.packet;
        let before_routing = matches!(hook, Hook::Prerouting | Hook::Output);
        match (state.tracking == PacketState::Reply, before_routing) {
            (false, true) if state.dnat => {
                (state.dst, state.dport, state.dport_range) =
                    (connection.dst, connection.dport, connection.dport_range);
            }
            (false, false) if state.snat => {
                (state.src, state.sport, state.sport_range) =
                    (connection.src, connection.sport, connection.sport_range);
                state.src_unknown = connection.src_unknown;
            }
            (true, true) if state.snat => {
                (state.dst, state.dport, state.dport_range) = (first.src, first.sport, None);
            }
            (true, false) if state.dnat => {
                (state.src, state.sport, state.sport_range) = (first.dst, first.dport, None);
            }
            _ => return state,
        }
        state.rewrites += 1;
        state
    }
}
