use hookwalk_parser::extensions::ConnmarkMatch;

use crate::state::{Answer, View};

/// A packet without connection never matches, also with `!` (kernel: `net/netfilter/xt_connmark.c`).
pub(super) fn test(m: ConnmarkMatch, view: &View<'_>) -> Answer {
    if !view.state.has_connection() {
        return Answer::No;
    }
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.connmark))).into()
}
