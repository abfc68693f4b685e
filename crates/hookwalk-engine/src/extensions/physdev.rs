use hookwalk_parser::extensions::PhysdevMatch;
use hookwalk_parser::types::{InterfacePattern, Negatable};

use crate::packet::InterfaceName;
use crate::question::{BridgeFact, Question};
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_physdev.c`, `physdev_mt`. A packet that crosses no bridge matches when
/// every option is inverted.
pub(super) fn test(m: &PhysdevMatch, view: &View<'_>) -> Answer {
    let (port_in, port_out) = (view.packet.physdev_in, view.packet.physdev_out);
    let known_bridged = port_in.is_some() || port_out.is_some();
    let is_sent_here = view.is_sent_here();
    let flag = |wanted: Option<Negatable<()>>, known: Option<bool>, fact: BridgeFact| match (wanted, known) {
        (None, _) => Answer::Yes,
        (Some(wanted), Some(known)) => Answer::from(known != wanted.negated),
        (Some(wanted), None) => view.ask(Question::Bridge(fact)).negate(wanted.negated),
    };
    let name =
        |wanted: Option<Negatable<InterfacePattern>>, port: Option<InterfaceName>, side: &str| match wanted {
            None => Answer::Yes,
            Some(wanted) => match port {
                Some(port) => Answer::from(wanted.value.matches(port.as_bytes())),
                None if is_sent_here || known_bridged => Answer::No,
                None => {
                    let text = format!("the bridge port it {side} by is `{}`", wanted.value);
                    view.ask(Question::Opaque { text, seen: 0 })
                }
            }
            .negate(wanted.negated),
        };
    let came_in =
        if port_in.is_some() { Some(true) } else { (is_sent_here || known_bridged).then_some(false) };
    let goes_out = if port_out.is_some() { Some(true) } else { known_bridged.then_some(false) };
    let goes_out = if is_sent_here && !known_bridged { Some(false) } else { goes_out };
    let bridged = if known_bridged { Some(port_out.is_some()) } else { is_sent_here.then_some(false) };
    flag(m.is_in, came_in, BridgeFact::In)
        .and(|| flag(m.is_out, goes_out, BridgeFact::Out))
        .and(|| flag(m.is_bridged, bridged, BridgeFact::Bridged))
        .and(|| name(m.physdev_in, port_in, "came in"))
        .and(|| name(m.physdev_out, port_out, "leaves"))
}
