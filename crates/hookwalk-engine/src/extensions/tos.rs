use hookwalk_parser::extensions::TosMatch;

use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_dscp.c`, `tos_mt`
pub(super) fn test(m: &TosMatch, view: &View<'_>) -> Answer {
    m.tos.is_none_or(|wanted| wanted.holds(|tos| view.state.tos & tos.mask == tos.value)).into()
}
