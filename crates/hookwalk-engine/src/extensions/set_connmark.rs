use hookwalk_parser::extensions::{ConnmarkAction, ConnmarkTarget};

use super::Effect;
use crate::state::State;

/// A packet without connection has nothing to copy from or to (kernel: `net/netfilter/xt_connmark.c`).
pub(super) fn apply(t: ConnmarkTarget, state: &mut State) -> Effect {
    if !state.has_connection() {
        return Effect::Continue;
    }
    let shifted = |mark: u32| t.shift.map_or(mark, |shift| shift.apply(mark));
    match t.action {
        Some(ConnmarkAction::Set(mark)) => state.connmark = shifted(mark.apply(state.connmark)),
        Some(ConnmarkAction::Save(masks)) => {
            state.connmark = (state.connmark & !masks.ctmask) ^ shifted(state.mark & masks.nfmask);
        }
        Some(ConnmarkAction::Restore(masks)) => {
            state.mark = (state.mark & !masks.nfmask) ^ shifted(state.connmark & masks.ctmask);
        }
        None => {}
    }
    Effect::Continue
}
