//! Packets one after the other on one host.

use crate::engine::{Engine, WalkError};
use crate::host::{ConnectionTable, Direction, TcpState, TrackedConnection};
use crate::outcome::Walk;
use crate::packet::Packet;
use crate::probability::splitmix64;
use crate::state::Past;
use crate::walk::{self, After, Tracked, tcp};
use hookwalk_parser::types::{PortRange, Protocol};

/// A host that packets come to one after the other: connections, NAT mappings and their ports, `recent`
/// lists, counts of `nth`, the buckets of `limit` and `hashlimit`, quotas and counted connections carry
/// over. Time comes with the packets ([`Packet::at`]), chance from a seed: one seed and the same packets
/// give the same walks.
///
/// Each walk has one outcome left in each case. Where something is unknown and there are several cases,
/// the session goes on as the first says, and what that assumes of the host (what a set holds, which
/// address is whose, by which interface packets leave) stays so.
///
/// ```
/// use hookwalk_engine::{Engine, Host, Packet, Simulator};
/// // Whoever was seen in the last three hours goes where it went before: ClientIP affinity.
/// let dump = hookwalk_parser::parse(
///     "*nat\n:PREROUTING ACCEPT [0:0]\n:SVC - [0:0]\n:SEP-A - [0:0]\n:SEP-B - [0:0]\n\
///      -A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SVC\n\
///      -A SVC -m recent --rcheck --seconds 10800 --reap --name A --rsource -j SEP-A\n\
///      -A SVC -m recent --rcheck --seconds 10800 --reap --name B --rsource -j SEP-B\n\
///      -A SVC -m statistic --mode random --probability 0.50000000000 -j SEP-A\n\
///      -A SVC -j SEP-B\n\
///      -A SEP-A -p tcp -m recent --set --name A --rsource -m tcp -j DNAT --to-destination 10.0.1.2:8080\n\
///      -A SEP-B -p tcp -m recent --set --name B --rsource -m tcp -j DNAT --to-destination 10.0.2.2:8080\nCOMMIT\n",
/// );
/// let engine = Engine::new(vec![dump], Host::default().with_node_address("192.168.50.10".parse().unwrap()));
/// let mut session = Simulator::new(&engine, 7);
/// let syn = |port: u16, at: u64| {
///     let mut packet = Packet::new("10.0.0.5".parse().unwrap(), "10.96.0.10".parse().unwrap())
///         .arriving_by("cni0".parse().unwrap())
///         .source_port(port)
///         .destination_port(80);
///     packet.at = Some(at);
///     packet
/// };
/// let endpoint = |walk: hookwalk_engine::Walk| walk.cases[0].outcomes[0].dst;
/// let first = endpoint(session.walk(&syn(40_000, 0)).unwrap());
/// for connection in 1..50_u16 {
///     let at = u64::from(connection) * 3600;
///     assert_eq!(endpoint(session.walk(&syn(40_000 + connection, at)).unwrap()), first);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Simulator<'e> {
    engine: &'e Engine,
    table: ConnectionTable,
    past: Past,
    seed: u64,
    has_begun: bool,
}

impl<'e> Simulator<'e> {
    /// A session on the engine's host, which has seen nothing but the connections it was told to have.
    /// Their remaining times count from the first packet.
    pub fn new(engine: &'e Engine, seed: u64) -> Self {
        let table = engine.host().connection_table().clone();
        let past = Past::of_session();
        Simulator { engine, table, past, seed, has_begun: false }
    }

    /// What becomes of the next packet. One that tells no time comes at the same moment as the one before.
    pub fn walk(&mut self, packet: &Packet) -> Result<Walk, WalkError> {
        self.tell_time(packet)?;
        let seed = splitmix64(&mut self.seed);
        let given = self.engine.given(packet, &self.table, &self.past)?;
        let (mut walk, after) = walk::step(given, packet, self.engine.limits(), seed);
        if let Some(after) = after {
            self.leave(after, &mut walk);
        }
        Ok(walk)
    }

