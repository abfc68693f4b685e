use std::net::IpAddr;

use hookwalk_parser::extensions::{AddressType, RejectTarget, RejectWith};
use hookwalk_parser::types::{Family, Protocol, TcpFlags};

use super::Effect;
use crate::packet::PacketState;
use crate::question::{Field, Question, Ranges};
use crate::state::{Checksum, State, View};

/// kernel: `net/ipv4/netfilter/nf_reject_ipv4.c`. Some packets get no answer and are just dropped.
pub(super) fn apply(t: RejectTarget, state: &mut State, view: &View<'_>) -> Effect {
    let family = Family::of(state.dst);
    let with = t.with.unwrap_or(match family {
        Family::V4 => RejectWith::IcmpPortUnreachable,
        Family::V6 => RejectWith::Icmp6PortUnreachable,
    });
    if with == RejectWith::TcpReset {
        let is_answered = view.answer_has_route(true) && !is_to_many(state, view);
        if view.is_later_fragment() || !is_answered || is_checksum_off(view) {
            return Effect::Drop;
        }
        let kind = view.host.address_type(state.dst);
        let back_to_group = state.src.is_multicast() && kind != Some(AddressType::Local);
        let is_host = |address: IpAddr| !address.is_multicast() && !address.is_unspecified();
        let answers = view.packet.protocol == Protocol::TCP
            && (family == Family::V4 || is_host(state.src) && is_host(state.dst))
            && !view.packet.tcp_flags.contains(TcpFlags::RST)
            && !back_to_group;
        return if answers { Effect::Reject(with) } else { Effect::Drop };
    }
    match is_told(state, view) {
        Ok(true) if is_checksum_off(view) => Effect::Drop,
        Ok(true) => Effect::Reject(with),
        Ok(false) => Effect::Drop,
        Err(question) => Effect::Ask(question),
    }
}

/// Who has sent what is damaged is not known for sure. Where connection tracking has looked at what arrived it has
/// found it in order, before any rule; what a process sends it does not look at. Of TCP and UDP the sum is made as the
/// packet leaves, of ICMPv6 before any rule (kernel: `net/ipv6/netfilter/nf_reject_ipv6.c`, `nf_reject_v6_csum_ok`).
fn is_checksum_off(view: &View<'_>) -> bool {
    let state = view.state;
    let is_sent_here = view.is_sent_here() || state.looped_back;
    let is_summed = match view.packet.protocol {
        Protocol::ICMPV6 => true,
        Protocol::TCP | Protocol::UDP => !is_sent_here,
        _ => false,
    };
    let is_tracked = view.tracks && state.tracked && state.tracking != PacketState::Untracked;
    // What it took for invalid it looks at when that comes in again.
    let comes_back_right = state.looped_back && state.checksum != Checksum::CameBackOff;
    let is_seen_anew = comes_back_right && state.tracking == PacketState::Invalid;
    let was_seen = is_tracked && (!is_sent_here || is_seen_anew);
    state.checksum != Checksum::Right && is_summed && !was_seen
}

/// Whether the sender of a packet gets an ICMP error about it.
pub(super) fn is_told(state: &State, view: &View<'_>) -> Result<bool, Question> {
    if view.is_later_fragment() || !view.answer_has_route(false) || is_to_many(state, view) {
        return Ok(false);
    }
    // Nobody in particular has an anycast or multicast address or `::`, so it gets no ICMP error (RFC 4443, 2.4).
    let is_nobody = state.src.is_ipv6() && (state.src.is_multicast() || state.src.is_unspecified());
    if is_nobody || view.is_from_anycast() {
        return Ok(false);
    }
    is_icmp_error(view).map(|is_error| !is_error)
}

fn is_to_many(state: &State, view: &View<'_>) -> bool {
    matches!(view.host.address_type(state.dst), Some(AddressType::Broadcast | AddressType::Multicast))
}

/// Errors are not answered by errors (RFC 1122, 3.2.2; RFC 4443, 2.4).
fn is_icmp_error(view: &View<'_>) -> Result<bool, Question> {
    let errors: &[(u32, u32)] = match view.packet.protocol {
        Protocol::ICMP => &[(3, 5), (11, 12)],
        Protocol::ICMPV6 => &[(0, 127)],
        _ => return Ok(false),
    };
    match view.packet.icmp_type {
        Some(known) => Ok(errors.iter().any(|&(first, last)| (first..=last).contains(&u32::from(known)))),
        None => {
            let wanted = Ranges::new(errors.iter().map(|&(first, last)| (first << 8, (last << 8) + 0xff)));
            let question = Question::Number { field: Field::IcmpTypeAndCode, wanted };
            view.known(&question).ok_or(question)
        }
    }
}
