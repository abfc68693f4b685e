use hookwalk_parser::extensions::{SetDirection, SetMatch};

use crate::question::Question;
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_set.c`. A set whose contents are known is of one dimension, an address;
/// further flags of the rule are ignored as the kernel ignores them.
pub(super) fn test(m: &SetMatch, view: &View<'_>) -> Answer {
    let Some(reference) = &m.match_set else { return Answer::Yes };
    let state = view.state;
    let plain_lookup = m.packets.is_none() && m.bytes.is_none() && !m.return_nomatch;
    let first = reference.value.dimensions.0.first().copied().unwrap_or(SetDirection::Src);
    let address = match first {
        SetDirection::Src => state.src,
        SetDirection::Dst => state.dst,
    };
    let set = view.host.set(&reference.value.name).filter(|_| plain_lookup && !state.sets_changed);
    let answer = match set.and_then(|set| set.lookup(address)) {
        Some(holds) => holds.into(),
        None => {
            let port = |port: Option<u16>| port.map_or_else(|| "?".to_owned(), |port| port.to_string());
            let parts = reference.value.dimensions.0.iter().enumerate().map(|(at, direction)| {
                match (at, direction) {
                    (0, SetDirection::Src) => state.src.to_string(),
                    (0, SetDirection::Dst) => state.dst.to_string(),
                    // Without the set's type a further dimension is a port in all but rare sets.
                    (_, SetDirection::Src) => format!("{}:{}", view.packet.protocol, port(state.sport)),
                    (_, SetDirection::Dst) => format!("{}:{}", view.packet.protocol, port(state.dport)),
                }
            });
            let element = parts.collect::<Vec<_>>().join(",");
            view.ask(Question::SetHolds { set: reference.value.name.clone(), element })
        }
    };
    answer.negate(reference.negated)
}
