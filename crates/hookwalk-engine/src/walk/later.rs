//! The later packets of a connection: the same mapping, and no nat rule asked.

use std::net::Ipv6Addr;

use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::{Protocol, TcpFlags};

use super::tracking;
use super::way::{End, Move, Turn, Way};
use crate::extensions::masquerade;
use crate::host::ConnectionTuple;
use crate::outcome::{Place, Verdict};
use crate::packet::{InterfaceName, Packet, PacketState};
use crate::program::{Go, Hook};
use crate::question::{Field, Question, Ranges};
use crate::state::{At, Connection, ConnectionId, Interface, List, PacketId, State, Translated};

/// What follows the end of a first packet.
pub(crate) enum Later {
    /// Nothing: its own walk is the answer.
    Nothing,
    /// The later packet, before its first hook.
    Packet(State),
    /// The later packet cannot be told.
    Unknown(End),
}

impl Way<'_> {
    /// The later packet of the connection that a first packet has opened, when one was asked for.
    pub(super) fn later(&mut self, state: &State, end: &End) -> Later {
        let kind = match self.later {
            None => return Later::Nothing,
            // What comes back to a translated address is no answer to conntrack.
            Some(PacketState::Established) if state.translated.any() => PacketState::Second,
            Some(kind) => kind,
        };
        let got_through =
            end.place.is_none() && matches!(end.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
        // What comes later is walked once, also when the first packet met an entry of the table.
        if state.packet != PacketId(0) {
            return self.behind_answer(state);
        }
        if !got_through || !state.has_connection() || !state.missing.is_empty() {
            return Later::Nothing;
        }
        let comes_back = matches!(kind, PacketState::Reply | PacketState::Related);
        if comes_back && state.src_unknown {
            let reason = "the answer goes to an address that MASQUERADE chose, which is not known".to_owned();
            return Later::Unknown(End::unknown(Place::Hook(Hook::Prerouting), reason));
        }
        let first = &self.packet;
        let connection = match self.connection_of(state) {
            Some(known) => *known,
            None => Connection {
                protocol: first.protocol,
                original: ConnectionTuple {
                    src: first.src,
                    sport: first.sport,
                    dst: first.dst,
                    dport: first.dport,
                },
                src: state.src,
                sport: state.sport,
                sport_range: state.sport_range,
                src_unknown: state.src_unknown,
                dst: state.dst,
                dport: state.dport,
                dport_range: state.dport_range,
                zone: state.zone,
                masqueraded_by: Self::left_by(state).filter(|_| state.masquerade),
                entry: None,
            },
        };
        let connection_id = ConnectionId::of(self.connections.len());
        self.connections.push(connection);
        // What the answer leaves on the connection has to be known for what follows it.
        if kind == PacketState::Established && self.program.marks_connections && !state.src_unknown {
            let (packet, in_interface) = (self.again(kind), Self::arrives_by(&self.packet));
            let start = self.start_later(state, connection_id, kind, packet, in_interface);
            let (packet, in_interface) = self.reply(state, end);
            let answer = self.start_later(state, connection_id, PacketState::Reply, packet, in_interface);
            self.answered.push((answer.packet, start));
            return Later::Packet(answer);
        }
        let (packet, in_interface) = match kind {
            PacketState::Reply => self.reply(state, end),
            PacketState::Related => self.error(state, end),
            _ => (self.again(kind), Self::arrives_by(&self.packet)),
        };
        let start = self.start_later(state, connection_id, kind, packet, in_interface);
        Later::Packet(if comes_back && state.translated.any() { self.as_stranger(start) } else { start })
    }

    /// What comes in again by lo gets the destination of its connection anew, whatever `DNPT` has made of it, and so
    /// another route (kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_packet`; `net/netfilter/nf_nat_proto.c`,
    /// `nf_nat_ipv6_in`).
    pub(super) fn map_again(&self, state: &mut State) -> Move {
        let step = state.dnat_by.and_then(|rule| self.program.step(rule));
        let target = match step.map(|step| step.go) {
            Some(Go::Target(target)) => self.program.target(target),
            _ => None,
        };
        let mapped = match target {
            Some(Target::Dnat(t)) => t.to.addresses.filter(|all| all.first == all.last).map(|all| all.first),
            Some(Target::Redirect(_)) => Some(Ipv6Addr::LOCALHOST.into()),
            _ => None,
        };
        let Some(mapped) = mapped else {
            let reason = "NAT maps the packet again, to which address is not known behind `DNPT`".to_owned();
            return Err(Turn::End(End::unknown(Place::Hook(Hook::Prerouting), reason)));
        };
        if state.dst != mapped {
            (state.dst, state.route) = (mapped, None);
        }
        state.translated = state.translated.without(Translated::DESTINATION);
        Ok(())
    }

    /// What comes back from or to an address that `DNPT` or `SNPT` has made belongs to no connection: conntrack has seen
    /// the first packet before or behind it.
    fn as_stranger(&self, start: State) -> State {
        let is_error = start.tracking == PacketState::Related;
        State {
            tracking: if is_error { PacketState::Invalid } else { PacketState::New },
            facts: start.facts,
            memory: start.memory,
            in_interface: start.in_interface,
            at: start.at,
            ..Self::start_of(start.packet, self.packet_of(&start))
        }
    }

    /// The interface that a packet has left by, where that is known.
    fn left_by(state: &State) -> Option<InterfaceName> {
        match state.out {
            _ if state.looped_back => Some(InterfaceName::LOOPBACK),
            Interface::Known(name) => Some(name),
            _ => None,
        }
    }

    /// What follows an answer that was walked for the sake of the connection's mark alone, whatever became of it.
    fn behind_answer(&self, state: &State) -> Later {
        let next = self.answered.iter().find(|(answer, _)| *answer == state.packet);
        next.map_or(Later::Nothing, |(_, next)| {
            let connmark = if state.has_connection() { state.connmark } else { next.connmark };
            let State { facts, memory, missing, .. } = *state;
            Later::Packet(State { connmark, facts, memory, missing, ..*next })
        })
    }

    /// A later packet before its first hook.
    fn start_later(
        &mut self,
        state: &State,
        connection: ConnectionId,
        kind: PacketState,
        packet: Packet,
        in_interface: Interface,
    ) -> State {
        let facts =
            if kind == PacketState::Related { self.is_icmp_error(state.facts, &packet) } else { state.facts };
        let packet_id = PacketId(u32::try_from(self.packets.len()).unwrap_or(u32::MAX));
        let ports = |range| if kind == PacketState::Reply { range } else { None };
        let start = State {
            packet: packet_id,
            connection: Some(connection),
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
            facts,
            memory: state.memory,
            rewrites: state.rewrites + 1,
            ..Self::start_of(packet_id, &packet)
        };
        self.packets.push(packet);
        start
    }

    /// The first packet sent once more.
    fn again(&self, kind: PacketState) -> Packet {
        let mut packet = self.packet;
        let opens = packet.tcp_flags.contains(TcpFlags::SYN) && !packet.tcp_flags.contains(TcpFlags::ACK);
        if kind == PacketState::Established && packet.protocol == Protocol::TCP && opens {
            packet.tcp_flags = TcpFlags::ACK;
        }
        packet
    }

    /// The answer: in where the first packet left, or out of the local process that got it.
    fn reply(&self, state: &State, end: &End) -> (Packet, Interface) {
        let mut packet = self.packet;
        (packet.src, packet.sport) = (state.dst, state.dport);
        (packet.dst, packet.dport) = (state.src, state.sport);
        (packet.mark, packet.ttl) = (0, 64);
        (packet.uid, packet.gid) = (None, None);
        (packet.physdev_in, packet.physdev_out) = (None, None);
        if packet.tcp_flags.contains(TcpFlags::SYN) && !packet.tcp_flags.contains(TcpFlags::ACK) {
            packet.tcp_flags = TcpFlags::SYN.union(TcpFlags::ACK);
        }
        if let Some(request) = packet.icmp_type {
            packet.icmp_type = tracking::answer_to(&packet, request).or(packet.icmp_type);
        }
        let in_interface = if end.verdict == Verdict::Local { Interface::None } else { state.out };
        packet.in_interface = match in_interface {
            Interface::Known(name) => Some(name),
            _ => None,
        };
        (packet, in_interface)
    }

    /// An ICMP error about the first packet as it came out, from where an answer would come. Its type is
    /// the packet's own where that is of another protocol; else it is some error.
    fn error(&self, state: &State, end: &End) -> (Packet, Interface) {
        let (mut packet, in_interface) = self.reply(state, end);
        let of_icmp = matches!(packet.protocol, Protocol::ICMP | Protocol::ICMPV6);
        packet.protocol = if packet.src.is_ipv4() { Protocol::ICMP } else { Protocol::ICMPV6 };
        let told = |value: Option<u8>| if of_icmp { None } else { value };
        (packet.icmp_type, packet.icmp_code) = (told(self.packet.icmp_type), told(self.packet.icmp_code));
        (packet.sport, packet.dport) = (None, None);
        (packet.length, packet.tos) = (None, 0);
        packet.state = PacketState::Related;
        (packet, in_interface)
    }

    /// What is known of an ICMP error whose type is not told.
    fn is_icmp_error(&mut self, known: List, packet: &Packet) -> List {
        if packet.icmp_type.is_some() {
            return known;
        }
        // kernel: `include/linux/icmp.h`, `icmp_is_err`, without redirects; RFC 4443, 2.1.
        let errors: &[(u32, u32)] =
            if packet.protocol == Protocol::ICMP { &[(3, 4), (11, 12)] } else { &[(1, 4)] };
        let wanted = Ranges::new(errors.iter().map(|&(first, last)| (first << 8, (last << 8) + 0xff)));
        let question = self.facts.id(Question::Number { field: Field::IcmpTypeAndCode, wanted });
        self.facts.assume(known, question, true)
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
    pub(super) fn map(&mut self, state: &mut State, id: ConnectionId, hook: Hook) -> Move {
        let Some(connection) = self.connections.get(id.index()).copied() else { return Ok(()) };
        if hook == Hook::Postrouting && self.is_given_up(state, &connection)? {
            let reason = "its connection was masqueraded for another interface".to_owned();
            return Err(Turn::End(End::lost(Verdict::Dropped, Place::Hook(hook), Some(reason))));
        }
        let original = connection.original;
        let before_routing = matches!(hook, Hook::Prerouting | Hook::Output);
        let comes_back = matches!(state.tracking, PacketState::Reply | PacketState::Related);
        let dst = state.dst;
        // An ICMP error has no ports of its own.
        let ports = state.tracking != PacketState::Related;
        match (comes_back, before_routing) {
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
                state.dst = original.src;
                if ports {
                    (state.dport, state.dport_range) = (original.sport, None);
                }
            }
            (true, false) if state.dnat => {
                state.src = original.dst;
                if ports {
                    (state.sport, state.sport_range) = (original.dport, None);
                }
            }
            _ => return Ok(()),
        }
        if hook == Hook::Prerouting && state.dst != dst {
            state.route = None;
        }
        state.rewrites += 1;
        Ok(())
    }

    /// MASQUERADE gives a connection up that leaves by another interface than its first packet (kernel:
    /// `net/netfilter/nf_nat_core.c`, `nf_nat_oif_changed`). Of an entry of the table nobody tells whether it was
    /// MASQUERADE that chose its source, which may be where that is an address of another interface.
    fn is_given_up(&mut self, state: &State, connection: &Connection) -> Result<bool, Turn> {
        let comes_back = matches!(state.tracking, PacketState::Reply | PacketState::Related);
        let Interface::Known(out) = state.out else { return Ok(false) };
        if comes_back {
            return Ok(false);
        }
        if let Some(by) = connection.masqueraded_by {
            return Ok(by != out);
        }
        let own = self.host.interface_addresses().unwrap_or_default();
        let of_another = own.iter().any(|own| own.address() == connection.src && own.interface != out);
        if connection.entry.is_none() || !state.snat || !of_another {
            return Ok(false);
        }
        let text = format!("MASQUERADE chose {} for the connection", connection.src);
        let question = Question::Opaque { text, seen: 0 };
        match self.facts.settle(&question, state.facts) {
            Some(is) => Ok(is),
            None => Err(self.ask(question, None)),
        }
    }

    /// A new connection whose answers would be another's gets another source port, whether a rule asks for
    /// it or not (kernel: `net/netfilter/nf_nat_core.c`, `get_unique_tuple`, `nf_nat_alloc_null_binding`). Where the
    /// protocol has none to give, the packet is dropped as its connection is confirmed
    /// (`net/netfilter/nf_conntrack_core.c`, `__nf_conntrack_confirm`).
    pub(super) fn avoid_taken(&self, state: &mut State) -> Move {
        let protocol = self.packet_of(state).protocol;
        if state.connection.is_some() || !state.has_connection() {
            return Ok(());
        }
        let came_out =
            ConnectionTuple { src: state.src, sport: state.sport, dst: state.dst, dport: state.dport };
        let is_taken = self.table.is_taken(protocol, came_out.inverted());
        match state.sport {
            Some(port) if is_taken && protocol.has_ports() => {
                (state.sport, state.sport_range) = (None, Some(masquerade::class(port)));
                state.snat = true;
                Ok(())
            }
            _ if is_taken && !protocol.has_ports() && !protocol.is_icmp() => {
                let arrives = state.in_interface != Interface::None;
                let is_local = arrives && state.route.is_some_and(|route| route.to_this_node);
                let hook = if is_local { Hook::Input } else { Hook::Postrouting };
                let reason = "another connection expects the same answers".to_owned();
                Err(Turn::End(End::lost(Verdict::Dropped, Place::Hook(hook), Some(reason))))
            }
            _ => Ok(()),
        }
    }
}
