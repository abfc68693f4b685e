//! When each match holds and what each target does, one file each; the text side of the same name
//! is in the parser.
//!
//! To add one, write its file and name it in the two tables below.

mod addrtype;
mod ah;
mod cgroup;
mod cluster;
mod connbytes;
mod connlabel;
mod connlimit;
mod connmark;
mod conntrack;
mod ct;
mod dccp;
mod dnat;
mod dscp;
mod ecn;
mod esp;
mod eui64;
mod hashlimit;
mod headers6;
mod helper;
mod hl;
mod icmp;
mod icmp6;
mod ipcomp;
mod iprange;
pub(crate) mod jhash;
mod length;
mod limit;
mod mac;
mod mark;
pub(crate) mod masquerade;
mod multiport;
mod netmap;
mod nfqueue;
mod npt;
mod owner;
mod physdev;
mod pkttype;
mod policy;
mod ports;
mod quota;
mod recent;
mod redirect;
mod reject;
mod rpfilter;
mod sctp;
mod set;
mod set_connmark;
mod set_dscp;
mod set_hl;
mod set_mark;
mod set_tos;
mod set_ttl;
mod snat;
mod state;
mod statistic;
mod synproxy;
mod tcp;
mod tcpmss;
mod time;
mod tos;
mod tproxy;
mod ttl;
mod udp;
mod udplite;

