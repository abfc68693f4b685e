use hookwalk_parser::extensions::{ConnmarkAction, ConnmarkTarget};

use super::Effect;
use super::connmark::TEMPLATE_MARK;
use crate::state::{State, Template};

/// A packet without connection has nothing to copy from or to (kernel: `net/netfilter/xt_connmark.c`).
pub(super) fn apply(t: ConnmarkTarget, state: &mut State) -> Effect {
    if let Some(template) = state.template() {
        return on_template(t, template, state);
    }
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

/// In table raw the connection is what a target `CT` has put in its place, for all packets that meet that rule.
fn on_template(t: ConnmarkTarget, template: Template, state: &mut State) -> Effect {
    let shifted = |mark: u32| t.shift.map_or(mark, |shift| shift.apply(mark));
    match t.action {
        Some(ConnmarkAction::Set(mark)) => {
            let set = template.with_mark(mark.mask, |known| mark.apply(known));
            state.template = Some(if t.shift.is_some() { set.shifted(shifted) } else { set });
        }
        Some(ConnmarkAction::Save(masks)) => {
            let saved = shifted(state.mark & masks.nfmask);
            state.template = Some(template.with_mark(masks.ctmask, |known| (known & !masks.ctmask) ^ saved));
        }
        Some(ConnmarkAction::Restore(masks)) => match template.mark(masks.ctmask) {
            Some(mark) => state.mark = (state.mark & !masks.nfmask) ^ shifted(mark),
            None => return Effect::Unknown(format!("{TEMPLATE_MARK} is not known")),
        },
        None => {}
    }
    Effect::Continue
}
