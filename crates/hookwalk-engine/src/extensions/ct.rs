use hookwalk_parser::extensions::CtTarget;

use super::Effect;
use crate::packet::PacketState;
use crate::state::State;

/// kernel: `net/netfilter/xt_CT.c`
pub(super) fn apply(t: &CtTarget, state: &mut State) -> Effect {
    if t.notrack { untrack(state) } else { Effect::Continue }
}

/// Takes the packet out of connection tracking, which `-j NOTRACK` does too. What belongs to no
/// connection anyway stays what it is.
pub(super) fn untrack(state: &mut State) -> Effect {
    state.tracking = PacketState::Untracked;
    Effect::Continue
}
