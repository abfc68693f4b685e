use hookwalk_parser::extensions::TproxyTarget;
use hookwalk_parser::types::Protocol;

use super::Effect;
use crate::question::Question;
use crate::state::{Answer, State, View};

/// With a transparent socket the packet gets the mark and goes on to it; without, it is dropped
/// (kernel: `net/netfilter/xt_TPROXY.c`, `tproxy_tg4`).
pub(super) fn apply(t: &TproxyTarget, state: &mut State, view: &View<'_>) -> Effect {
    if !matches!(view.packet.protocol, Protocol::TCP | Protocol::UDP) {
        return Effect::Drop;
    }
    let port = match (t.port, state.dport) {
        (Some(port), _) if port != 0 => port.to_string(),
        (_, Some(port)) => port.to_string(),
        _ => "the packet's port".to_owned(),
    };
    let address = t.address.filter(|address| !address.is_unspecified());
    let address = address.map_or_else(|| "the in interface's address".to_owned(), |a| a.to_string());
    let text = format!("a transparent socket listens at {address}, port {port}");
    match view.ask(Question::Opaque { text, seen: 0 }) {
        Answer::Ask(question) => return Effect::Ask(question),
        Answer::No => return Effect::Drop,
        _ => {}
    }
    if let Some(mark) = t.mark {
        state.mark = (state.mark & !mark.mask) ^ mark.value;
    }
    Effect::Accept
}
