use hookwalk_parser::extensions::{CgroupMatch, Match};

use super::ask_as_written;
use crate::program::Hook;
use crate::state::{Answer, View};

/// The control group of the local socket, which forwarded packets have none of; without one it never
/// matches, also with `!` (kernel: `net/netfilter/xt_cgroup.c`).
pub(super) fn test(m: &CgroupMatch, options: &Match, view: &View<'_>) -> Answer {
    if m.path.is_none() && m.class.is_none() {
        return Answer::Yes;
    }
    // Before INPUT the socket may have been looked up.
    if !view.is_sent_here() && view.hook != Hook::Input {
        return Answer::No;
    }
    ask_as_written(options, 0, view)
}
