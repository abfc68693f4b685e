use std::fmt;

use hookwalk_engine::{Engine, Outcome, Packet, RuleRef, Verdict};
use hookwalk_kube::finding::{Finding, Severity};

/// Why an invariant does not hold: one packet, what becomes of it, and the rules that say so.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Counterexample {
    /// The stable word for the invariant.
    pub invariant: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The Service port it is about, as `service shop/web:http`.
    pub object: Option<String>,
    /// The packet, where it takes one.
    pub packet: Option<Box<Packet>>,
    /// What becomes of the packet, one line an outcome.
    pub walk: Vec<String>,
    /// The rules to look at, in the order in which the packet meets them.
    pub rules: Vec<RuleLine>,
}

/// A rule with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLine {
    /// Where it stands.
    pub at: RuleRef,
    /// The line as it was read.
    pub text: String,
}

impl RuleLine {
    pub(super) fn new(engine: &Engine, at: &RuleRef) -> Self {
        RuleLine { at: at.clone(), text: String::from_utf8_lossy(engine.text(at)).into_owned() }
    }
}

impl Counterexample {
    pub(super) fn new(invariant: &'static str, message: String) -> Self {
        Counterexample { invariant, message, object: None, packet: None, walk: Vec::new(), rules: Vec::new() }
    }
}

/// At most 6 outcomes and 12 rules, so that it fits on a screen.
impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.invariant)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(packet) = &self.packet {
            write!(f, "\n  packet {}", show_packet(packet))?;
        }
        list(f, &self.walk, 6, |f, outcome| write!(f, "\n  {outcome}"))?;
        list(f, &self.rules, 12, |f, rule| {
            let line = rule.at.line.map_or_else(|| "   -".to_owned(), |line| format!("{line:4}"));
            write!(f, "\n  line {line}  {}", rule.text)
        })
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    all: &[T],
    most: usize,
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for one in all.iter().take(most) {
        show(f, one)?;
    }
    match all.len().saturating_sub(most) {
        0 => Ok(()),
        more => write!(f, "\n  … and {more} more"),
    }
}

impl std::error::Error for Counterexample {}

impl From<&Counterexample> for Finding {
    fn from(found: &Counterexample) -> Self {
        let mut finding = Finding::new(found.invariant, Severity::Error, found.message.clone());
        finding.object.clone_from(&found.object);
        match found.rules.last() {
            Some(rule) => finding.at(rule.at.clone()),
            None => finding,
        }
    }
}

/// `in cni0: 10.0.0.5:40000 -> 10.96.0.10:53 udp`
pub(crate) fn show_packet(packet: &Packet) -> String {
    let way = packet.in_interface.map_or_else(|| "sent here".to_owned(), |name| format!("in {name}"));
    let end = |ip, port: Option<u16>| {
        port.map_or_else(|| format!("{ip}"), |port| std::net::SocketAddr::new(ip, port).to_string())
    };
    let (src, dst) = (end(packet.src, packet.sport), end(packet.dst, packet.dport));
    let state = match packet.state {
        hookwalk_engine::PacketState::New => String::new(),
        state => format!(", state {}", format!("{state:?}").to_lowercase()),
    };
    format!("{way}: {src} -> {dst} {}{state}", packet.protocol)
}

/// `0.500000: forwarded to 10.0.1.2:80, masqueraded`
pub(crate) fn show_outcome(outcome: &Outcome) -> String {
    let share = outcome.probability.to_f64();
    let to = outcome.dport.map_or_else(
        || outcome.dst.to_string(),
        |port| std::net::SocketAddr::new(outcome.dst, port).to_string(),
    );
    let masquerade = if outcome.masquerade { ", masqueraded" } else { "" };
    let by = match outcome.verdict {
        Verdict::Dropped | Verdict::Rejected => {
            outcome.decided_by.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default()
        }
        _ => String::new(),
    };
    let why = outcome.reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{share:.6}: {} to {to}{masquerade}{by}{why}", outcome.verdict.as_str())
}
