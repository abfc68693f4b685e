use hookwalk_parser::extensions::QuotaMatch;

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

/// On a host that has seen nothing else the quota is unspent: a packet that is no longer than it
/// holds (kernel: `net/netfilter/xt_quota.c`).
pub(super) fn test(m: &QuotaMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.quota else { return Answer::Yes };
    let left = u32::try_from(wanted.value).unwrap_or(u32::MAX);
    let fits = match view.packet.length {
        Some(length) => (u32::from(length) <= left).into(),
        None => view.ask(Question::Number { field: Field::Length, wanted: Ranges::new([(0, left)]) }),
    };
    fits.negate(wanted.negated)
}
