//! What a check found: one code, one sentence, and the rule it is about.

use std::fmt;

use hookwalk_engine::RuleRef;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Harmless; a person may want to know.
    Info,
    /// Works, but not as most people would want it to.
    Warning,
    /// Traffic goes where it should not, or does not go where it should.
    Error,
}

impl Severity {
    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that a check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable word for the kind of finding, as `stale-endpoint`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in a sentence; the dump's and the objects' own words in backticks.
    pub message: String,
    /// The Kubernetes object it is about, as `service default/web:http`.
    pub object: Option<String>,
    /// The rule, chain or policy it is about.
    pub place: Option<RuleRef>,
    /// The line of the dump, from 1, where there is one to look at.
    pub line: Option<u32>,
    /// The index of the dump, as given.
    pub dump: usize,
}

impl Finding {
    /// A finding about no rule and no object yet.
    pub fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Finding { code, severity, message: message.into(), object: None, place: None, line: None, dump: 0 }
    }

    /// The same about a Kubernetes object.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// The same at a rule: takes its dump and line from it.
    #[must_use]
    pub fn at(mut self, place: RuleRef) -> Self {
        self.dump = place.dump;
        self.line = place.line;
        self.place = Some(place);
        self
    }

    /// The same at a line of a dump that belongs to no rule.
    #[must_use]
    pub fn at_line(mut self, dump: usize, line: u32) -> Self {
        self.dump = dump;
        self.line = Some(line);
        self
    }
}

/// `error[stale-endpoint]: …`; whoever knows the file's name puts it before.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity, self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_sort_by_how_much_they_matter() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
    }

    #[test]
    fn a_place_brings_its_dump_and_line() {
        let dump = hookwalk_parser::parse("*nat\n:X - [0:0]\n-A X -j ACCEPT\nCOMMIT\n");
        let place = RuleRef::new(&[dump], 0, 0, 0, Some(0)).unwrap();
        let finding = Finding::new("some-code", Severity::Error, "it is wrong").at(place);
        assert_eq!(
            (finding.line, finding.place.as_ref().unwrap().to_string().as_str()),
            (Some(3), "nat/X/1")
        );
        assert_eq!(finding.to_string(), "error[some-code]: it is wrong");
    }
}
