//! What is answered, and whether two answers fit.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use hookwalk_engine::Probability;

/// A port of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// This one.
    Known(u16),
    /// One of these.
    Among(RangeInclusive<u16>),
    /// The protocol has none, or it is not told.
    Untold,
}

impl Port {
    fn fits(&self, seen: &Self) -> bool {
        match (self, seen) {
            (Self::Known(one), Self::Known(other)) => one == other,
            (Self::Among(range), Self::Known(port)) => range.contains(port),
            _ => true,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(port) => write!(f, "{port}"),
            Self::Among(range) => write!(f, "{}-{}", range.start(), range.end()),
            Self::Untold => f.write_str("?"),
        }
    }
}

/// One thing that can become of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// `forwarded by tun1`, `sent by tun1`, `local`, `dropped in FORWARD`, `rejected in INPUT`,
    /// `lost in routing`, or `unknown`: then all else is what is known up to there.
    pub verdict: String,
    /// Every rule whose matches all held, the ends of chains and policies, with the mark after each, in order:
    /// `nat/KUBE-SERVICES/4 mark 0x0`.
    pub steps: Vec<String>,
    /// Whether there are steps: of ways that a limit made one the engine tells none.
    pub steps_are_told: bool,
    /// Rules that may have matched as well or not, without a difference to all else: `nat/KUBE-SERVICES/4`. Where
    /// there are some, ends of chains and marks on the way are not compared.
    pub maybe: Vec<String>,
    /// The packet as it leaves or reaches the node; none where it does not.
    pub packet: Option<AsItLeft>,
    /// How likely it is: 1 for what happened.
    pub share: Probability,
}

/// A packet as it leaves, or as it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsItLeft {
    /// Its source; none where that is not told.
    pub src: Option<IpAddr>,
    /// Its destination.
    pub dst: IpAddr,
    /// Its source port.
    pub sport: Port,
    /// Its destination port.
    pub dport: Port,
    /// Its mark.
    pub mark: u32,
}

impl AsItLeft {
    /// Whether the kernel draws one of its ports.
    pub fn has_drawn_port(&self) -> bool {
        [&self.sport, &self.dport].into_iter().any(|port| matches!(port, Port::Among(_)))
    }
}

impl fmt::Display for AsItLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let src = self.src.map_or_else(|| "?".to_owned(), |src| src.to_string());
        write!(f, "{src} {} > {} {} mark {:#x}", self.sport, self.dst, self.dport, self.mark)
    }
}

impl Answer {
    /// The rules of the steps, without those that may have matched or not.
    fn certain_rules<'s>(&'s self, steps: &'s [String]) -> impl Iterator<Item = &'s str> {
        let rules = steps.iter().map(|step| step.split(" mark ").next().unwrap_or_default());
        let rules = rules.filter(|rule| !rule.ends_with("/return") && !rule.ends_with("/policy"));
        rules.filter(|rule| self.maybe.iter().all(|maybe| maybe != rule))
    }

