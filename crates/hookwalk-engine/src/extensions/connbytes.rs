use hookwalk_parser::extensions::{ConnbytesDirection, ConnbytesMatch, ConnbytesMode, Match};

use super::ask_as_written;
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_connbytes.c`. A connection whose packets are not counted never matches, also
/// with `!`; a rule of this kind turns counting on for the connections that come after it.
pub(super) fn test(m: &ConnbytesMatch, options: &Match, view: &View<'_>) -> Answer {
    let (Some(amount), Some(mode), Some(direction)) = (m.amount, m.mode, m.direction) else {
        return Answer::Yes;
    };
    if !view.state.has_connection() {
        return Answer::No;
    }
    let ask = || ask_as_written(options, view.state.rewrites, view);
    let [mut original, mut reply] = match (view.entry(), view.connection) {
        (Some(entry), _) => match entry.counters {
            Some(counters) => counters,
            None => return Answer::No,
        },
        (None, None) => [(0, 0); 2],
        (None, Some(_)) => return ask(),
    };
    // The packet itself is counted before any rule sees it.
    let own = if view.is_reply() { &mut reply } else { &mut original };
    own.0 += 1;
    let needs_bytes = mode != ConnbytesMode::Packets;
    match view.packet.length {
        Some(length) => own.1 += u64::from(length),
        None if needs_bytes => return ask(),
        None => {}
    }
    let (packets, bytes) = match direction {
        ConnbytesDirection::Original => original,
        ConnbytesDirection::Reply => reply,
        ConnbytesDirection::Both => (original.0 + reply.0, original.1 + reply.1),
    };
    let what = match mode {
        ConnbytesMode::Packets => packets,
        ConnbytesMode::Bytes => bytes,
        ConnbytesMode::AveragePacket => bytes.checked_div(packets).unwrap_or(0),
    };
    amount.holds(|range| range.0.contains(what)).into()
}
