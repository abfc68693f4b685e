use hookwalk_parser::extensions::MarkTarget;

use super::Effect;
use crate::state::State;

pub(super) fn apply(t: MarkTarget, state: &mut State) -> Effect {
    state.mark = t.apply(state.mark);
    Effect::Continue
}
