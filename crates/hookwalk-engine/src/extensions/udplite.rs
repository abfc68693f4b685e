use hookwalk_parser::extensions::UdpliteMatch;
use hookwalk_parser::types::Protocol;

use super::ports;
use crate::state::{Answer, View};

pub(super) fn test(m: &UdpliteMatch, view: &View<'_>) -> Answer {
    ports::test(Protocol::UDPLITE, m.sport, m.dport, view)
}
