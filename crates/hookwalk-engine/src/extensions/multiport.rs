use hookwalk_parser::extensions::{MultiportMatch, MultiportPorts};

use super::ports;
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_multiport.c`
pub(super) fn test(m: &MultiportMatch, view: &View<'_>) -> Answer {
    if !view.packet.protocol.has_ports() || view.is_later_fragment() {
        return Answer::No;
    }
    let source = |list: &[_]| ports::source(list, view);
    let destination = |list: &[_]| ports::destination(list, view);
    match &m.ports {
        None => Answer::Yes,
        Some(MultiportPorts::Source(list)) => source(&list.value.0).negate(list.negated),
        Some(MultiportPorts::Destination(list)) => destination(&list.value.0).negate(list.negated),
        Some(MultiportPorts::Either(list)) => {
            source(&list.value.0).or(|| destination(&list.value.0)).negate(list.negated)
        }
    }
}
