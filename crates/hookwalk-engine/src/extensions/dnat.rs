use hookwalk_parser::extensions::DnatTarget;
use hookwalk_parser::types::{NatRange, PortRange};

use super::Effect;
use crate::state::{State, View};

/// kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_setup_info`.
pub(super) fn apply(t: &DnatTarget, state: &mut State, view: &View<'_>) -> Effect {
    let address = match t.to.addresses {
        None => state.dst,
        Some(range) if range.first == range.last => range.first,
        Some(range) => return Effect::Unknown(format!("DNAT chooses an address of {range} by a hash")),
    };
    let before = (state.dst, state.dport);
    state.dst = address;
    if view.packet.protocol.has_ports() {
        destination_port(t.to, t.random || t.random_fully, state);
    }
    state.rewritten_destination(before, view.rule_id);
    Effect::Accept
}

/// A port inside the range is kept; else the first of the range, or the one that `base` shifts to.
pub(super) fn destination_port(to: NatRange, random: bool, state: &mut State) {
    let Some(range) = to.ports else { return };
    if range.first == range.last {
        (state.dport, state.dport_range) = (Some(range.first), None);
    } else if random {
        (state.dport, state.dport_range) = (None, Some(range));
    } else if let Some(port) = state.dport {
        let port = if range.contains(port) { port } else { shifted(range, to.base_port, port) };
        (state.dport, state.dport_range) = (Some(port), None);
    } else {
        state.dport_range = Some(range);
    }
}

fn shifted(range: PortRange, base: Option<u16>, port: u16) -> u16 {
    let Some(base) = base else { return range.first };
    match port.checked_sub(base).and_then(|offset| range.first.checked_add(offset)) {
        Some(port) if range.contains(port) => port,
        _ => range.first,
    }
}
