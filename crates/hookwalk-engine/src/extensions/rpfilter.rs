use hookwalk_parser::extensions::RpfilterMatch;

use crate::host::{RouteKey, Routed};
use crate::packet::InterfaceName;
use crate::question::Question;
use crate::state::{Answer, View};

/// Whether an answer to the sender would leave by the interface that the packet came by
/// (kernel: `net/ipv4/netfilter/ipt_rpfilter.c`, `rpfilter_mt`).
pub(super) fn test(m: &RpfilterMatch, view: &View<'_>) -> Answer {
    let state = view.state;
    let Some(interface) = view.in_interface().filter(|name| *name != InterfaceName::LOOPBACK) else {
        return Answer::Yes.negate(m.invert);
    };
    let routing = view.host.routing();
    let unknown = || {
        let text = if m.loose {
            format!("there is a route back to {}", state.src)
        } else {
            format!("the way back to {} is by `{interface}`", state.src)
        };
        view.ask(Question::Opaque { text, seen: state.rewrites })
    };
    let passes = if view.host.is_local(state.src) == Some(true) {
        m.accept_local.into()
    } else if routing.is_known() {
        let mark = if m.validmark { state.mark } else { 0 };
        let key = RouteKey { src: state.dst, dst: state.src, mark, in_interface: InterfaceName::LOOPBACK };
        match routing.route(&key) {
            Routed::Forward(_) if m.loose => Answer::Yes,
            Routed::Forward(hop) => hop.interface.map_or_else(unknown, |out| (out == interface).into()),
            Routed::Local => m.accept_local.into(),
            Routed::Broadcast | Routed::Refused(_) => Answer::No,
            Routed::Unknown => unknown(),
        }
    } else {
        unknown()
    };
    passes.negate(m.invert)
}
