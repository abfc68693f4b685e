use hookwalk_parser::extensions::{ConnmarkAction, ConnmarkMatch, ConnmarkTarget, MarkMatch, MarkTarget};

use super::{Answer, Effect};
use crate::packet::PacketState;
use crate::walk::{State, View};

pub(super) fn test_mark(m: MarkMatch, view: &View<'_>) -> Answer {
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.mark))).into()
}

/// A packet without connection never matches, also with `!` (kernel: `net/netfilter/xt_connmark.c`).
pub(super) fn test_connmark(m: ConnmarkMatch, view: &View<'_>) -> Answer {
    if view.state.tracking != PacketState::New {
        return Answer::No;
    }
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.connmark))).into()
}

pub(super) fn apply_mark(t: MarkTarget, state: &mut State) -> Effect {
    state.mark = t.apply(state.mark);
    Effect::Continue
}

pub(super) fn apply_connmark(t: ConnmarkTarget, state: &mut State) -> Effect {
    if state.tracking != PacketState::New {
        return Effect::Continue;
    }
    match t.action {
        Some(ConnmarkAction::Set(mark)) => state.connmark = mark.apply(state.connmark),
        Some(ConnmarkAction::Save(masks)) => {
            state.connmark = (state.connmark & !masks.ctmask) ^ (state.mark & masks.nfmask);
        }
        Some(ConnmarkAction::Restore(masks)) => {
            state.mark = (state.mark & !masks.nfmask) ^ (state.connmark & masks.ctmask);
        }
        None => {}
    }
    Effect::Continue
}
