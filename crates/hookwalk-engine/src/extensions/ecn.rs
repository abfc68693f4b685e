use hookwalk_parser::extensions::EcnMatch;
use hookwalk_parser::types::{Negatable, Protocol, TcpFlags};

use crate::state::{Answer, View};

const ECE: TcpFlags = TcpFlags(0x40);
const CWR: TcpFlags = TcpFlags(0x80);

/// kernel: `net/netfilter/xt_ecn.c`
pub(super) fn test(m: &EcnMatch, view: &View<'_>) -> Answer {
    if m.ip_ect.is_some_and(|wanted| !wanted.holds(|ect| view.state.tos & 3 == *ect)) {
        return Answer::No;
    }
    if m.tcp_ece.is_none() && m.tcp_cwr.is_none() {
        return Answer::Yes;
    }
    if view.packet.protocol != Protocol::TCP || view.is_later_fragment() {
        return Answer::No;
    }
    let flag = |wanted: Option<Negatable<()>>, flag: TcpFlags| {
        wanted.is_none_or(|wanted| view.packet.tcp_flags.contains(flag) != wanted.negated)
    };
    (flag(m.tcp_ece, ECE) && flag(m.tcp_cwr, CWR)).into()
}
