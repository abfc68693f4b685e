use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::{RecentAction, RecentMatch};

use crate::state::{Answer, Event, View};

/// On a host that has seen nothing else a list holds what this very packet put there
/// (kernel: `net/netfilter/xt_recent.c`, `recent_mt`).
pub(super) fn test(m: &RecentMatch, view: &View<'_>) -> Answer {
    let Some(action) = m.action else { return Answer::Yes };
    let seen = view.memory.listed(view.state.memory, &m.list(), address(m, view));
    let holds = match action.value {
        RecentAction::Set => true,
        RecentAction::Remove => seen > 0,
        RecentAction::Rcheck | RecentAction::Update => seen > 0 && seen >= m.hitcount.unwrap_or(0),
    };
    Answer::from(holds).negate(action.negated)
}

/// What the match does to its list when it was asked.
pub(super) fn event(m: &RecentMatch, view: &View<'_>) -> Option<Event> {
    let (list, address) = (m.list(), address(m, view));
    match m.action?.value {
        RecentAction::Set => Some(Event::Listed { list, address }),
        RecentAction::Update if test(m, view) == Answer::Yes => Some(Event::Listed { list, address }),
        RecentAction::Remove => Some(Event::Unlisted { list, address }),
        _ => None,
    }
}

/// The address that is looked up, masked.
fn address(m: &RecentMatch, view: &View<'_>) -> IpAddr {
    let address = if m.rdest { view.state.dst } else { view.state.src };
    match (address, m.mask) {
        (IpAddr::V4(own), Some(IpAddr::V4(mask))) => {
            Ipv4Addr::from_bits(own.to_bits() & mask.to_bits()).into()
        }
        (IpAddr::V6(own), Some(IpAddr::V6(mask))) => {
            Ipv6Addr::from_bits(own.to_bits() & mask.to_bits()).into()
        }
        (address, _) => address,
    }
}
