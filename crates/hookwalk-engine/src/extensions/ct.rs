use hookwalk_parser::extensions::{ConntrackZone, CtTarget};

use super::Effect;
use crate::packet::PacketState;
use crate::state::{State, Template, View};

/// kernel: `net/netfilter/xt_CT.c`
pub(super) fn apply(t: &CtTarget, state: &mut State, view: &View<'_>) -> Effect {
    if t.notrack {
        return untrack(state);
    }
    if state.is_settled() {
        return Effect::Continue;
    }
    state.template = Some(Template::new(view.marks_templates));
    let zone = t.zone.or(if state.tracking == PacketState::Reply { t.zone_reply } else { t.zone_orig });
    match zone {
        Some(ConntrackZone::Id(zone)) => state.zone = zone,
        // The kernel takes the lower half.
        Some(ConntrackZone::Mark) => state.zone = u16::try_from(state.mark & 0xffff).unwrap_or_default(),
        None => {}
    }
    Effect::Continue
}

/// Takes the packet out of connection tracking, which `-j NOTRACK` does too. The first of these targets decides, and
/// one that comes in again by `lo` is tracked already.
pub(super) fn untrack(state: &mut State) -> Effect {
    if !state.is_settled() {
        state.tracking = PacketState::Untracked;
    }
    Effect::Continue
}
