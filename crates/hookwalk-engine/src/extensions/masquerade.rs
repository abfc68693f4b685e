use hookwalk_parser::extensions::MasqueradeTarget;
use hookwalk_parser::types::PortRange;

use super::Effect;
use crate::state::{State, View};

/// kernel: `net/netfilter/nf_nat_masquerade.c`. The address is that of the out interface whose subnet
/// holds the next hop; routes' `src` hints do not count.
pub(super) fn apply(t: MasqueradeTarget, state: &mut State, view: &View<'_>) -> Effect {
    let before = (state.src, state.sport);
    match view.masquerade_address() {
        Some(address) => state.src = address,
        None => state.src_unknown = true,
    }
    let random = t.random || t.random_fully;
    if view.packet.protocol.has_ports() {
        source_port(t.to_ports.map(|ports| ports.0), random, state);
    }
    state.rewritten_source(before, view.draws_id(random), view.rule_id);
    state.masquerade = true;
    Effect::Accept
}

/// The port stays when it may; else the kernel draws one of the range, or of the class that the
/// port is of (`net/netfilter/nf_nat_core.c`, `nf_nat_l4proto_unique_tuple`).
pub(super) fn source_port(ports: Option<PortRange>, random: bool, state: &mut State) {
    let kept = |range: PortRange, port: u16| !random && range.contains(port);
    match (ports, state.sport) {
        (Some(range), _) if range.first == range.last => {
            (state.sport, state.sport_range) = (Some(range.first), None);
        }
        (Some(range), Some(port)) if kept(range, port) => {}
        (Some(range), _) => (state.sport, state.sport_range) = (None, Some(range)),
        (None, Some(port)) if random => (state.sport, state.sport_range) = (None, Some(class(port))),
        (None, _) => {}
    }
}

/// The ports that one is drawn from in place of another.
pub(crate) const fn class(port: u16) -> PortRange {
    match port {
        0..512 => PortRange { first: 1, last: 511 },
        512..1024 => PortRange { first: 600, last: 1023 },
        _ => PortRange { first: 1024, last: 65535 },
    }
}
