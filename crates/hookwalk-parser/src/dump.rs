use std::sync::Arc;

use crate::types::{Family, Text};
use crate::{Counters, Diagnostic, Rule, Span};

/// A dump as it was read: the bytes, what they say, and what about them was not right.
#[derive(Clone, Debug)]
pub struct Dump {
    pub(crate) text: Arc<Vec<u8>>,
    pub(crate) tables: Vec<Table>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) diagnostics_left_out: usize,
    /// A `COMMIT` stands where no table is open: the start of that table is missing.
    pub(crate) lacks_table: bool,
}

impl Dump {
    /// The bytes that came in, unchanged.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The tables in the order of the dump. A name can stand here twice; see [`Table::name`].
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// What was not right, in the order of the lines; at most 10,000 are kept.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many diagnostics beyond 10,000 were not kept.
    pub fn diagnostics_left_out(&self) -> usize {
        self.diagnostics_left_out
    }

    /// The bytes of a span; empty when it lies outside.
    pub fn slice(&self, span: Span) -> &[u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Whether the dump is a whole save: every table has its header and its `COMMIT`, and there is
    /// at least one. In a whole save a table that is absent is empty; in any other it is unknown.
    pub fn is_whole(&self) -> bool {
        !self.lacks_table
            && !self.tables.is_empty()
            && self.tables.iter().all(|table| table.end == TableEnd::Commit)
    }
}

/// One table of a dump.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// `nat`, `filter` and so on. When two tables of a dump have one name, family and backend, the
    /// later one holds: that is what restoring the dump would leave.
    pub name: Text,
    /// The line of `*NAME`; none where the rules stand without a header.
    pub line: Option<u32>,
    /// Whose table it is: from the header, or from the first address in its rules.
    pub family: Option<Family>,
    /// Which of the two kernel interfaces it was saved from, where the header tells.
    pub backend: Option<Backend>,
    /// Its chains, the declared ones first, in the order of the dump.
    pub chains: Vec<Chain>,
    /// How the table ends in the dump.
    pub end: TableEnd,
}

impl Table {
    /// Whether this is one of the chains that the kernel itself enters.
    pub fn is_builtin(&self, chain: &[u8]) -> bool {
        self.builtin_chains().contains(&chain)
    }

    /// The chains that the kernel itself enters, in the order iptables-save prints them; all five
    /// where the table is not known.
    pub fn builtin_chains(&self) -> &'static [&'static [u8]] {
        match self.name.as_bytes() {
            b"filter" | b"security" => &[b"INPUT", b"FORWARD", b"OUTPUT"],
            b"nat" => &[b"PREROUTING", b"INPUT", b"OUTPUT", b"POSTROUTING"],
            b"raw" => &[b"PREROUTING", b"OUTPUT"],
            _ => &[b"PREROUTING", b"INPUT", b"FORWARD", b"OUTPUT", b"POSTROUTING"],
        }
    }

    /// The chain of this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }
}

/// How a table ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableEnd {
    /// `COMMIT`: the table is whole.
    Commit,
    /// The dump ends or another table starts before `COMMIT`.
    Missing,
    /// The rules stand without a header, so that nothing says where the table would end.
    Fragment,
    /// Not shown at all: `# Table … is incompatible, use 'nft' tool.`
    Incompatible,
}

/// The kernel interface under the `iptables` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// `iptables-legacy`: `ip_tables`.
    Legacy,
    /// `iptables-nft`: `nf_tables`.
    Nft,
}

/// One chain of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Its name; compare as bytes.
    pub name: Text,
    /// The line that declares it; none where only its rules are in the dump.
    pub line: Option<u32>,
    /// What happens at the end of a built-in chain; none for user chains, and where the dump does
    /// not tell.
    pub policy: Option<Policy>,
    /// Packets that came to the end of a built-in chain.
    pub counters: Option<Counters>,
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// Where rules may be missing, in order.
    pub gaps: Vec<Gap>,
}

/// A place where the dump lost text that may have held rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many of the chain's rules stand before it.
    pub after: usize,
    /// The line at which text is missing.
    pub line: u32,
}

/// The verdict at the end of a built-in chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// The packet goes on.
    Accept,
    /// The packet ends here.
    Drop,
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Policy::Accept => "ACCEPT",
            Policy::Drop => "DROP",
        })
    }
}
