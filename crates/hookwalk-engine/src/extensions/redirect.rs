use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::RedirectTarget;
use hookwalk_parser::types::{Family, NatRange};

use super::{Effect, dnat};
use crate::program::Hook;
use crate::state::{State, View};

/// Whether an address may stand in for another one: in IPv6 one for a link, a site, or one of the old
/// IPv4-compatible kind wants its like (`nf_nat_redirect_ipv6_usable`).
fn is_of_reach(own: IpAddr, dst: IpAddr) -> bool {
    let (IpAddr::V6(own), IpAddr::V6(dst)) = (own, dst) else { return true };
    let wanted = reach(dst);
    wanted == Reach::Global || wanted == reach(own)
}

/// What the kernel's `ipv6_addr_scope` tells apart.
#[derive(PartialEq, Eq)]
enum Reach {
    Node,
    Link,
    Site,
    Compatible,
    Global,
}

fn reach(address: Ipv6Addr) -> Reach {
    let [first, second, ..] = address.octets();
    match (first, second) {
        (0xff, group) => match group & 0xf {
            1 => Reach::Node,
            2 => Reach::Link,
            5 => Reach::Site,
            _ => Reach::Global,
        },
        (0xfe, 0x80..=0xbf) => Reach::Link,
        (0xfe, 0xc0..) => Reach::Site,
        _ if address.is_loopback() => Reach::Node,
        _ if address.to_bits() >> 32 == 0 && !address.is_unspecified() => Reach::Compatible,
        _ => Reach::Global,
    }
}

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
        let Some(mut of_it) = view.in_interface().and_then(|name| view.host.addresses_of(name)) else {
            return Effect::Unknown(
                "REDIRECT goes to an address of the in interface, which is not known".to_owned(),
            );
        };
        let is_meant = |own: &&crate::host::InterfaceAddress| {
            Family::of(own.address()) == family && is_of_reach(own.address(), state.dst)
        };
        match of_it.find(is_meant) {
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
    state.rewritten_destination(before, view.draws_id(t.random), view.rule_id);
    Effect::Accept
}
