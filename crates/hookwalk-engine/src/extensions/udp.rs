use hookwalk_parser::extensions::UdpMatch;
use hookwalk_parser::types::Protocol;

use super::ports;
use crate::state::{Answer, View};

pub(super) fn test(m: &UdpMatch, view: &View<'_>) -> Answer {
    ports::test(Protocol::UDP, m.sport, m.dport, view)
}
