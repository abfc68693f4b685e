//! What connection tracking makes of a packet, between table raw and table mangle
//! (kernel: `net/netfilter/nf_conntrack_core.c`, `nf_conntrack_in`).

use hookwalk_parser::types::{Protocol, TcpFlags};

use super::way::{Move, Way};
use crate::packet::{Packet, PacketState};
use crate::program::{Hook, TableName};
use crate::state::{At, Granted, State};

impl Way<'_> {
    pub(super) fn track(&mut self, mut state: State, hook: Hook) -> Move {
        let at = At::Table(hook, TableName::Mangle);
        if state.tracked {
            // In again by lo: conntrack has seen it.
            return Move::On(State { at, ..state });
        }
        state.tracked = true;
        if state.connection.is_none() && state.tracking == PacketState::New {
            let first = first_state(self.packet_of(&state));
            state.tracking = match first {
                First::New => PacketState::New,
                First::Invalid => PacketState::Invalid,
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
        Move::On(State { at, ..state })
    }
}

/// What a packet that belongs to no connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    New,
    /// It opens none itself, but may be of one that began before it was tracked.
    PickedUp,
    Invalid,
    /// Neighbour discovery and its like are not tracked.
    Untracked,
}

/// kernel: `net/netfilter/nf_conntrack_proto_tcp.c`, `tcp_new` and `tcp_error`;
/// `nf_conntrack_proto_icmp.c`, `nf_conntrack_proto_icmpv6.c`. Of what is not told the usual is taken:
/// SCTP is an INIT, a checksum is right.
fn first_state(packet: &Packet) -> First {
    match (packet.protocol, packet.icmp_type) {
        (Protocol::TCP, _) => tcp(packet.tcp_flags),
        (Protocol::ICMP, Some(kind)) if !matches!(kind, 8 | 13 | 15 | 17) => First::Invalid,
        (Protocol::ICMPV6, Some(130..=137 | 143)) => First::Untracked,
        (Protocol::ICMPV6, Some(kind)) if !matches!(kind, 128 | 139) => First::Invalid,
        _ => First::New,
    }
}

fn tcp(flags: TcpFlags) -> First {
    let has = |flag| flags.contains(flag);
    match (has(TcpFlags::SYN), has(TcpFlags::ACK), has(TcpFlags::FIN), has(TcpFlags::RST)) {
        (true, false, false, false) => First::New,
        (false, true, false, false) => First::PickedUp,
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
        for flags in [
            TcpFlags(0),
            TcpFlags::RST,
            TcpFlags::FIN,
            TcpFlags::FIN.union(TcpFlags::ACK),
            TcpFlags::SYN.union(TcpFlags::ACK),
            TcpFlags::SYN.union(TcpFlags::FIN),
        ] {
            assert_eq!(tcp(flags), First::Invalid, "{flags}");
        }
        assert_eq!(first(Protocol::ICMP, Some(8), TcpFlags(0)), First::New);
        assert_eq!(first(Protocol::ICMP, None, TcpFlags(0)), First::New);
        assert_eq!(first(Protocol::ICMP, Some(0), TcpFlags(0)), First::Invalid);
        assert_eq!(first(Protocol::ICMPV6, Some(135), TcpFlags(0)), First::Untracked);
        assert_eq!(first(Protocol::ICMPV6, Some(1), TcpFlags(0)), First::Invalid);
        assert_eq!(first(Protocol::UDP, None, TcpFlags(0)), First::New);
    }
}