    /// The connections that the host has by now.
    pub fn connections(&self) -> impl Iterator<Item = &TrackedConnection> {
        self.table.iter()
    }

    /// The clock, in seconds.
    pub const fn now(&self) -> u64 {
        self.past.now
    }

    fn tell_time(&mut self, packet: &Packet) -> Result<(), WalkError> {
        let now = self.past.now;
        if let Some(at) = packet.at {
            if at < now {
                return Err(WalkError::TimeGoesBack { at, now });
            }
            self.past.now = at;
        }
        let now = self.past.now;
        if !self.has_begun {
            self.has_begun = true;
            self.past.began = now;
            for known in self.table.iter_mut() {
                known.expires = known.timeout.map(|left| now.saturating_add(left));
            }
        }
        self.table.expire(now);
        let table = &self.table;
        self.past.keep_counted(|connection| {
            table.iter().any(|known| {
                known.identity() == *connection
                    && !matches!(known.tcp, Some(TcpState::TimeWait | TcpState::Close))
            })
        });
        Ok(())
    }

    /// Takes in what a packet left behind.
    fn leave(&mut self, after: After, walk: &mut Walk) {
        let now = self.past.now;
        for event in after.events {
            self.past.apply(event);
        }
        for known in after.assumed {
            if !self.past.known.contains(&known) {
                self.past.known.push(known);
            }
        }
        match after.tracked {
            Tracked::Nothing => {}
            Tracked::New(mut connection, range) => {
                if let (Some(range), None) = (range, connection.reply.dport) {
                    connection.reply.dport = self.draw_port(&connection, range);
                    let drawn = walk.cases.first_mut().and_then(|case| case.outcomes.first_mut());
                    if let Some(outcome) = drawn {
                        outcome.sport = connection.reply.dport;
                    }
                }
                // A second connection of the very same tuple takes the place of one that is over.
                let stale: Vec<usize> = self
                    .table
                    .between(connection.protocol, connection.original.src, connection.original.dst)
                    .filter(|(_, direction, known)| {
                        *direction == Direction::Original
                            && known.original == connection.original
                            && known.protocol.has_ports()
                    })
                    .map(|(entry, ..)| entry)
                    .collect();
                for entry in stale {
                    self.table.remove(entry);
                }
                connection.expires = Some(now.saturating_add(timeout(&connection)));
                self.table.insert(*connection);
            }
            Tracked::Known { entry, direction, tcp, mark } => {
                if let Some(known) = self.table.get_mut(entry) {
                    known.unreplied &= direction == Direction::Original;
                    known.assured |= match tcp {
                        Some(state) => state == TcpState::Established,
                        None => direction == Direction::Original && !known.unreplied,
                    };
                    (known.tcp, known.mark) = (tcp, mark);
                    known.expires = Some(now.saturating_add(timeout(known)));
                }
            }
        }
    }

    /// A port that no other connection with the same other end has.
    fn draw_port(&mut self, connection: &TrackedConnection, range: PortRange) -> Option<u16> {
        let count = u64::from(range.last.saturating_sub(range.first)) + 1;
        let start = splitmix64(&mut self.seed) % count;
        (0..count)
            .filter_map(|step| {
                let offset = u16::try_from((start + step) % count).ok()?;
                range.first.checked_add(offset)
            })
            .find(|port| {
                let reply = crate::host::ConnectionTuple { dport: Some(*port), ..connection.reply };
                !self.table.is_taken(connection.protocol, reply)
            })
    }
}

/// Seconds until a connection is forgotten that nothing more is heard of: the kernel's defaults
/// (`net.netfilter.nf_conntrack_*_timeout`).
fn timeout(connection: &TrackedConnection) -> u64 {
    match (connection.tcp, connection.protocol) {
        (Some(state), _) => tcp::timeout(state),
        (None, Protocol::UDP) if connection.assured => 120,
        (None, Protocol::UDP | Protocol::ICMP | Protocol::ICMPV6) => 30,
        _ => 600,
    }
}
