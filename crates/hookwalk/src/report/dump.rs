use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::extensions::{Match, Target, UnknownPart};
use crate::{Backend, Chain, Counters, Diagnostic, Dump, OptionText, Rule, Severity, Table, TableEnd};

/// A dump as JSON: what was read, and the key `unknown` on each part that was not understood.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DumpReport<'d> {
    /// 1
    pub schema: u32,
    /// Whether every table has its header and its `COMMIT`.
    pub whole: bool,
    /// The tables in the order of the dump.
    pub tables: Vec<TableReport<'d>>,
    /// What was not right.
    pub diagnostics: Vec<DiagnosticReport>,
    /// How many diagnostics were not kept.
    pub diagnostics_left_out: usize,
}

/// One table.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TableReport<'d> {
    /// Its name.
    pub name: String,
    /// The line of its header.
    pub line: Option<u32>,
    /// 4 or 6, where that is known.
    pub family: Option<u8>,
    /// `legacy` or `nft`, where that is known.
    pub backend: Option<&'static str>,
    /// `commit`, `missing`, `fragment` or `incompatible`.
    pub end: &'static str,
    /// Its chains.
    pub chains: Vec<ChainReport>,
    /// Its rules, chain by chain.
    pub rules: Vec<RuleReport<'d>>,
}

/// One chain.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ChainReport {
    /// Its name.
    pub name: String,
    /// The policy of a built-in chain.
    pub policy: Option<String>,
    /// What came to its end.
    pub counters: Option<CountersReport>,
    /// The line that declares it.
    pub line: Option<u32>,
    /// Lines at which rules of the chain may be missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<u32>,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct CountersReport {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One rule.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RuleReport<'d> {
    /// The line of the dump.
    pub line: u32,
    /// Its chain.
    pub chain: String,
    /// Its number in the chain, from 1.
    pub index: usize,
    /// What it counted.
    pub counters: Option<CountersReport>,
    /// The options that need no `-m`, by name.
    pub base: Options,
    /// Its matches.
    pub matches: Vec<MatchReport<'d>>,
    /// Its target; empty when it has none.
    pub target: TargetReport<'d>,
}

/// One thing that is not right.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DiagnosticReport {
    /// The stable word for the kind of problem.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The byte in the line, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// A likely mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A match: `ext` and its options by name, or `unknown`.
#[derive(Clone, Debug)]
pub struct MatchReport<'d>(&'d Match);

/// A target: `name` and its options by name, with `jump` or `goto` for a chain, or `unknown`.
#[derive(Clone, Debug)]
pub struct TargetReport<'d>(&'d Target);

/// Options by name, without dashes; what stands behind `!` is listed in `not`.
#[derive(Clone, Debug)]
pub struct Options(Vec<OptionText>);

impl<'d> DumpReport<'d> {
    /// The report of a dump.
    pub fn new(dump: &'d Dump) -> Self {
        DumpReport {
            schema: 1,
            whole: dump.is_whole(),
            tables: dump.tables().iter().map(TableReport::new).collect(),
            diagnostics: dump.diagnostics().iter().map(DiagnosticReport::new).collect(),
            diagnostics_left_out: dump.diagnostics_left_out(),
        }
    }
}

impl<'d> TableReport<'d> {
    fn new(table: &'d Table) -> Self {
        let rules = |chain: &'d Chain| {
            chain.rules.iter().enumerate().map(|(at, rule)| RuleReport::new(&chain.name, at + 1, rule))
        };
        TableReport {
            name: table.name.to_string(),
            line: table.line,
            family: table.family.map(|family| match family {
                crate::types::Family::V4 => 4,
                crate::types::Family::V6 => 6,
            }),
            backend: table.backend.map(|backend| match backend {
                Backend::Legacy => "legacy",
                Backend::Nft => "nft",
            }),
            end: match table.end {
                TableEnd::Commit => "commit",
                TableEnd::Missing => "missing",
                TableEnd::Fragment => "fragment",
                TableEnd::Incompatible => "incompatible",
            },
            chains: table.chains.iter().map(ChainReport::new).collect(),
            rules: table.chains.iter().flat_map(rules).collect(),
        }
    }
}

impl ChainReport {
    fn new(chain: &Chain) -> Self {
        ChainReport {
            name: chain.name.to_string(),
            policy: chain.policy.map(|policy| policy.to_string()),
            counters: chain.counters.map(CountersReport::new),
            line: chain.line,
            gaps: chain.gaps.iter().map(|gap| gap.line).collect(),
        }
    }
}

impl CountersReport {
    const fn new(counters: Counters) -> Self {
        CountersReport { packets: counters.packets, bytes: counters.bytes }
    }
}

impl<'d> RuleReport<'d> {
    fn new(chain: &crate::types::Text, index: usize, rule: &'d Rule) -> Self {
        RuleReport {
            line: rule.line,
            chain: chain.to_string(),
            index,
            counters: rule.counters.map(CountersReport::new),
            base: Options(rule.base.options()),
            matches: rule.matches.iter().map(MatchReport).collect(),
            target: TargetReport(&rule.target),
        }
    }
}

impl DiagnosticReport {
    /// The report of a diagnostic.
    pub fn new(diagnostic: &Diagnostic) -> Self {
        DiagnosticReport {
            code: diagnostic.code.as_str(),
            severity: match diagnostic.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            },
            line: diagnostic.line,
            column: diagnostic.column,
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    }
}

impl Serialize for MatchReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Match::Unknown(part) = self.0 {
            map.serialize_entry("ext", &part.module.as_ref().map(ToString::to_string))?;
            unknown(&mut map, part)?;
        } else {
            map.serialize_entry("ext", &*self.0.name())?;
            entries(&mut map, &self.0.options())?;
        }
        map.end()
    }
}

impl Serialize for TargetReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Target::None => {}
            Target::Unknown(part) => {
                map.serialize_entry("name", &part.module.as_ref().map(ToString::to_string))?;
                unknown(&mut map, part)?;
            }
            target => {
                map.serialize_entry("name", &*target.name())?;
                match target {
                    Target::Jump(_) => map.serialize_entry("jump", &true)?,
                    Target::Goto(_) => map.serialize_entry("goto", &true)?,
                    _ => {}
                }
                entries(&mut map, &target.options())?;
            }
        }
        map.end()
    }
}

impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        entries(&mut map, &self.0)?;
        map.end()
    }
}

fn unknown<M: SerializeMap>(map: &mut M, part: &UnknownPart) -> Result<(), M::Error> {
    map.serialize_entry("unknown", &part.text.to_str())?;
    map.serialize_entry("span", &[part.span.start, part.span.end])
}

/// A flag is `true`, one value a string, several an array of strings.
fn entries<M: SerializeMap>(map: &mut M, options: &[OptionText]) -> Result<(), M::Error> {
    let name = |option: &OptionText| option.name.trim_start_matches('-');
    for option in options {
        match option.values.as_slice() {
            [] => map.serialize_entry(name(option), &true)?,
            [value] => map.serialize_entry(name(option), &value.to_str())?,
            values => {
                let values: Vec<_> = values.iter().map(crate::OptionValue::to_str).collect();
                map.serialize_entry(name(option), &values)?;
            }
        }
    }
    let negated: Vec<&str> = options.iter().filter(|option| option.negated).map(name).collect();
    if negated.is_empty() { Ok(()) } else { map.serialize_entry("not", &negated) }
}
