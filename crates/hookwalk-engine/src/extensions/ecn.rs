use hookwalk_parser::extensions::EcnMatch;

use super::opaque_text;
use crate::question::Question;
use crate::state::{Answer, View};

/// The two lower bits of the type of service; the flags of TCP are no part of a packet here
/// (kernel: `net/netfilter/xt_ecn.c`).
pub(super) fn test(m: &EcnMatch, candidate: &hookwalk_parser::extensions::Match, view: &View<'_>) -> Answer {
    let by_ip = m.ip_ect.is_none_or(|wanted| wanted.holds(|bits| *bits == view.state.tos & 3));
    if !by_ip || m.tcp_ece.is_none() && m.tcp_cwr.is_none() {
        return by_ip.into();
    }
    view.ask(Question::Opaque { text: opaque_text(candidate), seen: view.state.rewrites })
}
