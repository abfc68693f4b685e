use hookwalk_parser::extensions::{RecentAction, RecentMatch};

use crate::state::Answer;

/// On a host that has seen nothing else every list is empty: `--set` holds, all others do not
/// (kernel: `net/netfilter/xt_recent.c`, `recent_mt`).
pub(super) fn test(m: &RecentMatch) -> Answer {
    let Some(action) = m.action else { return Answer::Yes };
    Answer::from(action.value == RecentAction::Set).negate(action.negated)
}
