use hookwalk_parser::types::{Protocol, TcpFlags};

use super::Effect;
use crate::state::View;

/// kernel: `net/ipv4/netfilter/ipt_SYNPROXY.c`, `synproxy_tg4`. A SYN is answered in the server's place,
/// and so is the ACK that follows: when its cookie is right the kernel opens the connection to the server
/// itself. Neither packet goes on.
pub(super) fn apply(view: &View<'_>) -> Effect {
    let flags = view.packet.tcp_flags;
    let has = |flag| flags.contains(flag);
    if view.packet.protocol != Protocol::TCP || has(TcpFlags::FIN) || has(TcpFlags::RST) {
        return Effect::Continue;
    }
    match (has(TcpFlags::SYN), has(TcpFlags::ACK)) {
        (true, false) if view.answer_has_route(true) => {
            Effect::Answered("SYNPROXY answers the SYN in the server's place")
        }
        (true, false) => Effect::Stolen("the answer of SYNPROXY has no way back"),
        (false, true) => {
            Effect::Stolen("SYNPROXY takes the ACK and opens the connection itself, if its cookie is right")
        }
        _ => Effect::Continue,
    }
}
