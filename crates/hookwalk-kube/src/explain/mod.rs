//! What a rule does, in a plain sentence: "marks it with 0x4000/0x4000 unless it comes from 10.0.0.0/8".
//!
//! `matches` says when a rule holds and `targets` what it does then, one small function an extension;
//! what has no words of its own is told as it is written. "It" is the packet.
//!
//! ```
//! use hookwalk_kube::explain;
//! let dump = hookwalk_parser::parse("*filter\n:FORWARD DROP [0:0]\n\
//!     -A FORWARD -i cni0 ! -d 10.0.0.0/8 -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset\nCOMMIT\n");
//! let rule = &dump.tables()[0].chains[0].rules[0];
//! assert_eq!(
//!     explain::rule(rule),
//!     "refuses it with tcp-reset if it comes in by cni0, it is tcp and it goes to port 25, \
//!      unless it goes to 10.0.0.0/8",
//! );
//! ```

mod matches;
mod share;
mod targets;

use hookwalk_parser::Rule;
use hookwalk_parser::types::MaskedAddress;

use crate::reach::{Condition, conditions};

pub use share::share;
pub use targets::target;

/// What a condition of a rule asks of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phrase {
    /// Must hold.
    If(String),
    /// Must not hold.
    Unless(String),
    /// Holds for a part of the packets.
    Share(String),
}

impl Phrase {
    fn negated(text: impl Into<String>, negated: bool) -> Phrase {
        if negated { Phrase::Unless(text.into()) } else { Phrase::If(text.into()) }
    }
}

/// What a rule does and when, every condition told.
pub fn rule(rule: &Rule) -> String {
    sentence(&target(&rule.target), conditions(rule).flat_map(phrases).collect())
}

/// What a rule does to packets of which some conditions are known to hold.
pub(crate) fn rule_where(rule: &Rule, decides: &[bool], does: &str) -> String {
    let told = conditions(rule).zip(decides).filter(|&(_, &decides)| decides);
    sentence(does, told.flat_map(|(condition, _)| phrases(condition)).collect())
}

/// What a condition asks; nothing when it holds for every packet.
fn phrases(condition: Condition<'_>) -> Vec<Phrase> {
    let one = |text: String, negated| vec![Phrase::negated(text, negated)];
    match condition {
        Condition::Source(m) => one(format!("it comes from {}", plain(&m.value)), m.negated),
        Condition::Destination(m) => one(format!("it goes to {}", plain(&m.value)), m.negated),
        Condition::InInterface(m) => one(format!("it comes in by {}", m.value), m.negated),
        Condition::OutInterface(m) => one(format!("it leaves by {}", m.value), m.negated),
        Condition::Protocol(m) => one(format!("it is {}", m.value), m.negated),
        Condition::Fragment(m) => one("it is a later fragment".to_owned(), m.negated),
        Condition::Match(m) => matches::phrases(m),
    }
}

/// An address without the mask that says nothing.
fn plain(address: &MaskedAddress) -> String {
    let host = MaskedAddress::host(address.address());
    if *address == host { address.address().to_string() } else { address.to_string() }
}

/// "does, for a share, if this and that, unless this or that".
fn sentence(does: &str, phrases: Vec<Phrase>) -> String {
    let (mut ifs, mut unless, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for phrase in phrases {
        match phrase {
            Phrase::If(text) if !ifs.contains(&text) => ifs.push(text),
            Phrase::Unless(text) if !unless.contains(&text) => unless.push(text),
            Phrase::Share(text) => shares.push(text),
            _ => {}
        }
    }
    let mut text = does.to_owned();
    for share in shares {
        text.push_str(", ");
        text.push_str(&share);
    }
    if !ifs.is_empty() {
        text.push_str(" if ");
        text.push_str(&listed(&ifs, "and"));
    }
    if !unless.is_empty() {
        text.push_str(if ifs.is_empty() { " unless " } else { ", unless " });
        text.push_str(&listed(&unless, "or"));
    }
    text
}

/// "a, b and c".
pub(crate) fn listed(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}
