//! Ports, as several matches look at them.

use hookwalk_parser::types::{Negatable, PortRange, Protocol};

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

/// Whether a port lies in one of some ranges.
pub(super) fn in_ranges(port: Option<u16>, ranges: &[PortRange], field: Field, view: &View<'_>) -> Answer {
    match port {
        Some(port) => ranges.iter().any(|range| range.contains(port)).into(),
        None => view.ask(Question::Number { field, wanted: Ranges::ports(ranges) }),
    }
}

/// Whether the source port lies in one of some ranges.
pub(super) fn source(ranges: &[PortRange], view: &View<'_>) -> Answer {
    in_ranges(view.state.sport, ranges, view.state.source_port_field(), view)
}

/// Whether the destination port lies in one of some ranges.
pub(super) fn destination(ranges: &[PortRange], view: &View<'_>) -> Answer {
    in_ranges(view.state.dport, ranges, view.state.destination_port_field(), view)
}

/// `--sport` and `--dport` of one protocol; a later fragment has no header to look at.
pub(super) fn test(
    protocol: Protocol,
    sport: Option<Negatable<PortRange>>,
    dport: Option<Negatable<PortRange>>,
    view: &View<'_>,
) -> Answer {
    if view.packet.protocol != protocol {
        return Answer::No;
    }
    if view.is_later_fragment() {
        return of_fragment(protocol, sport.is_some() || dport.is_some(), view);
    }
    let of = |wanted: Option<Negatable<PortRange>>, test: &dyn Fn(&[PortRange]) -> Answer| match wanted {
        None => Answer::Yes,
        Some(wanted) => test(&[wanted.value]).negate(wanted.negated),
    };
    of(dport, &|ranges| destination(ranges, view)).and(|| of(sport, &|ranges| source(ranges, view)))
}

/// A later fragment has no header. The nft backend's own TCP and UDP matches read its data as one all the
/// same; without a port to look at they hold for every packet of the protocol.
fn of_fragment(protocol: Protocol, asks_ports: bool, view: &View<'_>) -> Answer {
    match (view.is_nft && matches!(protocol, Protocol::TCP | Protocol::UDP), asks_ports) {
        (true, true) => {
            let text = "the fragment's data read as ports are those that the rule asks for".to_owned();
            view.ask(Question::Opaque { text, seen: view.rule_id.0 })
        }
        (true, false) => Answer::Yes,
        (false, _) => Answer::No,
    }
}
