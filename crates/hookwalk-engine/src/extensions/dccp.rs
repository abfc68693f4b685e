use hookwalk_parser::extensions::DccpMatch;
use hookwalk_parser::types::Protocol;

use super::ports;
use crate::question::Question;
use crate::state::{Answer, View};

/// DCCP, whose packet type and options are not told (kernel: `net/netfilter/xt_dccp.c`).
const DCCP: Protocol = Protocol(33);

pub(super) fn test(m: &DccpMatch, view: &View<'_>) -> Answer {
    let types = || match m.types {
        None => Answer::Yes,
        Some(wanted) => {
            let text = format!("--dccp-types {}", wanted.value);
            view.ask(Question::Opaque { text, seen: 0 }).negate(wanted.negated)
        }
    };
    let option = || match m.option {
        None => Answer::Yes,
        Some(wanted) => {
            let text = format!("--dccp-option {}", wanted.value);
            view.ask(Question::Opaque { text, seen: 0 }).negate(wanted.negated)
        }
    };
    ports::test(DCCP, m.sport, m.dport, view).and(types).and(option)
}
