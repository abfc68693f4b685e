use hookwalk_parser::extensions::SctpMatch;
use hookwalk_parser::types::Protocol;

use super::ports;
use crate::program::{self, Condition};
use crate::question::Question;
use crate::state::{Answer, View};

/// The chunks of a packet are not told.
pub(super) fn test(m: &SctpMatch, view: &View<'_>) -> Answer {
    ports::test(Protocol::SCTP, m.sport, m.dport, view).and(|| match m.chunks {
        None => Answer::Yes,
        Some(wanted) => {
            let (mode, chunks) = &wanted.value;
            let text = format!("--chunk-types {mode} {chunks}");
            view.ask(Question::Opaque { text, seen: 0 }).negate(wanted.negated)
        }
    })
}

/// Protocol and ports as conditions; more is looked at in the rule.
pub(super) fn add_conditions(m: &SctpMatch, conditions: &mut Vec<Condition>) -> bool {
    program::add_ports(Protocol::SCTP, m.sport, m.dport, conditions);
    m.chunks.is_none()
}
