//! Faults put into rules, one at a time: how many of them does a test catch?
//!
//! ```
//! use hookwalk_testkit::cluster::Cluster;
//! use hookwalk_testkit::invariants::{self, Trial};
//! use hookwalk_testkit::mutate::{Score, mutations};
//!
//! let cluster = Cluster::random(2);
//! let text = cluster.rules().restore();
//! let some = mutations(&text).into_iter().skip(60).step_by(5);
//! let score = Score::of(some, |faulty| invariants::all(&Trial::new(faulty, &cluster)).is_err());
//! assert!(score.caught > score.survivors.len(), "{score}");
//! ```

use std::fmt;

use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::types::{MaskedAddress, Negatable, PortRange};
use hookwalk_parser::{Rule, parse};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The rule is gone.
    Dropped,
    /// The rule is there twice.
    Doubled,
    /// The rule has changed places with the next one, which answers differently for some packet.
    Moved,
    /// A condition is turned round.
    Negated,
    /// The mask of an address or of a mark is another.
    Mask,
    /// The share of an endpoint is another.
    Share,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Fault; 6] =
        [Fault::Dropped, Fault::Doubled, Fault::Moved, Fault::Negated, Fault::Mask, Fault::Share];

    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Dropped => "dropped",
            Fault::Doubled => "doubled",
            Fault::Moved => "moved",
            Fault::Negated => "negated",
            Fault::Mask => "mask",
            Fault::Share => "share",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Rules with one fault in them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mutation {
    /// What was done.
    pub fault: Fault,
    /// The table of the rule.
    pub table: String,
    /// The line of the rule as it was.
    pub rule: String,
    /// What became of it.
    pub became: String,
    /// All rules.
    pub text: String,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.fault, self.table, self.rule)?;
        if self.became.is_empty() { Ok(()) } else { write!(f, "\n      -> {}", self.became) }
    }
}

/// Every fault of every rule of a text that `iptables-restore` takes, one rule a line.
pub fn mutations(text: &str) -> Vec<Mutation> {
    let dump = parse(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (table, chain) in dump.tables().iter().flat_map(|t| t.chains.iter().map(move |c| (t, c))) {
        for (at, rule) in chain.rules.iter().enumerate() {
            let Some(place) = usize::try_from(rule.line).ok().and_then(|line| line.checked_sub(1)) else {
                continue;
            };
            let Some(line) = lines.get(place) else { continue };
            let mut add = |fault: Fault, became: String, changed: &[&str]| {
                let (table, rule) = (table.name.to_string(), (*line).to_owned());
                all.push(Mutation { fault, table, rule, became, text: changed.join("\n") + "\n" });
            };
            let with = |replaced: &[&str]| -> Vec<String> {
                let mut changed: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
                changed.splice(place..=place, replaced.iter().map(|l| (*l).to_owned()));
                changed
            };
            add(Fault::Dropped, String::new(), &borrowed(&with(&[])));
            add(Fault::Doubled, String::new(), &borrowed(&with(&[line, line])));
            if let Some(behind) = chain.rules.get(at + 1).filter(|next| interferes(rule, next))
                && let Some(to) = usize::try_from(behind.line).ok()
            {
                let mut changed = lines.clone();
                changed.insert(to, line);
                changed.remove(place);
                add(Fault::Moved, format!("behind line {to}"), &changed);
            }
            for (fault, became) in variants(line) {
                add(fault, became.clone(), &borrowed(&with(&[&became])));
            }
        }
    }
    all
}

fn borrowed(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// Whether some packet meets both rules and is answered differently.
fn interferes(rule: &Rule, next: &Rule) -> bool {
    next.target != rule.target && !matches!(next.target, Target::None) && overlap(rule, next)
}

/// Whether some packet can match both, as far as addresses, protocol and ports tell.
fn overlap(a: &Rule, b: &Rule) -> bool {
    let addresses = |x: Option<Negatable<MaskedAddress>>, y: Option<Negatable<MaskedAddress>>| match (x, y) {
        (Some(x), Some(y)) if !x.negated && !y.negated => {
            x.value.contains(y.value.address()) || y.value.contains(x.value.address())
        }
        _ => true,
    };
    let protocols = match (a.base.protocol(), b.base.protocol()) {
        (Some(x), Some(y)) if !x.negated && !y.negated => x.value == y.value,
        _ => true,
    };
    let ports = match (destination_port(a), destination_port(b)) {
        (Some(x), Some(y)) => x == y,
        _ => true,
    };
    addresses(a.base.source(), b.base.source())
        && addresses(a.base.destination(), b.base.destination())
        && protocols
        && ports
}

fn destination_port(rule: &Rule) -> Option<Negatable<PortRange>> {
    rule.matches.iter().find_map(|one| match one {
        Match::Tcp(tcp) => tcp.dport,
        Match::Udp(udp) => udp.dport,
        Match::Sctp(sctp) => sctp.dport,
        _ => None,
    })
}

/// The rule with one condition, mask or share changed.
fn variants(line: &str) -> Vec<(Fault, String)> {
    let words = words(line);
    let mut all = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let value = words.get(at + 1).copied().unwrap_or_default();
        if NEGATABLE.contains(word) {
            let mut changed = words.clone();
            if at > 0 && words.get(at - 1) == Some(&"!") {
                changed.remove(at - 1);
            } else {
                changed.insert(at, "!");
            }
            all.push((Fault::Negated, changed.join(" ")));
        }
        let (fault, other) = match *word {
            "-s" | "-d" => (Fault::Mask, wider(value)),
            "--mark" | "--or-mark" | "--xor-mark" | "--set-xmark" => (Fault::Mask, other_bit(value)),
            "--probability" => {
                (Fault::Share, value.parse().ok().map(|share: f64| format!("{:.10}", share * 0.9)))
            }
            _ => continue,
        };
        if let Some(other) = other {
            let mut changed = words.clone();
            if let Some(word) = changed.get_mut(at + 1) {
                *word = &other;
            }
            all.push((fault, changed.join(" ")));
        }
    }
    all
}

const NEGATABLE: [&str; 8] = ["-s", "-d", "-i", "--dport", "--mark", "--ctstate", "--src-type", "--dst-type"];

/// A prefix of one bit less.
fn wider(address: &str) -> Option<String> {
    let (ip, len) = match address.split_once('/') {
        Some((ip, len)) => (ip, len.parse::<u8>().ok()?),
        None => (address, if address.contains(':') { 128 } else { 32 }),
    };
    Some(format!("{ip}/{}", len.checked_sub(1)?))
}

/// A mark whose last value has one bit moved.
fn other_bit(mark: &str) -> Option<String> {
    let last = mark.rsplit('/').next()?;
    let number = u32::from_str_radix(last.strip_prefix("0x")?, 16).ok().filter(|number| *number > 0)?;
    let moved = number.checked_shl(1).filter(|moved| *moved > 0)?;
    Some(format!("{}{moved:#010x}", mark.strip_suffix(last)?))
}

/// Words at blanks; what stands in quotes is one word, with them.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut is_quoted) = (0, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b' ' if !is_quoted => {
                words.extend(line.get(start..at).filter(|word| !word.is_empty()));
                start = at + 1;
            }
            _ => {}
        }
    }
    words.extend(line.get(start..).filter(|word| !word.is_empty()));
    words
}

