//! When each match holds and what each target does, one file each; the text side of the same name
//! is in the parser.
//!
//! To add one, write its file and name it in the two tables below.

mod addrtype;
mod conntrack;
mod dnat;
mod icmp;
mod marks;
mod masquerade;
mod owner;
mod physdev;
mod ports;
mod recent;
mod redirect;
mod reject;
mod rpfilter;
mod set;
mod snat;
mod statistic;
mod tcp;

use hookwalk_parser::extensions::{Match, Target, UnknownPart};

use crate::question::Question;
use crate::walk::{State, View};

/// What a match makes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    /// It depends on what nobody said.
    Ask(Question),
    /// Yes when 31 random bits are fewer than this.
    Draw(u32),
}

impl Answer {
    /// An answer with `!` before it.
    pub(crate) fn negate(self, negated: bool) -> Answer {
        match self {
            Answer::No if negated => Answer::Yes,
            Answer::Yes if negated => Answer::No,
            Answer::Draw(numerator) if negated => {
                Answer::Draw(hookwalk_parser::extensions::StatisticProbability::DENOMINATOR - numerator)
            }
            // A question is the same both ways: it is asked, and then the match is judged again.
            other => other,
        }
    }

    /// Both must hold.
    pub(crate) fn and(self, other: impl FnOnce() -> Answer) -> Answer {
        match self {
            Answer::No => Answer::No,
            Answer::Yes => other(),
            asked => match other() {
                Answer::No => Answer::No,
                _ => asked,
            },
        }
    }

    /// One must hold.
    pub(crate) fn or(self, other: impl FnOnce() -> Answer) -> Answer {
        match self {
            Answer::Yes => Answer::Yes,
            Answer::No => other(),
            asked => match other() {
                Answer::Yes => Answer::Yes,
                _ => asked,
            },
        }
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds { Answer::Yes } else { Answer::No }
    }
}

/// What a target makes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The packet goes on to the next rule.
    Continue,
    /// The table is done with the packet.
    Accept,
    Drop,
    Reject(hookwalk_parser::extensions::RejectWith),
    /// It depends on what nobody said.
    Ask(Question),
    /// What happens cannot be told.
    Unknown(String),
}

/// Whether a match holds.
pub(crate) fn test(candidate: &Match, view: &View<'_>) -> Answer {
    match candidate {
        Match::Addrtype(m) => addrtype::test(m, view),
        Match::Connmark(m) => marks::test_connmark(*m, view),
        Match::Conntrack(m) => conntrack::test(m, view),
        Match::Icmp(m) => icmp::test_icmp(*m, view),
        Match::Icmp6(m) => icmp::test_icmp6(*m, view),
        Match::Mark(m) => marks::test_mark(*m, view),
        Match::Multiport(m) => ports::test_multiport(m, view),
        // An nfacct object is true without a quota, and kube-proxy's have none.
        Match::Comment(_) | Match::Nfacct(_) => Answer::Yes,
        Match::Owner(m) => owner::test(m, view),
        Match::Physdev(m) => physdev::test(m, view),
        Match::Recent(m) => recent::test(m),
        Match::Rpfilter(m) => rpfilter::test(m, view),
        Match::Sctp(m) => ports::test_sctp(*m, view),
        Match::Set(m) => set::test(m, view),
        Match::State(m) => conntrack::test_state(*m, view),
        Match::Statistic(m) => statistic::test(*m),
        Match::Tcp(m) => tcp::test(m, view),
        Match::Udp(m) => ports::test_udp(*m, view),
        Match::Unknown(part) => unknown(part, view),
        other => opaque(other, view),
    }
}

/// Does what a target does to the packet.
pub(crate) fn apply(target: &Target, state: &mut State, view: &View<'_>) -> Effect {
    match target {
        Target::Connmark(t) => marks::apply_connmark(*t, state),
        Target::Ct(t) => conntrack::apply_ct(t, state),
        Target::Dnat(t) => dnat::apply(t, state, view),
        Target::Log(_) | Target::Nflog(_) => Effect::Continue,
        Target::Mark(t) => marks::apply_mark(*t, state),
        Target::Masquerade(t) => masquerade::apply(*t, state, view),
        Target::Notrack(_) => conntrack::apply_notrack(state),
        Target::Redirect(t) => redirect::apply(*t, state, view),
        Target::Reject(t) => reject::apply(*t, state, view),
        Target::Snat(t) => snat::apply(t, state, view),
        Target::Unknown(part) => Effect::Unknown(format!("target `{}` is not understood", part.text)),
        other => Effect::Unknown(format!("target `{}` is not walked", other.name())),
    }
}

/// Whether a target leaves the packet and its way alone, so that it does not matter whether its rule
/// matches.
pub(crate) fn has_no_effect(target: &Target) -> bool {
    matches!(target, Target::None | Target::Log(_) | Target::Nflog(_))
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

/// A match that is read but not judged.
fn opaque(candidate: &Match, view: &View<'_>) -> Answer {
    let mut text = format!("-m {}", candidate.name());
    for option in candidate.options() {
        text.push_str(if option.negated { " ! " } else { " " });
        text.push_str(option.name);
        for value in &option.values {
            text.push(' ');
            text.push_str(&value.to_str());
        }
    }
    view.ask(Question::Opaque { text, seen: view.state.rewrites })
}
