use hookwalk_parser::extensions::{Match, TcpmssMatch};
use hookwalk_parser::types::Protocol;

use super::ask_as_written;
use crate::state::{Answer, View};

/// The options of TCP are not told (kernel: `net/netfilter/xt_tcpmss.c`).
pub(super) fn test(m: &TcpmssMatch, options: &Match, view: &View<'_>) -> Answer {
    if m.mss.is_none() {
        return Answer::Yes;
    }
    if view.packet.protocol != Protocol::TCP || view.is_later_fragment() {
        return Answer::No;
    }
    ask_as_written(options, 0, view)
}
