use hookwalk_parser::extensions::TtlMatch;

use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_hl.c`
pub(super) fn test(m: &TtlMatch, view: &View<'_>) -> Answer {
    let ttl = view.state.ttl;
    let holds = m.equal.is_none_or(|wanted| wanted.holds(|equal| *equal == ttl))
        && m.less.is_none_or(|less| ttl < less)
        && m.greater.is_none_or(|greater| ttl > greater);
    holds.into()
}
