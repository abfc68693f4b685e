use hookwalk_parser::extensions::TcpMatch;
use hookwalk_parser::types::Protocol;

use super::ports;
use crate::program::{self, Condition};
use crate::question::Question;
use crate::state::{Answer, View};

pub(super) fn test(m: &TcpMatch, view: &View<'_>) -> Answer {
    ports::test(Protocol::TCP, m.sport, m.dport, view)
        .and(|| {
            m.flags.is_none_or(|wanted| wanted.holds(|flags| flags.matches(view.packet.tcp_flags))).into()
        })
        .and(|| match m.tcp_option {
            None => Answer::Yes,
            Some(wanted) => {
                let text = format!("--tcp-option {}", wanted.value);
                view.ask(Question::Opaque { text, seen: 0 }).negate(wanted.negated)
            }
        })
}

/// Protocol and ports as conditions; more is looked at in the rule.
pub(super) fn add_conditions(m: &TcpMatch, conditions: &mut Vec<Condition>) -> bool {
    program::add_ports(Protocol::TCP, m.sport, m.dport, conditions);
    m.flags.is_none() && m.tcp_option.is_none()
}
