//! How a tracked TCP connection goes on (kernel: `net/netfilter/nf_conntrack_proto_tcp.c`; RFC 9293).

use hookwalk_parser::types::TcpFlags;

use crate::host::{Direction, TcpState};

/// What a packet makes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpMove {
    To(TcpState),
    /// It passes, and the connection stays as it is.
    Ignored,
    /// It does not fit and belongs to no connection.
    Invalid,
    /// The connection is over, and a new one takes its place.
    Reopens,
}

/// What a packet with such flags makes of a connection in such a state.
pub(crate) fn step(state: TcpState, direction: Direction, flags: TcpFlags) -> TcpMove {
    use TcpMove::{Ignored, Invalid, Reopens, To};
    use TcpState::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, SynSent2, TimeWait};
    let original = direction == Direction::Original;
    let has = |flag| flags.contains(flag);
    if has(TcpFlags::RST) {
        return To(Close);
    }
    if has(TcpFlags::SYN) && has(TcpFlags::ACK) {
        return match (original, state) {
            (true, SynRecv | SynSent2) | (false, SynSent | SynSent2) => To(SynRecv),
            (true, _) => Invalid,
            (false, _) => Ignored,
        };
    }
    if has(TcpFlags::SYN) {
        return match (original, state) {
            (_, TimeWait) | (true, Close) => Reopens,
            (true, SynSent) => To(SynSent),
            (_, SynSent2) | (false, SynSent) => To(SynSent2),
            (true, _) => Ignored,
            (false, _) => Invalid,
        };
    }
    if has(TcpFlags::FIN) {
        return match state {
            SynSent | SynSent2 => Invalid,
            SynRecv | Established => To(FinWait),
            FinWait | CloseWait | LastAck => To(LastAck),
            TimeWait | Close => To(state),
        };
    }
    if !has(TcpFlags::ACK) {
        return Invalid;
    }
    match (original, state) {
        (true, SynSent | SynSent2) => Invalid,
        (false, SynSent | SynSent2) => Ignored,
        (true, SynRecv) | (_, Established) => To(Established),
        (false, SynRecv) => To(SynRecv),
        (_, FinWait | CloseWait) => To(CloseWait),
        (_, LastAck | TimeWait) => To(TimeWait),
        (_, Close) => To(Close),
    }
}

/// Seconds until a connection in such a state is forgotten, the kernel's defaults
/// (`net.netfilter.nf_conntrack_tcp_timeout_*`).
pub(crate) const fn timeout(state: TcpState) -> u64 {
    match state {
        TcpState::SynSent | TcpState::FinWait | TcpState::TimeWait | TcpState::SynSent2 => 120,
        TcpState::SynRecv | TcpState::CloseWait => 60,
        TcpState::Established => 432_000,
        TcpState::LastAck => 30,
        TcpState::Close => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_from_first_to_last() {
        let ack = TcpFlags::ACK;
        let (syn, fin) = (TcpFlags::SYN, TcpFlags::FIN.union(ack));
        let mut state = TcpState::SynSent;
        for (direction, flags, expected) in [
            (Direction::Reply, syn.union(ack), TcpState::SynRecv),
            (Direction::Original, ack, TcpState::Established),
            (Direction::Reply, ack, TcpState::Established),
            (Direction::Original, fin, TcpState::FinWait),
            (Direction::Reply, ack, TcpState::CloseWait),
            (Direction::Reply, fin, TcpState::LastAck),
            (Direction::Original, ack, TcpState::TimeWait),
        ] {
            assert_eq!(step(state, direction, flags), TcpMove::To(expected), "{state:?} {flags}");
            state = expected;
        }
        assert_eq!(step(state, Direction::Original, syn), TcpMove::Reopens);
        assert_eq!(step(TcpState::SynSent, Direction::Original, ack), TcpMove::Invalid);
        assert_eq!(step(TcpState::Established, Direction::Original, syn), TcpMove::Ignored);
        assert_eq!(step(TcpState::Established, Direction::Reply, syn), TcpMove::Invalid);
    }
}
