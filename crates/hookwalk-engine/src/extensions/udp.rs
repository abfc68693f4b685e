use hookwalk_parser::extensions::UdpMatch;
use hookwalk_parser::types::Protocol;

use super::ports;
use crate::program::{self, Condition};
use crate::state::{Answer, View};

pub(super) fn test(m: &UdpMatch, view: &View<'_>) -> Answer {
    ports::test(Protocol::UDP, m.sport, m.dport, view)
}

pub(super) fn add_conditions(m: &UdpMatch, conditions: &mut Vec<Condition>) -> bool {
    program::add_ports(Protocol::UDP, m.sport, m.dport, conditions);
    true
}
