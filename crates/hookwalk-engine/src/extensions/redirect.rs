use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::RedirectTarget;
use hookwalk_parser::types::{Family, NatRange};

use super::{Effect, dnat};
use crate::program::Hook;
use crate::state::{State, View};

/// kernel: `net/netfilter/nf_nat_redirect.c`. Locally sent packets go to loopback; others to the first
/// address of the interface they came in by, and are dropped when it has none.
pub(super) fn apply(t: RedirectTarget, state: &mut State, view: &View<'_>) -> Effect {
    let family = Family::of(state.dst);
    let address = if view.hook == Hook::Output {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Family::V6 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        }
    } else {
        let (Some(all), Some(interface)) = (view.host.interface_addresses(), view.in_interface()) else {
            return Effect::Unknown(
                "REDIRECT goes to an address of the in interface, which is not known".to_owned(),
            );
        };
        let of_it = |own: &&crate::host::InterfaceAddress| {
            own.interface == interface && Family::of(own.address()) == family
        };
        match all.iter().find(of_it) {
            Some(first) => first.address(),
            None => return Effect::Drop,
        }
    };
    let to = NatRange { ports: t.to_ports.map(|ports| ports.0), ..NatRange::default() };
    if let Err(question) = dnat::is_rewrite_known(address, to, state, view) {
        return Effect::Ask(question);
    }
    let before = (state.dst, state.dport);
    state.dst = address;
    if view.packet.protocol.has_ports() {
        dnat::destination_port(to, t.random, state);
    }
    state.rewritten_destination(before, view.rule_id);
    Effect::Accept
}
