use hookwalk_parser::extensions::UdpMatch;
use hookwalk_parser::types::Protocol;

use super::{Answer, ports};
use crate::walk::View;

pub(super) fn test(m: &UdpMatch, view: &View<'_>) -> Answer {
    ports::test(Protocol::UDP, m.sport, m.dport, view)
}
