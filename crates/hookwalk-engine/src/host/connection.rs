use std::net::IpAddr;

use hookwalk_parser::types::{Protocol, Text};
use rustc_hash::FxHashMap;

/// The addresses and ports of a connection in one direction. A port is none where the protocol has
/// none, or where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionTuple {
    /// Where its packets come from.
    pub src: IpAddr,
    /// Their source port.
    pub sport: Option<u16>,
    /// Where they go.
    pub dst: IpAddr,
    /// Their destination port.
    pub dport: Option<u16>,
}

impl ConnectionTuple {
    /// The other way round.
    #[must_use]
    pub fn inverted(self) -> Self {
        ConnectionTuple { src: self.dst, sport: self.dport, dst: self.src, dport: self.sport }
    }

    /// With what ICMP has in the place of ports, as the kernel keeps it.
    pub(crate) fn of_icmp(self, id: Option<u16>, kind: Option<u8>, code: Option<u8>) -> Self {
        let kind = kind.map(|kind| u16::from(kind) << 8 | u16::from(code.unwrap_or(0)));
        ConnectionTuple { sport: id, dport: kind, ..self }
    }
}

/// An entry of the connection tracking table, as `conntrack -L` lists it.
///
/// ```
/// use hookwalk_engine::{ConnectionTuple, TrackedConnection};
/// use hookwalk_parser::types::Protocol;
/// let query = ConnectionTuple {
///     src: "10.0.0.5".parse().unwrap(),
///     sport: Some(40000),
///     dst: "10.96.0.10".parse().unwrap(),
///     dport: Some(53),
/// };
/// let stale = TrackedConnection::new(Protocol::UDP, query);
/// assert!(!stale.is_dnat() && stale.unreplied);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackedConnection {
    /// The protocol.
    pub protocol: Protocol,
    /// Its first packet, as it came.
    pub original: ConnectionTuple,
    /// The answers that are expected: where they differ from the first packet turned round, NAT does.
    pub reply: ConnectionTuple,
    /// `[UNREPLIED]`: no answer has been seen.
    pub unreplied: bool,
    /// `[ASSURED]`: it is not given up early when the table is full.
    pub assured: bool,
    /// The state of a TCP connection, where it is told.
    pub tcp: Option<TcpState>,
    /// Type, code and id of ICMP, as the first packet has them.
    pub icmp: Option<(u8, u8, u16)>,
    /// The id of the answers to ICMP, where NAT has given them another one.
    pub icmp_reply_id: Option<u16>,
    /// The connection's mark.
    pub mark: u32,
    /// The zones of its two directions.
    pub zones: (u16, u16),
    /// Seconds until it is forgotten.
    pub timeout: Option<u64>,
    /// The tracking helper.
    pub helper: Option<Text>,
    /// Its labels by number; none where they are not told.
    pub labels: Option<Vec<u8>>,
    /// Packets and bytes of the two directions, where they are counted.
    pub counters: Option<[(u64, u64); 2]>,
    /// The index of the file and the line that tells of it, from 1.
    pub line: Option<(usize, u32)>,
    /// When it is forgotten, on the clock of a session.
    pub(crate) expires: Option<u64>,
}

/// The state of a TCP connection (kernel: `include/uapi/linux/netfilter/nf_conntrack_tcp.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of RFC 793 and the kernel")]
pub enum TcpState {
    SynSent,
    SynRecv,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
    SynSent2,
}

impl TcpState {
    /// The state of a name as `conntrack -L` prints it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "SYN_SENT" => TcpState::SynSent,
            "SYN_RECV" => TcpState::SynRecv,
            "ESTABLISHED" => TcpState::Established,
            "FIN_WAIT" => TcpState::FinWait,
            "CLOSE_WAIT" => TcpState::CloseWait,
            "LAST_ACK" => TcpState::LastAck,
            "TIME_WAIT" => TcpState::TimeWait,
            "CLOSE" => TcpState::Close,
            "SYN_SENT2" | "LISTEN" => TcpState::SynSent2,
            _ => return None,
        })
    }
}

