use hookwalk_parser::extensions::{HelperMatch, Match};

use super::ask_as_written;
use crate::state::{Answer, View};

/// A connection that a helper expected: the first packet of one that nobody expected has none
/// (kernel: `net/netfilter/xt_helper.c`). Whether an entry of the table was expected is not listed.
pub(super) fn test(m: &HelperMatch, options: &Match, view: &View<'_>) -> Answer {
    let Some(wanted) = &m.name else { return Answer::Yes };
    if !view.state.has_connection() || view.entry().is_none() {
        return Answer::No.negate(wanted.negated);
    }
    ask_as_written(options, 0, view)
}
