use hookwalk_parser::extensions::QuotaMatch;

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, Event, View};

/// The bytes of the shortest packet.
const HEADER: u64 = 20;

/// Unspent on a host that has seen nothing else: a packet that is no longer than what is left holds, and
/// the first that is longer ends it (kernel: `net/netfilter/xt_quota.c`).
pub(super) fn test(m: &QuotaMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.quota else { return Answer::Yes };
    let left = u32::try_from(left(wanted.value, view)).unwrap_or(u32::MAX);
    let fits = match view.packet.length {
        Some(length) => (u32::from(length) <= left).into(),
        // A packet without a length has spent what its header alone takes, and may have spent all that fits in one.
        None if left_at_least(wanted.value, view) >= u64::from(u16::MAX) => Answer::Yes,
        None if spent(view) > 0 => {
            let text = format!("{} bytes of quota are left for the packet", wanted.value);
            view.ask(Question::Opaque { text, seen: view.state.rewrites })
        }
        None => view.ask(Question::Number { field: Field::Length, wanted: Ranges::new([(0, left)]) }),
    };
    fits.negate(wanted.negated)
}

pub(super) fn event(m: &QuotaMatch, view: &View<'_>) -> Option<Event> {
    let total = m.quota?.value;
    let left = left(total, view);
    // Of a length that is not known at least a header is spent.
    let length = view.packet.length.map_or(HEADER, u64::from);
    let spent = if length <= left { length } else { left };
    Some(Event::Quota { rule: view.rule_key(), spent })
}

fn left(total: u64, view: &View<'_>) -> u64 {
    total.saturating_sub(spent(view))
}

fn left_at_least(total: u64, view: &View<'_>) -> u64 {
    total.saturating_sub(spent(view).saturating_mul(u64::from(u16::MAX).div_ceil(HEADER)))
}

fn spent(view: &View<'_>) -> u64 {
    let rule = view.rule_key();
    view.past.spent(rule).saturating_add(view.memory.spent(view.state.memory, rule))
}