impl TrackedConnection {
    /// A connection without NAT that has seen no answer.
    pub fn new(protocol: Protocol, original: ConnectionTuple) -> Self {
        TrackedConnection {
            protocol,
            original,
            reply: original.inverted(),
            unreplied: true,
            assured: false,
            tcp: None,
            icmp: None,
            icmp_reply_id: None,
            mark: 0,
            zones: (0, 0),
            timeout: None,
            helper: None,
            labels: None,
            counters: None,
            line: None,
            expires: None,
        }
    }

    /// Whether its destination is rewritten.
    pub fn is_dnat(&self) -> bool {
        (self.reply.src, self.reply.sport) != (self.original.dst, self.original.dport)
    }

    /// Whether its source is rewritten.
    pub fn is_snat(&self) -> bool {
        (self.reply.dst, self.reply.dport) != (self.original.src, self.original.sport)
    }

    /// What tells its first packet apart from those of other connections: of ICMP, which has no ports, id and
    /// type take their place.
    pub(crate) fn identity(&self) -> ConnectionTuple {
        match self.icmp {
            Some((kind, code, id)) => self.original.of_icmp(Some(id), Some(kind), Some(code)),
            None => self.original,
        }
    }

    /// The ICMP id that its packets have in a direction.
    pub(crate) fn icmp_id(&self, direction: Direction) -> Option<u16> {
        let (_, _, id) = self.icmp?;
        if direction == Direction::Reply { self.icmp_reply_id.or(Some(id)) } else { Some(id) }
    }

    /// A direction's addresses and ports.
    pub(crate) fn tuple(&self, direction: Direction) -> ConnectionTuple {
        match direction {
            Direction::Original => self.original,
            Direction::Reply => self.reply,
        }
    }
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Original,
    Reply,
}

type Key = (Protocol, IpAddr, IpAddr);

/// All connections of a host, found by the addresses of either direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionTable {
    entries: Vec<Option<TrackedConnection>>,
    by_addresses: FxHashMap<Key, Vec<(usize, Direction)>>,
    /// Entries may be missing from what was told.
    pub(crate) lacks: bool,
    /// Whether anybody told about connections.
    pub(crate) told: bool,
}

impl ConnectionTable {
    /// Takes a connection in; gives its index.
    pub(crate) fn insert(&mut self, connection: TrackedConnection) -> usize {
        let at = self.entries.len();
        for direction in [Direction::Original, Direction::Reply] {
            let tuple = connection.tuple(direction);
            let known = self.by_addresses.entry((connection.protocol, tuple.src, tuple.dst)).or_default();
            known.push((at, direction));
        }
        self.entries.push(Some(connection));
        at
    }

    /// Forgets the connections that have timed out.
    pub(crate) fn expire(&mut self, now: u64) {
        for entry in &mut self.entries {
            if entry.as_ref().and_then(|known| known.expires).is_some_and(|expires| expires <= now) {
                *entry = None;
            }
        }
    }

    pub(crate) fn remove(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            *entry = None;
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&TrackedConnection> {
        self.entries.get(at)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut TrackedConnection> {
        self.entries.get_mut(at)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TrackedConnection> {
        self.entries.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut TrackedConnection> {
        self.entries.iter_mut().flatten()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The connections between two addresses, in the direction that leads from one to the other.
    pub(crate) fn between(
        &self,
        protocol: Protocol,
        src: IpAddr,
        dst: IpAddr,
    ) -> impl Iterator<Item = (usize, Direction, &TrackedConnection)> {
        let known = self.by_addresses.get(&(protocol, src, dst)).map(Vec::as_slice).unwrap_or_default();
        known.iter().filter_map(|&(at, direction)| Some((at, direction, self.get(at)?)))
    }

    /// Whether a connection has this very tuple in one of its directions
    /// (kernel: `net/netfilter/nf_conntrack_core.c`, `nf_conntrack_tuple_taken`).
    pub(crate) fn is_taken(&self, protocol: Protocol, tuple: ConnectionTuple) -> bool {
        self.between(protocol, tuple.src, tuple.dst)
            .any(|(_, direction, known)| known.tuple(direction) == tuple)
    }
}
