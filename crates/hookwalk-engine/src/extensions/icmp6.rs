use hookwalk_parser::extensions::Icmp6Match;
use hookwalk_parser::types::Protocol;

use super::icmp;
use crate::state::{Answer, View};

pub(super) fn test(m: Icmp6Match, view: &View<'_>) -> Answer {
    if view.packet.protocol != Protocol::ICMPV6 || view.is_later_fragment() {
        return Answer::No;
    }
    match m.icmp_type {
        None => Answer::Yes,
        Some(wanted) => {
            icmp::type_and_code(wanted.value.icmp_type, wanted.value.code, view).negate(wanted.negated)
        }
    }
}
