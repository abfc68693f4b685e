use hookwalk_parser::types::Family;
use hookwalk_parser::{Dump, Rule};

use crate::host::{ConnectionTable, Host};
use crate::index::Index;
use crate::outcome::Walk;
use crate::packet::Packet;
use crate::problem::Problem;
use crate::program::Program;
use crate::state::Past;
use crate::walk::{self, Given, Limits};

/// The rules of one node, ready to walk packets.
///
/// ```
/// use hookwalk_engine::{Engine, Host, Packet, Verdict};
/// let dump = hookwalk_parser::parse("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n");
/// let host = Host::default().with_node_address("192.168.50.10".parse().unwrap());
/// let engine = Engine::new(vec![dump], host);
/// let packet = Packet::new("10.0.0.5".parse().unwrap(), "10.0.1.7".parse().unwrap())
///     .arriving_by("cni0".parse().unwrap());
/// let walk = engine.walk(&packet).unwrap();
/// let outcome = &walk.cases[0].outcomes[0];
/// assert_eq!(outcome.verdict, Verdict::Dropped);
/// assert_eq!(outcome.decided_by.as_ref().unwrap().to_string(), "filter/FORWARD/policy");
/// ```
#[derive(Debug)]
pub struct Engine {
    dumps: Vec<Dump>,
    host: Host,
    v4: Compiled,
    v6: Compiled,
    problems: Vec<Problem>,
    limits: Limits,
    /// What a host remembers that has seen nothing.
    no_past: Past,
}

/// The rules of one family.
#[derive(Debug)]
struct Compiled {
    program: Program,
    /// None when every rule is to be asked.
    index: Option<Index>,
}

impl Compiled {
    fn new(dumps: &[Dump], family: Family, problems: &mut Vec<Problem>) -> Self {
        let program = Program::compile(dumps, family, problems);
        let index = Some(Index::new(&program));
        Compiled { program, index }
    }
}

/// A packet that cannot be walked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// Source and destination are of two families.
    #[error("`{src}` and `{dst}` are of two families")]
    TwoFamilies {
        /// The source.
        src: std::net::IpAddr,
        /// The destination.
        dst: std::net::IpAddr,
    },
    /// A packet of a session comes before the one that was walked last.
    #[error("the packet comes at {at}, but the session is at {now} already")]
    TimeGoesBack {
        /// When it comes, in seconds.
        at: u64,
        /// The session's clock.
        now: u64,
    },
}

impl Engine {
    /// Compiles the dumps of one node: both families, or parts of one.
    ///
    /// What the kernel would refuse to load is in [`problems`](Engine::problems); a walk that comes
    /// to such a place answers "unknown".
    pub fn new(dumps: Vec<Dump>, host: Host) -> Self {
        let mut problems = Vec::new();
        let v4 = Compiled::new(&dumps, Family::V4, &mut problems);
        let v6 = Compiled::new(&dumps, Family::V6, &mut problems);
        problems.sort_by_key(|problem| (problem.dump(), problem.line()));
        problems.dedup();
        Engine { dumps, host, v4, v6, problems, limits: Limits::default(), no_past: Past::default() }
    }

    /// The same engine with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same engine as the reference evaluator: every rule of a chain is asked, one after the other,
    /// as the dump has it. Slow with long chains; its answers are those of the index, step for step.
    ///
    /// ```
    /// use hookwalk_engine::{Engine, Host, Packet};
    /// let text = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -d 10.0.1.7/32 -j ACCEPT\nCOMMIT\n";
    /// let engine = || Engine::new(vec![hookwalk_parser::parse(text)], Host::default());
    /// let packet = Packet::new("10.0.0.5".parse().unwrap(), "10.0.1.7".parse().unwrap());
    /// assert_eq!(engine().walk(&packet), engine().without_index().walk(&packet));
    /// ```
    #[must_use]
    pub fn without_index(mut self) -> Self {
        (self.v4.index, self.v6.index) = (None, None);
        self
    }

    /// The dumps it was made from.
    pub fn dumps(&self) -> &[Dump] {
        &self.dumps
    }

    /// The host it was made with.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What the kernel would refuse to load, by dump and line.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What becomes of a packet: every outcome, with its exact probability.
    pub fn walk(&self, packet: &Packet) -> Result<Walk, WalkError> {
        Ok(walk::walk(self.given(packet, self.host.connection_table(), &self.no_past)?, packet, self.limits))
    }

    /// What a packet is walked through, with the connections and the memories of a moment.
    pub(crate) fn given<'e>(
        &'e self,
        packet: &Packet,
        table: &'e ConnectionTable,
        past: &'e Past,
    ) -> Result<Given<'e>, WalkError> {
        let compiled = match packet.family() {
            Some(Family::V4) => &self.v4,
            Some(Family::V6) => &self.v6,
            None => return Err(WalkError::TwoFamilies { src: packet.src, dst: packet.dst }),
        };
        let Compiled { program, index } = compiled;
        Ok(Given { dumps: &self.dumps, host: &self.host, program, index: index.as_ref(), table, past })
    }

    pub(crate) const fn no_past(&self) -> &Past {
        &self.no_past
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// The line of a rule that a report names, as it stands in the dump; empty for a policy.
    pub fn text(&self, rule: &crate::outcome::RuleRef) -> &[u8] {
        match (self.rule(rule), self.dumps.get(rule.dump)) {
            (Some(found), Some(dump)) => dump.slice(found.span),
            _ => &[],
        }
    }

    /// The rule that a report names; none for a policy.
    pub fn rule(&self, rule: &crate::outcome::RuleRef) -> Option<&Rule> {
        let number = rule.rule?.checked_sub(1)?;
        rule.place.chain(&self.dumps)?.rules.get(number as usize)
    }
}
