use hookwalk_parser::extensions::{MultiportMatch, MultiportPorts, SctpMatch, UdpMatch};
use hookwalk_parser::types::{Negatable, PortRange, Protocol};

use super::Answer;
use crate::question::{Field, Question, Ranges};
use crate::walk::View;

/// Whether a port lies in one of some ranges.
pub(super) fn in_ranges(port: Option<u16>, ranges: &[PortRange], field: Field, view: &View<'_>) -> Answer {
    match port {
        Some(port) => ranges.iter().any(|range| range.contains(port)).into(),
        None => view.ask(Question::Number { field, wanted: Ranges::ports(ranges) }),
    }
}

fn source(ranges: &[PortRange], view: &View<'_>) -> Answer {
    in_ranges(view.state.sport, ranges, view.state.source_port_field(), view)
}

fn destination(ranges: &[PortRange], view: &View<'_>) -> Answer {
    in_ranges(view.state.dport, ranges, view.state.destination_port_field(), view)
}

/// `--sport` and `--dport` of one protocol; a later fragment has no header to look at.
pub(super) fn test_ports(
    protocol: Protocol,
    sport: Option<Negatable<PortRange>>,
    dport: Option<Negatable<PortRange>>,
    view: &View<'_>,
) -> Answer {
    if view.packet.protocol != protocol || view.is_later_fragment() {
        return Answer::No;
    }
    let of = |wanted: Option<Negatable<PortRange>>, test: &dyn Fn(&[PortRange]) -> Answer| match wanted {
        None => Answer::Yes,
        Some(wanted) => test(&[wanted.value]).negate(wanted.negated),
    };
    of(dport, &|ranges| destination(ranges, view)).and(|| of(sport, &|ranges| source(ranges, view)))
}

pub(super) fn test_udp(m: UdpMatch, view: &View<'_>) -> Answer {
    test_ports(Protocol::UDP, m.sport, m.dport, view)
}

pub(super) fn test_sctp(m: SctpMatch, view: &View<'_>) -> Answer {
    test_ports(Protocol::SCTP, m.sport, m.dport, view)
}

pub(super) fn test_multiport(m: &MultiportMatch, view: &View<'_>) -> Answer {
    if !view.packet.protocol.has_ports() || view.is_later_fragment() {
        return Answer::No;
    }
    match &m.ports {
        None => Answer::Yes,
        Some(MultiportPorts::Source(list)) => source(&list.value.0, view).negate(list.negated),
        Some(MultiportPorts::Destination(list)) => destination(&list.value.0, view).negate(list.negated),
        Some(MultiportPorts::Either(list)) => {
            source(&list.value.0, view).or(|| destination(&list.value.0, view)).negate(list.negated)
        }
    }
}