/// How many faults a test catches, and which it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// How many are caught.
    pub caught: usize,
    /// Those that are not.
    pub survivors: Vec<Mutation>,
}

impl Score {
    /// The score of a test that says of rules whether it finds a fault in them.
    pub fn of(mutations: impl IntoIterator<Item = Mutation>, finds: impl Fn(&str) -> bool) -> Score {
        let mut score = Score::default();
        for mutation in mutations {
            if finds(&mutation.text) {
                score.caught += 1;
            } else {
                score.survivors.push(mutation);
            }
        }
        score
    }

    /// How many were tried.
    pub fn tried(&self) -> usize {
        self.caught + self.survivors.len()
    }

    /// Both together.
    pub fn add(&mut self, other: Score) {
        self.caught += other.caught;
        self.survivors.extend(other.survivors);
    }
}

/// How many of how many, then each survivor.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} faults are caught", self.caught, self.tried())?;
        for survivor in &self.survivors {
            write!(f, "\n  {survivor}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "*nat\n:PREROUTING ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n\
        -A PREROUTING -d 10.0.0.1 -p tcp -m comment --comment \"a b\" -m tcp --dport 80 -j A\n\
        -A PREROUTING -d 10.0.0.2 -j A\n\
        -A A -m statistic --mode random --probability 0.5000000000 -j B\n\
        -A A -j MARK --or-mark 0x00004000\nCOMMIT\n";

    #[test]
    fn each_rule_has_its_faults() {
        let all = mutations(RULES);
        let count = |fault| all.iter().filter(|mutation| mutation.fault == fault).count();
        assert_eq!(Fault::ALL.map(count), [4, 4, 1, 3, 3, 1], "{all:#?}");
        let became = |text: &str| all.iter().any(|mutation| mutation.became.contains(text));
        assert!(became("-m tcp ! --dport 80"));
        assert!(became("-d 10.0.0.1/31 -p tcp -m comment --comment \"a b\""));
        assert!(became("--probability 0.4500000000"));
        assert!(became("--or-mark 0x00008000"));
        assert!(became("behind line 8"));
        for mutation in &all {
            let dump = parse(mutation.text.clone());
            assert!(dump.diagnostics().is_empty(), "{mutation}: {:?}", dump.diagnostics());
            assert_ne!(mutation.text, RULES);
        }
    }
}
