use std::net::IpAddr;

use hookwalk_parser::extensions::{ConntrackMatch, Direction};
use hookwalk_parser::types::{ConnState, ConnStates, MaskedAddress, Negatable, PortRange};

use super::ports;
use crate::packet::PacketState;
use crate::question::{Field, Question};
use crate::state::{Answer, View};

/// `--ctstate`, which `-m state` spells `--state`.
pub(super) fn states(wanted: Option<Negatable<ConnStates>>, view: &View<'_>) -> Answer {
    let Some(wanted) = wanted else { return Answer::Yes };
    let list = wanted.value;
    let holds = match view.state.tracking {
        PacketState::New => list.contains(ConnState::New),
        PacketState::Invalid => list.contains(ConnState::Invalid),
        PacketState::Untracked => list.contains(ConnState::Untracked),
    };
    // The source is rewritten behind most hooks that could ask: only what loops back shows it already.
    let nat = view.state.tracking == PacketState::New
        && (view.state.dnat && list.contains(ConnState::Dnat)
            || view.state.snat && list.contains(ConnState::Snat));
    Answer::from((holds || nat) != wanted.negated)
}

/// kernel: `net/netfilter/xt_conntrack.c`, `conntrack_mt`. Without a connection every option but
/// `--ctstate` is false, also with `!` before it.
pub(super) fn test(m: &ConntrackMatch, view: &View<'_>) -> Answer {
    let state = view.state;
    let packet = view.packet;
    let by_state = states(m.ctstate, view);
    let asks_more = ConntrackMatch { ctstate: None, ..*m } != ConntrackMatch::default();
    if !asks_more {
        return by_state;
    }
    if state.tracking != PacketState::New {
        return Answer::No;
    }
    let address = |wanted: Option<Negatable<MaskedAddress>>, address: IpAddr| {
        Answer::from(wanted.is_none_or(|w| w.holds(|net| net.contains(address))))
    };
    let port = |wanted: Option<Negatable<PortRange>>, port: Option<u16>, field: Field| match wanted {
        None => Answer::Yes,
        Some(wanted) => ports::in_ranges(port, &[wanted.value], field, view).negate(wanted.negated),
    };
    by_state
        .and(|| m.ctdir.is_none_or(|dir| dir == Direction::Original).into())
        .and(|| m.ctproto.is_none_or(|wanted| wanted.holds(|p| *p == packet.protocol)).into())
        .and(|| address(m.ctorigsrc, packet.src))
        .and(|| address(m.ctorigdst, packet.dst))
        .and(|| address(m.ctreplsrc, state.dst))
        .and(|| address(m.ctrepldst, state.src))
        .and(|| port(m.ctorigsrcport, packet.sport, Field::SourcePort))
        .and(|| port(m.ctorigdstport, packet.dport, Field::DestinationPort))
        .and(|| port(m.ctreplsrcport, state.dport, state.destination_port_field()))
        .and(|| port(m.ctrepldstport, state.sport, state.source_port_field()))
        .and(|| status(m, view))
        .and(|| match m.ctexpire {
            None => Answer::Yes,
            Some(_) => view.ask(Question::Opaque { text: "--ctexpire".to_owned(), seen: state.rewrites }),
        })
}

/// The first packet of a connection has not been answered; POSTROUTING confirms it, which only a packet
/// that loops back can show.
fn status(m: &ConntrackMatch, view: &View<'_>) -> Answer {
    const EXPECTED: u8 = 1;
    match m.ctstatus {
        None => Answer::Yes,
        Some(wanted) if wanted.value.0 & EXPECTED != 0 => {
            let text = format!("--ctstatus {}", wanted.value);
            view.ask(Question::Opaque { text, seen: view.state.rewrites }).negate(wanted.negated)
        }
        Some(wanted) if wanted.value.0 == 0 => Answer::from(!view.state.dnat).negate(wanted.negated),
        Some(wanted) => {
            const CONFIRMED: u8 = 8;
            let confirmed = view.state.looped_back && wanted.value.0 & CONFIRMED != 0;
            Answer::from(confirmed).negate(wanted.negated)
        }
    }
}
