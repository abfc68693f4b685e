use hookwalk_parser::extensions::SnatTarget;

use super::{Effect, masquerade};
use crate::state::{State, View};

/// kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_setup_info`.
pub(super) fn apply(t: &SnatTarget, state: &mut State, view: &View<'_>) -> Effect {
    let address = match t.to.addresses {
        None => state.src,
        Some(range) if range.first == range.last => range.first,
        Some(range) => return Effect::Unknown(format!("SNAT chooses an address of {range} by a hash")),
    };
    let before = (state.src, state.sport);
    state.src = address;
    if view.packet.protocol.has_ports() {
        masquerade::source_port(t.to.ports, t.random || t.random_fully, state);
    }
    state.rewritten_source(before, view.rule_id);
    Effect::Accept
}
