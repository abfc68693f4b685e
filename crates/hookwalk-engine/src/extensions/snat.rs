use std::net::IpAddr;

use hookwalk_parser::extensions::SnatTarget;

use super::{Effect, masquerade};
use crate::state::{State, View};

/// kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_setup_info`.
pub(super) fn apply(t: &SnatTarget, state: &mut State, view: &View<'_>, chosen: Option<IpAddr>) -> Effect {
    let address = match (t.to.addresses, chosen) {
        (None, _) => state.src,
        (Some(range), _) if range.first == range.last => range.first,
        (Some(_), Some(chosen)) => chosen,
        (Some(range), None) => return Effect::Choose(range),
    };
    let before = (state.src, state.sport);
    state.src = address;
    let random = t.random || t.random_fully;
    if view.packet.protocol.has_ports() {
        masquerade::source_port(t.to.ports, random, state);
    }
    state.rewritten_source(before, view.draws_id(random), view.rule_id);
    Effect::Accept
}
