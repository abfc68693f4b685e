//! The extension headers of IPv6. A packet here is as it is told: it has a fragment header when it is a
//! fragment, and its protocol stands behind no other header.

use hookwalk_parser::extensions::{FragMatch, Ipv6headerMatch, MhMatch};
use hookwalk_parser::types::Protocol;

use crate::question::Question;
use crate::state::{Answer, View};

/// kernel: `net/ipv6/netfilter/ip6t_frag.c`
pub(super) fn frag(m: &FragMatch, view: &View<'_>) -> Answer {
    if !view.is_fragment() {
        return Answer::No;
    }
    let packet = view.packet;
    let (first, more) = (packet.fragment_offset == 0, packet.more_fragments);
    if m.first && !first || m.more && !more || m.last && more {
        return Answer::No;
    }
    let ask = |text: String, negated: bool| view.ask(Question::Opaque { text, seen: 0 }).negate(negated);
    let id = match m.id.filter(|id| id.negated || !id.value.is_all()) {
        None => Answer::Yes,
        Some(id) => ask(format!("the id of the fragment is {}", id.value), id.negated),
    };
    // The header has 8 bytes, and its reserved fields are 0 where nobody plays.
    id.and(|| m.length.is_none_or(|length| length.holds(|length| *length == 8)).into())
}

const NONEXT: Protocol = Protocol(59);
const AH: Protocol = Protocol(51);
const ESP: Protocol = Protocol(50);

/// kernel: `net/ipv6/netfilter/ip6t_ipv6header.c`
pub(super) fn ipv6header(m: &Ipv6headerMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.headers else { return Answer::Yes };
    let last = match view.packet.protocol {
        NONEXT => 2,
        ESP => 4,
        AH => 8 | 1,
        _ => 1,
    };
    let present: u8 = last | if view.is_fragment() { 16 } else { 0 };
    let bits = wanted.value.0;
    if m.soft {
        // With `!` none of them may be there.
        let inverted = if wanted.negated { bits } else { 0 };
        return Answer::from((present ^ bits ^ inverted) & bits == 0);
    }
    Answer::from((present == bits) != wanted.negated)
}

/// kernel: `net/ipv6/netfilter/ip6t_mh.c`
pub(super) fn mh(m: &MhMatch, view: &View<'_>) -> Answer {
    const MOBILITY: Protocol = Protocol(135);
    if view.packet.protocol != MOBILITY || view.is_later_fragment() {
        return Answer::No;
    }
    match m.kind {
        None => Answer::Yes,
        Some(kind) => {
            let text = format!("the type of the mobility header is {}", kind.value);
            view.ask(Question::Opaque { text, seen: 0 }).negate(kind.negated)
        }
    }
}
