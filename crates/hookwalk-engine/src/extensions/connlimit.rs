use hookwalk_parser::extensions::{ConnectionLimit, ConnlimitMatch};

use crate::question::Question;
use crate::state::{Answer, View};

/// On a host without other connections this one is the only one
/// (kernel: `net/netfilter/xt_connlimit.c`).
pub(super) fn test(m: ConnlimitMatch, view: &View<'_>) -> Answer {
    if !view.state.has_connection() {
        let text = "the node has as many connections as `-m connlimit` asks for".to_owned();
        return view.ask(Question::Opaque { text, seen: 0 });
    }
    match m.limit {
        Some(ConnectionLimit::Above(most)) => (1 > most).into(),
        Some(ConnectionLimit::Upto(most)) => (1 <= most).into(),
        None => Answer::Yes,
    }
}
