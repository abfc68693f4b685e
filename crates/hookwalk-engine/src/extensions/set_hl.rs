use hookwalk_parser::extensions::HlTarget;

use super::Effect;
use crate::state::State;

/// kernel: `net/netfilter/xt_HL.c`
pub(super) fn apply(t: &HlTarget, state: &mut State) -> Effect {
    state.ttl = t.set.unwrap_or(state.ttl);
    state.ttl = state.ttl.saturating_add(t.increment.unwrap_or(0)).saturating_sub(t.decrement.unwrap_or(0));
    Effect::Continue
}
