use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::{ConntrackMatch, Direction};
use hookwalk_parser::types::{ConnState, ConnStates, MaskedAddress, Negatable, PortRange, Protocol};

use super::ports;
use crate::packet::PacketState;
use crate::program::Condition;
use crate::question::{Field, Question};
use crate::state::{Answer, State, View};

/// `--ctstate`, which `-m state` spells `--state`.
pub(super) fn states(wanted: Option<Negatable<ConnStates>>, view: &View<'_>) -> Answer {
    Answer::from(wanted.is_none_or(|wanted| is_in(wanted.value, view.state) != wanted.negated))
}

/// Whether what conntrack makes of a packet is in a list of states.
pub(super) fn is_in(list: ConnStates, state: &State) -> bool {
    let holds = match state.tracking {
        PacketState::Untracked => list.contains(ConnState::Untracked),
        // What `CT` has prepared looks like a new connection (`nf_ct_get`).
        _ if state.template().is_some() => list.contains(ConnState::New),
        // In table raw conntrack has not seen the packet yet, which reads as INVALID.
        _ if !state.tracked => list.contains(ConnState::Invalid),
        PacketState::Invalid => list.contains(ConnState::Invalid),
        PacketState::New | PacketState::Second => list.contains(ConnState::New),
        PacketState::Established | PacketState::Reply => list.contains(ConnState::Established),
        PacketState::Related => list.contains(ConnState::Related),
    };
    // On the first packet the source is rewritten behind most hooks that could ask: only what loops
    // back shows it already.
    holds
        || state.has_connection()
            && (state.dnat && list.contains(ConnState::Dnat) || state.snat && list.contains(ConnState::Snat))
}

/// `--ctstate` as conditions; more is looked at in the rule.
pub(super) fn add_conditions(m: &ConntrackMatch, conditions: &mut Vec<Condition>) -> bool {
    conditions.extend(m.ctstate.map(|wanted| Condition::States(wanted.value, wanted.negated)));
    !asks_more(m)
}

fn asks_more(m: &ConntrackMatch) -> bool {
    ConntrackMatch { ctstate: None, ..*m } != ConntrackMatch::default()
}

/// kernel: `net/netfilter/xt_conntrack.c`, `conntrack_mt`. Without a connection every option but
/// `--ctstate` is false, also with `!` before it.
pub(super) fn test(m: &ConntrackMatch, view: &View<'_>) -> Answer {
    let state = view.state;
    let original = view.original_tuple();
    let by_state = states(m.ctstate, view);
    if !asks_more(m) {
        return by_state;
    }
    if state.template().is_some() {
        return by_state.and(|| of_template(m));
    }
    if !state.has_connection() {
        return Answer::No;
    }
    // The way back as far as the first packet has come, or as its connection has it.
    let reply = view.reply_tuple();
    let address = |wanted: Option<Negatable<MaskedAddress>>, address: IpAddr| {
        Answer::from(wanted.is_none_or(|w| w.holds(|net| net.contains(address))))
    };
    let port = |wanted: Option<Negatable<PortRange>>, port: Option<u16>, field: Field| match wanted {
        None => Answer::Yes,
        Some(wanted) => ports::in_ranges(port, &[wanted.value], field, view).negate(wanted.negated),
    };
    by_state
        .and(|| m.ctdir.is_none_or(|dir| (dir == Direction::Reply) == view.is_reply()).into())
        .and(|| m.ctproto.is_none_or(|wanted| wanted.holds(|p| *p == view.connection_protocol())).into())
        .and(|| address(m.ctorigsrc, original.src))
        .and(|| address(m.ctorigdst, original.dst))
        .and(|| address(m.ctreplsrc, reply.src))
        .and(|| address(m.ctrepldst, reply.dst))
        .and(|| port(m.ctorigsrcport, original.sport, Field::SourcePort))
        .and(|| port(m.ctorigdstport, original.dport, Field::DestinationPort))
        .and(|| port(m.ctreplsrcport, reply.sport, Field::DrawnPort { source: false }))
        .and(|| port(m.ctrepldstport, reply.dport, Field::DrawnPort { source: true }))
        .and(|| status(m, view))
        .and(|| match m.ctexpire {
            None => Answer::Yes,
            Some(_) => view.ask(Question::Opaque { text: "--ctexpire".to_owned(), seen: state.rewrites }),
        })
}

