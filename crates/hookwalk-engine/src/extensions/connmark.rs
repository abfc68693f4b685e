use hookwalk_parser::extensions::ConnmarkMatch;

use crate::packet::PacketState;
use crate::state::{Answer, View};

/// A packet without connection never matches, also with `!` (kernel: `net/netfilter/xt_connmark.c`).
pub(super) fn test(m: ConnmarkMatch, view: &View<'_>) -> Answer {
    if view.state.tracking != PacketState::New {
        return Answer::No;
    }
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.connmark))).into()
}
