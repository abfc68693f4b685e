use hookwalk_parser::extensions::DscpTarget;

use super::Effect;
use crate::state::State;

/// The six upper bits of the type of service; the two of ECN stay (kernel: `net/netfilter/xt_DSCP.c`, `dscp_tg`).
pub(super) fn apply(t: &DscpTarget, state: &mut State) -> Effect {
    if let Some(dscp) = &t.dscp {
        state.tos = state.tos & 3 | dscp.0 << 2;
    }
    Effect::Continue
}
