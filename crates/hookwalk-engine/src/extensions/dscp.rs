use hookwalk_parser::extensions::DscpMatch;

use crate::state::{Answer, View};

/// The upper six bits of the type of service (kernel: `net/netfilter/xt_dscp.c`, `dscp_mt`).
pub(super) fn test(m: &DscpMatch, view: &View<'_>) -> Answer {
    m.dscp.is_none_or(|wanted| wanted.holds(|dscp| view.state.tos >> 2 == dscp.0)).into()
}
