use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::NetmapTarget;
use hookwalk_parser::types::MaskedAddress;

use super::Effect;
use crate::program::Hook;
use crate::state::{State, View};

/// Replaces the network part: of the destination before routing, of the source behind it
/// (kernel: `net/netfilter/xt_NETMAP.c`).
pub(super) fn apply(t: &NetmapTarget, state: &mut State, view: &View<'_>) -> Effect {
    let Some(to) = t.to else { return Effect::Unknown("NETMAP without a network".to_owned()) };
    if matches!(view.hook, Hook::Prerouting | Hook::Output) {
        let before = (state.dst, state.dport);
        state.dst = mapped(state.dst, to);
        state.rewritten_destination(before, false, view.rule_id);
    } else {
        let before = (state.src, state.sport);
        state.src = mapped(state.src, to);
        state.rewritten_source(before, false, view.rule_id);
    }
    Effect::Accept
}

fn mapped(address: IpAddr, to: MaskedAddress) -> IpAddr {
    match (address, to) {
        (IpAddr::V4(own), MaskedAddress::V4 { address, mask }) => {
            Ipv4Addr::from_bits(own.to_bits() & !mask.to_bits() | address.to_bits()).into()
        }
        (IpAddr::V6(own), MaskedAddress::V6 { address, mask }) => {
            Ipv6Addr::from_bits(own.to_bits() & !mask.to_bits() | address.to_bits()).into()
        }
        (address, _) => address,
    }
}
