use std::net::IpAddr;

use hookwalk_parser::extensions::DnatTarget;
use hookwalk_parser::types::{NatRange, PortRange, Protocol};

use super::Effect;
use crate::program::RuleId;
use crate::question::{Question, Ranges};
use crate::state::{State, View};

/// kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_setup_info`.
pub(super) fn apply(t: &DnatTarget, state: &mut State, view: &View<'_>, chosen: Option<IpAddr>) -> Effect {
    let address = match (t.to.addresses, chosen) {
        (None, _) => state.dst,
        (Some(range), _) if range.first == range.last => range.first,
        (Some(_), Some(chosen)) => chosen,
        (Some(range), None) => return Effect::Choose(range),
    };
    if let Err(question) = is_rewrite_known(address, t.to, state, view) {
        return Effect::Ask(question);
    }
    let before = (state.dst, state.dport);
    set(t, address, state, view.packet.protocol);
    // Its connection has not seen what `DNPT` made: what it has as its destination already is no rewrite.
    if state.translated.any() && (state.dst, state.dport) == (view.packet.dst, view.packet.dport) {
        (state.dst, state.dport) = before;
    }
    state.rewritten_destination(before, view.draws_id(t.random || t.random_fully), view.rule_id);
    Effect::Accept
}

/// The same for one address and a port that is known, which is most often: nothing is to be asked or chosen then. False
/// where there may be.
pub(super) fn apply_plain(t: &DnatTarget, state: &mut State, protocol: Protocol, rule: RuleId) -> bool {
    match t.to.addresses {
        // ICMP has no port.
        Some(range) if range.first == range.last && state.dport.is_some() && !state.translated.any() => {
            let before = (state.dst, state.dport);
            set(t, range.first, state, protocol);
            state.rewritten_destination(before, false, rule);
            true
        }
        _ => false,
    }
}

fn set(t: &DnatTarget, address: IpAddr, state: &mut State, protocol: Protocol) {
    state.dst = address;
    if protocol.has_ports() {
        destination_port(t.to, t.random || t.random_fully, state);
    }
}

/// A rewrite to the destination that the packet has is none. Where its port is not known, that is asked.
pub(super) fn is_rewrite_known(
    address: IpAddr,
    to: NatRange,
    state: &mut State,
    view: &View<'_>,
) -> Result<(), Question> {
    let (Some(range), None) = (to.ports, state.dport) else { return Ok(()) };
    if address != state.dst || range.first != range.last || !view.packet.protocol.has_ports() {
        return Ok(());
    }
    let question =
        Question::Number { field: state.destination_port_field(), wanted: Ranges::ports(&[range]) };
    match view.known(&question) {
        Some(true) => state.dport = Some(range.first),
        Some(false) => {}
        None => return Err(question),
    }
    Ok(())
}

/// A port inside the range is kept, else it is the first of the range. With a base the distance to it is what
/// counts, whether the port is inside or not, and it wraps around in the range and below the base
/// (`nf_nat_l4proto_unique_tuple`, `NF_NAT_RANGE_PROTO_OFFSET`).
pub(super) fn destination_port(to: NatRange, random: bool, state: &mut State) {
    let Some(range) = to.ports else { return };
    if range.first == range.last {
        (state.dport, state.dport_range) = (Some(range.first), None);
    } else if random {
        (state.dport, state.dport_range) = (None, Some(range));
    } else if let Some(port) = state.dport {
        let port = match to.base_port {
            Some(base) => shifted(range, base, port),
            None if range.contains(port) => port,
            None => range.first,
        };
        (state.dport, state.dport_range) = (Some(port), None);
    } else {
        state.dport_range = Some(range);
    }
}

fn shifted(range: PortRange, base: u16, port: u16) -> u16 {
    let size = u32::from(range.last.saturating_sub(range.first)) + 1;
    let offset = u32::from(port.wrapping_sub(base)) % size;
    range.first.wrapping_add(u16::try_from(offset).unwrap_or(0))
}