/// Whether a connection of the walk is one that a full table does not give up (kernel: `nf_conntrack_proto_*.c`). The
/// first packet behind an answer makes it one; of UDP only two seconds after the first, and when that was nobody tells.
fn is_assured(view: &View<'_>) -> Option<bool> {
    match view.connection_protocol() {
        _ if view.state.tracking != PacketState::Established => Some(false),
        Protocol::TCP | GRE => Some(true),
        Protocol::UDP | Protocol::UDPLITE | Protocol::SCTP | Protocol::DCCP => None,
        _ => Some(false),
    }
}

/// What a target `CT` puts in the connection's place: of no protocol, from nowhere to nowhere, and confirmed.
fn of_template(m: &ConntrackMatch) -> Answer {
    let address = |wanted: Option<Negatable<MaskedAddress>>| {
        wanted.is_none_or(|wanted| {
            wanted.holds(|net| match net {
                MaskedAddress::V4 { .. } => net.contains(Ipv4Addr::UNSPECIFIED.into()),
                MaskedAddress::V6 { .. } => net.contains(Ipv6Addr::UNSPECIFIED.into()),
            })
        })
    };
    let port =
        |wanted: Option<Negatable<PortRange>>| wanted.is_none_or(|w| w.holds(|range| range.contains(0)));
    let addresses = [m.ctorigsrc, m.ctorigdst, m.ctreplsrc, m.ctrepldst];
    let ports = [m.ctorigsrcport, m.ctorigdstport, m.ctreplsrcport, m.ctrepldstport];
    let holds = m.ctdir.is_none_or(|dir| dir == Direction::Original)
        && m.ctproto.is_none_or(|wanted| wanted.holds(|protocol| protocol.0 == 0))
        && addresses.into_iter().all(address)
        && ports.into_iter().all(port)
        && m.ctstatus.is_none_or(|wanted| wanted.holds(|status| status.0 & CONFIRMED != 0))
        && m.ctexpire.is_none_or(|wanted| wanted.holds(|range| range.first == 0));
    holds.into()
}

const GRE: Protocol = Protocol(47);

const EXPECTED: u8 = 1;
const SEEN_REPLY: u8 = 2;
const ASSURED: u8 = 4;
const CONFIRMED: u8 = 8;

/// POSTROUTING confirms a connection, which on its first packet only shows when that loops back; an
/// answer is seen, and of UDP assured only later.
fn status(m: &ConntrackMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.ctstatus else { return Answer::Yes };
    let state = view.state;
    let mut bits = 0;
    if state.looped_back || state.connection.is_some() {
        bits |= CONFIRMED;
    }
    if matches!(state.tracking, PacketState::Established | PacketState::Reply) {
        bits |= SEEN_REPLY;
    }
    let mut told = SEEN_REPLY | CONFIRMED;
    if let Some(entry) = view.entry() {
        bits |= if entry.assured { ASSURED } else { 0 };
        bits |= if entry.unreplied { 0 } else { SEEN_REPLY };
        told |= ASSURED;
    } else {
        // Nobody expected the first packet, or it would not have been NEW.
        told |= EXPECTED;
        if let Some(is) = is_assured(view) {
            (told, bits) = (told | ASSURED, bits | if is { ASSURED } else { 0 });
        }
    }
    if wanted.value.0 & bits != 0 {
        Answer::Yes.negate(wanted.negated)
    } else if wanted.value.0 & !told == 0 {
        // Also `NONE`, whose mask is empty: nothing is ever in it.
        Answer::No.negate(wanted.negated)
    } else {
        let text = format!("--ctstatus {}", wanted.value);
        view.ask(Question::Opaque { text, seen: state.rewrites }).negate(wanted.negated)
    }
}
