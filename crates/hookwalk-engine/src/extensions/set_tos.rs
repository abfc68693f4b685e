use hookwalk_parser::extensions::TosTarget;

use super::Effect;
use crate::state::State;

/// kernel: `net/netfilter/xt_DSCP.c`, `tos_tg`
pub(super) fn apply(t: TosTarget, state: &mut State) -> Effect {
    if let Some(tos) = t.tos {
        state.tos = (state.tos & !tos.mask) ^ tos.value;
    }
    Effect::Continue
}
