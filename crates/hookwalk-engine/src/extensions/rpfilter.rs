use hookwalk_parser::extensions::{AddressType, RpfilterMatch};

use crate::host::{RouteKey, Routed};
use crate::packet::InterfaceName;
use crate::question::Question;
use crate::state::{Answer, View};

/// Whether an answer to the sender would leave by the interface that the packet came by
/// (kernel: `net/ipv4/netfilter/ipt_rpfilter.c`, `rpfilter_mt`).
pub(super) fn test(m: &RpfilterMatch, view: &View<'_>) -> Answer {
    let state = view.state;
    let interface = view.in_interface();
    if view.is_sent_here() || interface == Some(InterfaceName::LOOPBACK) {
        return Answer::Yes.negate(m.invert);
    }
    let routing = view.host.routing();
    let unknown = || {
        let text = match interface {
            _ if m.loose => format!("there is a route back to {}", state.src),
            Some(name) => format!("the way back to {} is by `{name}`", state.src),
            None => format!("the way back to {} is by the interface it came by", state.src),
        };
        view.ask(Question::Opaque { text, seen: state.rewrites })
    };
    // The first address of a local network is anycast, but the route to it is one of this node's own addresses.
    let kind = match view.host.address_type(state.src) {
        Some(AddressType::Anycast) if routing.has_local(state.src) => Some(AddressType::Local),
        kind => kind,
    };
    let passes = if kind == Some(AddressType::Anycast) {
        // IPv6 takes no route to one (`net/ipv6/netfilter/ip6t_rpfilter.c`).
        Answer::No
    } else if kind == Some(AddressType::Local) {
        // IPv4 also wants the interface that holds the address (`rpfilter_lookup_reverse`).
        let by_it = match (routing.local_by(state.src), interface) {
            _ if m.loose || !m.accept_local || state.src.is_ipv6() => Answer::Yes,
            (Some(holder), Some(came_by)) => (holder == came_by).into(),
            _ => unknown(),
        };
        Answer::from(m.accept_local).and(|| by_it)
    } else if routing.is_known() {
        let mark = if m.validmark { state.mark } else { 0 };
        let key = RouteKey {
            src: state.dst,
            dst: state.src,
            mark,
            in_interface: InterfaceName::LOOPBACK,
            out_interface: None,
        };
        match routing.route(&key) {
            Routed::Forward(_) if m.loose => Answer::Yes,
            Routed::Forward(hop) => match (hop.interface, interface) {
                (Some(out), Some(came_by)) => (out == came_by).into(),
                _ => unknown(),
            },
            Routed::Local => m.accept_local.into(),
            Routed::Broadcast(_) | Routed::Refused(_) => Answer::No,
            Routed::Unknown => unknown(),
        }
    } else {
        unknown()
    };
    passes.negate(m.invert)
}