    /// Where it differs from what was seen.
    pub fn differs(&self, seen: &Answer) -> Option<String> {
        let is_unknown = self.verdict == "unknown";
        let steps_fit = if !self.steps_are_told {
            true
        } else if is_unknown && !self.maybe.is_empty() {
            let mut others = self.certain_rules(&seen.steps);
            self.certain_rules(&self.steps).all(|rule| others.any(|other| other == rule))
        } else if is_unknown {
            // What the last rule does is not known, so its mark is not either.
            let rule = |step: &String| step.split(" mark ").next().unwrap_or_default().to_owned();
            self.steps.split_last().is_none_or(|(last, before)| {
                seen.steps.starts_with(before) && seen.steps.get(before.len()).map(rule) == Some(rule(last))
            })
        } else if !self.maybe.is_empty() {
            let mut own = self.certain_rules(&self.steps);
            let mut others = self.certain_rules(&seen.steps);
            if let Some(missing) = own.find(|rule| !others.any(|other| other == *rule)) {
                return Some(format!("{missing} was not seen"));
            }
            let known: Vec<&str> = self.certain_rules(&self.steps).collect();
            match self.certain_rules(&seen.steps).find(|rule| !known.contains(rule)) {
                Some(more) => return Some(format!("{more} was seen")),
                None => true,
            }
        } else {
            self.steps == seen.steps
        };
        if !steps_fit {
            return Some(first_difference(&self.steps, &seen.steps));
        }
        if is_unknown {
            return None;
        }
        if self.verdict != seen.verdict {
            return Some(format!("verdict: {} against {}", self.verdict, seen.verdict));
        }
        let (Some(one), Some(other)) = (&self.packet, &seen.packet) else {
            return (self.packet.is_some() != seen.packet.is_some()).then(|| "only one delivers".to_owned());
        };
        let same = one.src.is_none_or(|src| Some(src) == other.src)
            && one.dst == other.dst
            && one.mark == other.mark
            && one.sport.fits(&other.sport)
            && one.dport.fits(&other.dport);
        (!same).then(|| format!("packet: {one} against {other}"))
    }
}

fn first_difference(one: &[String], other: &[String]) -> String {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let at = |steps: &[String]| steps.get(same).map_or("the end", |step| step).to_owned();
    format!("step {}: {} against {}", same + 1, at(one), at(other))
}

/// Something that an answer depends on and that was not told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unknown {
    /// The rule that asks, as text; empty where routing does.
    pub rule: String,
    /// What is not known.
    pub what: String,
}

impl Unknown {
    /// Of a rule that may have matched, without a difference to all else.
    pub const MAYBE: &str = "whether it matched";
}

/// Everything that can become of a packet.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// What can be; one for the kernel.
    pub possible: Vec<Answer>,
    /// What was not known; nothing, for the kernel.
    pub unknown: Vec<Unknown>,
}

impl Answers {
    /// Which of the possible answers what was seen is; where it is none of them, how they differ from it.
    pub fn agree(&self, seen: &Answer) -> Result<usize, String> {
        let mut differences = Vec::new();
        for (index, answer) in self.possible.iter().enumerate() {
            match answer.differs(seen) {
                None => return Ok(index),
                Some(difference) if !differences.contains(&difference) => differences.push(difference),
                Some(_) => {}
            }
        }
        differences.truncate(4);
        Err(if differences.is_empty() { "no answer".to_owned() } else { differences.join("; or ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(verdict: &str, steps: &[&str]) -> Answer {
        Answer {
            verdict: verdict.to_owned(),
            steps: steps.iter().map(|&step| step.to_owned()).collect(),
            steps_are_told: true,
            maybe: vec![],
            packet: None,
            share: Probability::ONE,
        }
    }

    #[test]
    fn answers_fit_or_say_where_not() {
        let seen = answer("dropped in FORWARD", &["a", "b"]);
        let walk = Answers { possible: vec![answer("local", &["a"]), seen.clone()], unknown: vec![] };
        assert_eq!(walk.agree(&seen), Ok(1));
        let other = answer("dropped in FORWARD", &["a", "c"]);
        assert_eq!(walk.agree(&other).unwrap_err(), "step 2: the end against c; or step 2: b against c");
        let unknown = Answers { possible: vec![answer("unknown", &["a"])], unknown: vec![] };
        assert_eq!(unknown.agree(&other), Ok(0));
        let untold = Answer { steps_are_told: false, ..answer("dropped in FORWARD", &[]) };
        assert_eq!(untold.differs(&other), None);
        let maybe = Answer { maybe: vec!["a".to_owned()], ..answer("dropped in FORWARD", &["c"]) };
        assert_eq!(maybe.differs(&other), None);
    }

    #[test]
    fn ports_fit() {
        assert!(Port::Among(1..=9).fits(&Port::Known(9)) && !Port::Among(1..=9).fits(&Port::Known(10)));
        assert!(Port::Untold.fits(&Port::Known(1)) && !Port::Known(2).fits(&Port::Known(1)));
    }
}
