use hookwalk_parser::extensions::HashlimitMatch;

use super::opaque_text;
use crate::question::Question;
use crate::state::{Answer, View};

/// On a host that has seen nothing else every bucket is full: the first packet is below any rate
/// (kernel: `net/netfilter/xt_hashlimit.c`).
pub(super) fn test(
    m: &HashlimitMatch,
    options: &hookwalk_parser::extensions::Match,
    view: &View<'_>,
) -> Answer {
    match m.limit {
        Some(limit) if !m.rate_match => Answer::from(!limit.above),
        _ => view.ask(Question::Opaque { text: opaque_text(options), seen: 0 }),
    }
}
