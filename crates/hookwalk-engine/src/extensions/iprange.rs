use hookwalk_parser::extensions::IprangeMatch;

use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_iprange.c`
pub(super) fn test(m: &IprangeMatch, view: &View<'_>) -> Answer {
    let holds = m.source.is_none_or(|wanted| wanted.holds(|range| range.0.contains(view.state.src)))
        && m.destination.is_none_or(|wanted| wanted.holds(|range| range.0.contains(view.state.dst)));
    holds.into()
}