use std::hash::{Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::Rule;
use hookwalk_parser::extensions::{Match, SetDirection, SetReference, StatisticMode, Target, UnknownPart};
use hookwalk_parser::types::{AddressRange, ConnStates, Negatable, NumberRange, Protocol};

use crate::program::{Condition, RuleId};
use crate::question::Question;
use crate::state::{Answer, Event, Granted, State, Translated, View};

/// What a target makes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The packet goes on to the next rule.
    Continue,
    /// The table is done with the packet.
    Accept,
    Drop,
    Reject(hookwalk_parser::extensions::RejectWith),
    /// A program decides.
    Queue,
    /// The kernel itself takes the packet, for a reason.
    Stolen(&'static str),
    /// It does, and sends an answer.
    Answered(&'static str),
    /// A hash of the packet picks one of these addresses; the target is then asked with each.
    Choose(AddressRange),
    /// It depends on what nobody said.
    Ask(Question),
    /// What happens cannot be told.
    Unknown(String),
}

/// Whether a match holds.
pub(crate) fn test(candidate: &Match, view: &View<'_>) -> Answer {
    match candidate {
        Match::Addrtype(m) => addrtype::test(m, view),
        Match::Ah(m) => ah::test(m, view),
        Match::Cgroup(m) => cgroup::test(m, candidate, view),
        Match::Cluster(m) => cluster::test(m, view),
        Match::Connbytes(m) => connbytes::test(m, candidate, view),
        Match::Connlabel(m) => connlabel::test(m, candidate, view),
        Match::Dccp(m) => dccp::test(m, view),
        // A packet here has no such header.
        Match::Dst(_) | Match::Hbh(_) | Match::Rt(_) | Match::Srh(_) => Answer::No,
        Match::Ecn(m) => ecn::test(m, view),
        Match::Esp(m) => esp::test(m, view),
        Match::Eui64(_) => eui64::test(view),
        Match::Frag(m) => headers6::frag(m, view),
        Match::Helper(m) => helper::test(m, candidate, view),
        Match::Ipcomp(m) => ipcomp::test(m, view),
        Match::Ipv6header(m) => headers6::ipv6header(m, view),
        Match::Mh(m) => headers6::mh(m, view),
        Match::Pkttype(m) => pkttype::test(m, view),
        Match::Policy(m) => policy::test(m, candidate, view),
        Match::Tcpmss(m) => tcpmss::test(m, candidate, view),
        Match::Time(m) => time::test(m, candidate, view),
        // An nfacct object is true without a quota, and kube-proxy's have none.
        Match::Comment(_) | Match::Nfacct(_) => Answer::Yes,
        Match::Connlimit(m) => connlimit::test(*m, view),
        Match::Connmark(m) => connmark::test(*m, view),
        Match::Conntrack(m) => conntrack::test(m, view),
        Match::Dscp(m) => dscp::test(m, view),
        Match::Hashlimit(m) => hashlimit::test(m, candidate, view),
        Match::Hl(m) => hl::test(m, view),
        Match::Icmp(m) => icmp::test(*m, view),
        Match::Icmp6(m) => icmp6::test(*m, view),
        Match::Iprange(m) => iprange::test(m, view),
        Match::Length(m) => length::test(m, view),
        Match::Limit(m) => limit::test(*m, view),
        Match::Mac(m) => mac::test(m, view),
        Match::Mark(m) => mark::test(*m, view),
        Match::Multiport(m) => multiport::test(m, view),
        Match::Owner(m) => owner::test(m, view),
        Match::Physdev(m) => physdev::test(m, view),
        Match::Quota(m) => quota::test(m, view),
        Match::Recent(m) => recent::test(m, view),
        Match::Rpfilter(m) => rpfilter::test(m, view),
        Match::Sctp(m) => sctp::test(m, view),
        Match::Set(m) => set::test(m, view),
        Match::State(m) => state::test(*m, view),
        Match::Statistic(m) => statistic::test(*m, view),
        Match::Tcp(m) => tcp::test(m, view),
        Match::Tos(m) => tos::test(m, view),
        Match::Ttl(m) => ttl::test(m, view),
        Match::Udp(m) => udp::test(m, view),
        Match::Udplite(m) => udplite::test(m, view),
        Match::Unknown(part) => unknown(part, view),
        Match::Bpf(_) | Match::String(_) | Match::U32(_) => {
            // They see the header too, and nothing else of what changes on the way.
            let State { src, dst, sport, dport, ttl, tos, .. } = *view.state;
            let mut hasher = rustc_hash::FxHasher::default();
            (src, dst, sport, dport, ttl, tos).hash(&mut hasher);
            let seen = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
            ask_as_written(candidate, seen, view)
        }
        // One takes the packet all the way, whatever changes in it.
        Match::Cpu(_) => ask_as_written(candidate, 0, view),
        other => ask_as_written(other, view.state.rewrites, view),
    }
}

/// Whether a match holds that nothing decides. One that is negated as a whole is the other answer to the question
/// that the plain one asks.
fn ask_as_written(candidate: &Match, seen: u32, view: &View<'_>) -> Answer {
    let is_one_condition = match candidate {
        Match::Bpf(_)
        | Match::Cgroup(_)
        | Match::Connbytes(_)
        | Match::Connlabel(_)
        | Match::Cpu(_)
        | Match::Helper(_)
        | Match::Osf(_)
        | Match::Realm(_)
        | Match::String(_)
        | Match::Tcpmss(_)
        | Match::U32(_) => true,
        other => other.options().len() == 1,
    };
    let is_negated = is_one_condition && candidate.options().iter().any(|option| option.negated);
    let mut text = opaque_text(candidate);
    if is_negated {
        text = text.replacen(" ! ", " ", 1);
    }
    view.ask(Question::Opaque { text, seen }).negate(is_negated)
}

/// Adds what a match asks as conditions that need no look at the rule; returns whether they tell all of
/// it. A match that adds none is always looked at.
pub(crate) fn add_conditions(candidate: &Match, conditions: &mut Vec<Condition>) -> bool {
    match candidate {
        Match::Comment(_) | Match::Nfacct(_) => true,
        Match::Conntrack(m) => conntrack::add_conditions(m, conditions),
        Match::Mark(m) => mark::add_conditions(*m, conditions),
        Match::Sctp(m) => sctp::add_conditions(m, conditions),
        Match::State(m) => state::add_conditions(*m, conditions),
        Match::Statistic(m) => statistic::add_conditions(*m, conditions),
        Match::Tcp(m) => tcp::add_conditions(m, conditions),
        Match::Udp(m) => udp::add_conditions(m, conditions),
        _ => false,
    }
}

/// Whether what conntrack makes of a packet is in a list of states.
pub(crate) fn is_in_states(list: ConnStates, state: &State) -> bool {
    conntrack::is_in(list, state)
}

/// What a rule asks about the source, as it is written; none when it asks nothing.
pub(crate) fn about_source(rule: &Rule) -> Option<String> {
    let base = rule.base.source().map(|source| {
        let not = if source.negated { "not " } else { "" };
        format!("the source that MASQUERADE chose is {not}in {}", source.value)
    });
    let matches =
        rule.matches.iter().filter(|m| asks_source(m)).map(|m| format!("`{}` holds", opaque_text(m)));
    let texts: Vec<String> = base.into_iter().chain(matches).collect();
    (!texts.is_empty()).then(|| texts.join(" and "))
}

/// Whether a match looks at the source address itself, not only at whether it is this node's.
pub(crate) fn asks_source(candidate: &Match) -> bool {
    match candidate {
        Match::Iprange(m) => m.source.is_some(),
        Match::Set(m) => {
            let source = |set: &SetReference| set.dimensions.0.contains(&SetDirection::Src);
            m.match_set.as_ref().is_some_and(|set| source(&set.value))
        }
        _ => false,
    }
}

/// What a match with a memory keeps of having been asked; the matches before it on the rule held.
pub(crate) fn event(candidate: &Match, view: &View<'_>) -> Option<Event> {
    match candidate {
        Match::Connlabel(m) => connlabel::event(m, view),
        Match::Connlimit(m) => connlimit::event(*m, view),
        Match::Hashlimit(m) => hashlimit::event(m, view),
        Match::Limit(m) => Some(limit::event(*m, view)),
        Match::Quota(m) => quota::event(m, view),
        Match::Recent(m) => recent::event(m, view),
        Match::Statistic(m) if m.mode == Some(StatisticMode::Nth) => Some(Event::Nth(view.rule_key())),
        _ => None,
    }
}

/// What a match takes for granted: that the host has seen nothing else.
pub(crate) fn granted(candidate: &Match) -> Option<Granted> {
    match candidate {
        Match::Recent(_) => Some(Granted::RecentEmpty),
        Match::Statistic(m) if m.mode == Some(StatisticMode::Nth) => Some(Granted::NthAtStart),
        Match::Limit(_) => Some(Granted::LimitFull),
        Match::Hashlimit(m) if !m.rate_match => Some(Granted::HashlimitFull),
        Match::Quota(_) => Some(Granted::QuotaUnspent),
        Match::Connlimit(_) => Some(Granted::NoOtherConnections),
        _ => None,
    }
}

/// Does what a target does to the packet.
/// `chosen` is the address picked of those that it offered before.
pub(crate) fn apply(target: &Target, state: &mut State, view: &View<'_>, chosen: Option<IpAddr>) -> Effect {
    match target {
        target if has_no_effect(target) => Effect::Continue,
        Target::Connmark(t) => set_connmark::apply(*t, state),
        Target::Ct(t) => ct::apply(t, state, view),
        Target::Dnat(t) => dnat::apply(t, state, view, chosen),
        Target::Dnpt(t) => npt::apply(t.from, t.to, state, Translated::DESTINATION, view),
        Target::Hl(t) => set_hl::apply(t, state),
        Target::Mark(t) => set_mark::apply(*t, state),
        Target::Masquerade(t) => masquerade::apply(*t, state, view),
        Target::Netmap(t) => netmap::apply(t, state, view),
        Target::Nfqueue(t) => nfqueue::apply(*t, view),
        Target::Notrack(_) => ct::untrack(state),
        Target::Queue => Effect::Queue,
        Target::Redirect(t) => redirect::apply(*t, state, view),
        Target::Reject(t) => reject::apply(*t, state, view),
        Target::Set(t) => {
            // A set that rules fill is no longer what was told of it.
            for changed in [&t.add, &t.delete].into_iter().flatten() {
                state.sets_changed.insert(&changed.name);
            }
            match &t.map {
                Some(map) if t.map_mark => set::map_mark(map, state, view),
                _ => Effect::Continue,
            }
        }
        Target::Snat(t) => snat::apply(t, state, view, chosen),
        Target::Snpt(t) => npt::apply(t.from, t.to, state, Translated::SOURCE, view),
        Target::Synproxy(_) => synproxy::apply(view),
        Target::Dscp(t) => set_dscp::apply(t, state),
        Target::Tos(t) => set_tos::apply(*t, state),
        Target::Tproxy(t) => tproxy::apply(t, state, view),
        Target::Ttl(t) => set_ttl::apply(t, state),
        Target::Unknown(part) => Effect::Unknown(format!("target `{}` is not understood", part.text)),
        other => Effect::Unknown(format!("target `{}` is not walked", other.name())),
    }
}

/// Accepts as [`apply`] does, where that takes no more than the packet; false where it may take more.
pub(crate) fn accepts_plainly(target: &Target, state: &mut State, protocol: Protocol, rule: RuleId) -> bool {
    matches!(target, Target::Dnat(t) if dnat::apply_plain(t, state, protocol, rule))
}

/// Whether a target leaves alone all of the packet that rules and routing look at, so that it does not
/// matter whether its rule matches: logs, copies and what only the wire or a security module sees.
pub(crate) fn has_no_effect(target: &Target) -> bool {
    matches!(
        target,
        Target::None
            | Target::Audit(_)
            | Target::Checksum(_)
            | Target::Classify(_)
            | Target::Connsecmark(_)
            | Target::Ecn(_)
            | Target::Idletimer(_)
            | Target::Led(_)
            | Target::Log(_)
            | Target::Nflog(_)
            | Target::Rateest(_)
            | Target::Secmark(_)
            | Target::Tcpmss(_)
            | Target::Tcpoptstrip(_)
            | Target::Tee(_)
            | Target::Trace(_)
            | Target::Ulog(_)
    )
}

/// A part that was not understood. In `comment` nothing can matter: it holds for every packet.
fn unknown(part: &UnknownPart, view: &View<'_>) -> Answer {
    if part.module.as_ref().is_some_and(|module| *module == "comment") {
        return Answer::Yes;
    }
    let module = part.module.as_ref().filter(|m| !part.text.to_str().contains(&*m.to_str()));
    let text = module.map_or_else(|| part.text.to_string(), |module| format!("-m {module} {}", part.text));
    view.ask(Question::Opaque { text, seen: view.state.rewrites })
}

/// An address without the bits that do not count.
fn masked(address: IpAddr, v4: u32, v6: u128) -> IpAddr {
    match address {
        IpAddr::V4(own) => Ipv4Addr::from_bits(own.to_bits() & v4).into(),
        IpAddr::V6(own) => Ipv6Addr::from_bits(own.to_bits() & v6).into(),
    }
}

/// The network of an address.
fn masked_to(address: IpAddr, prefix_len: u8) -> IpAddr {
    let len = u32::from(prefix_len);
    let v4 = u32::MAX.checked_shl(32_u32.saturating_sub(len)).unwrap_or(0);
    let v6 = u128::MAX.checked_shl(128_u32.saturating_sub(len)).unwrap_or(0);
    masked(address, v4, v6)
}

/// The security parameter index of a header, which is not told.
fn spi(
    name: &str,
    protocol: Protocol,
    wanted: Option<Negatable<NumberRange<u32>>>,
    view: &View<'_>,
) -> Answer {
    if view.packet.protocol != protocol || view.is_later_fragment() {
        return Answer::No;
    }
    match wanted {
        None => Answer::Yes,
        Some(wanted) if wanted.value.is_all() => Answer::Yes.negate(wanted.negated),
        Some(wanted) => {
            let text = format!("the index of the {name} header is {}", wanted.value);
            view.ask(Question::Opaque { text, seen: 0 }).negate(wanted.negated)
        }
    }
}

/// A match as it is written.
fn opaque_text(candidate: &Match) -> String {
    let mut text = format!("-m {}", candidate.name());
    for option in candidate.options() {
        text.push_str(if option.negated { " ! " } else { " " });
        text.push_str(option.name);
        for value in &option.values {
            text.push(' ');
            text.push_str(&value.to_str());
        }
    }
    text
}
