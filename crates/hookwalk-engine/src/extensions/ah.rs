use std::net::IpAddr;

use hookwalk_parser::extensions::AhMatch;
use hookwalk_parser::types::Protocol;

use super::spi;
use crate::question::Question;
use crate::state::{Answer, View};

/// kernel: `net/ipv4/netfilter/ipt_ah.c`, `net/ipv6/netfilter/ip6t_ah.c`. A packet of another protocol has
/// no such header.
pub(super) fn test(m: &AhMatch, view: &View<'_>) -> Answer {
    let by_index = spi("AH", Protocol(51), m.spi, view);
    let asks_header = matches!(view.state.src, IpAddr::V6(_)) && (m.length.is_some() || m.reserved);
    by_index.and(|| {
        if !asks_header {
            return Answer::Yes;
        }
        let length = m.length.map(|length| format!(" of length {}", length.value)).unwrap_or_default();
        let text = format!("the packet has an AH header{length} as `-m ah` asks for");
        view.ask(Question::Opaque { text, seen: 0 })
    })
}
