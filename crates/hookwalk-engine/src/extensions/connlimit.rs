use hookwalk_parser::extensions::{ConnectionLimit, ConnlimitMatch};
use hookwalk_parser::types::Protocol;

use super::masked_to;
use crate::host::{ConnectionTuple, TrackedConnection};
use crate::question::Question;
use crate::state::{Answer, Event, HashKey, View};

/// On a host without other connections this one is the only one, whether it is tracked or not
/// (kernel: `net/netfilter/xt_connlimit.c`). A rule counts what it has met itself, so that connections
/// that were there before may or may not be among them.
pub(super) fn test(m: ConnlimitMatch, view: &View<'_>) -> Answer {
    let ask = || {
        let text = "the node has as many connections as `-m connlimit` asks for".to_owned();
        view.ask(Question::Opaque { text, seen: 0 })
    };
    let Some(limit) = m.limit else { return Answer::Yes };
    let key = key(m, view);
    let own = own(view);
    let counted = view.past.counted(view.rule_key(), &key);
    let at_least = counted.iter().filter(|known| **known != own).count() + 1;
    let holds = |count: usize| match limit {
        ConnectionLimit::Above(most) => count > most as usize,
        ConnectionLimit::Upto(most) => count <= most as usize,
    };
    if !view.table.told {
        return holds(at_least).into();
    }
    let alike = |tuple: ConnectionTuple| address(m, tuple.src, tuple.dst) == (key.src, key.dst);
    let others = view.table.iter().map(TrackedConnection::identity);
    let others = others.filter(|tuple| *tuple != own && alike(*tuple) && !counted.contains(tuple)).count();
    let at_most = at_least + others;
    if holds(at_least) == holds(at_most) { holds(at_least).into() } else { ask() }
}

pub(super) fn event(m: ConnlimitMatch, view: &View<'_>) -> Option<Event> {
    let rule = view.rule_key();
    view.state.has_connection().then(|| Event::Counted { rule, key: key(m, view), connection: own(view) })
}

fn key(m: ConnlimitMatch, view: &View<'_>) -> HashKey {
    let (src, dst) = address(m, view.state.src, view.state.dst);
    HashKey { src, dst, ..HashKey::default() }
}

fn address(
    m: ConnlimitMatch,
    src: std::net::IpAddr,
    dst: std::net::IpAddr,
) -> (Option<std::net::IpAddr>, Option<std::net::IpAddr>) {
    let mask = m.mask.unwrap_or(128);
    if m.daddr { (None, Some(masked_to(dst, mask))) } else { (Some(masked_to(src, mask)), None) }
}

fn own(view: &View<'_>) -> ConnectionTuple {
    let tuple = view.original_tuple();
    match (view.entry(), view.connection_protocol()) {
        (Some(entry), _) => entry.identity(),
        (None, Protocol::ICMP | Protocol::ICMPV6) => {
            tuple.of_icmp(view.first.icmp_id, view.first.icmp_type, view.first.icmp_code)
        }
        (None, _) => tuple,
    }
}
