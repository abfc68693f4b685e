use std::net::IpAddr;

use hookwalk_parser::extensions::RecentMatch;

use super::masked;
use crate::program::Hook;
use crate::state::{Answer, Event, RecentUse, View};

/// A list holds what this packet and, in a session, earlier ones put there
/// (kernel: `net/netfilter/xt_recent.c`, `recent_mt`).
pub(super) fn test(m: &RecentMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = wanted(m, view) else { return Answer::Yes };
    view.memory.recent_holds(view.state.memory, view.past, &wanted).into()
}

/// What the match does to its list when it was asked.
pub(super) fn event(m: &RecentMatch, view: &View<'_>) -> Option<Event> {
    wanted(m, view).map(Event::Recent)
}

fn wanted(m: &RecentMatch, view: &View<'_>) -> Option<RecentUse> {
    let address = if m.rdest { view.state.dst } else { view.state.src };
    let address = match m.mask {
        Some(IpAddr::V4(mask)) => masked(address, mask.to_bits(), u128::MAX),
        Some(IpAddr::V6(mask)) => masked(address, u32::MAX, mask.to_bits()),
        None => address,
    };
    // What is forwarded counts with the TTL that it came with.
    let forwarded = matches!(view.hook, Hook::Forward | Hook::Postrouting) && !view.is_sent_here();
    RecentUse::new(m, address, view.state.ttl.saturating_add(u8::from(forwarded)))
}
