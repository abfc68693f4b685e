use hookwalk_parser::extensions::LimitMatch;

use crate::state::Answer;

/// On a host that has seen nothing else the bucket is full: the first packet finds a token
/// (kernel: `net/netfilter/xt_limit.c`).
pub(super) fn test(m: LimitMatch) -> Answer {
    (m.burst > 0).into()
}
