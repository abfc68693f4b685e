use std::fmt;

use hookwalk_parser::types::Text;

/// Something about a ruleset that the kernel would refuse to load, or that the dumps leave open.
///
/// A walk answers "unknown" where it comes to such a place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Jumps lead from a chain back to itself.
    JumpLoop {
        /// The rules that lead round, each with the chain it stands in.
        path: Vec<Site>,
    },
    /// A rule jumps to a chain that the table does not have.
    MissingChain {
        /// The rule.
        site: Site,
        /// The chain that is not there.
        target: Text,
    },
    /// Two dumps hold the same table of one family and backend: the later one is walked.
    SecondTable {
        /// The index of the later dump.
        dump: usize,
        /// The table.
        table: Text,
        /// Its line in the later dump.
        line: u32,
        /// The index of the earlier dump.
        earlier: usize,
    },
    /// Jumps go deeper than the nft backend carries.
    TooDeep {
        /// The index of the dump.
        dump: usize,
        /// The table.
        table: Text,
        /// The chain that is deepest.
        chain: Text,
        /// The line that declares it.
        line: Option<u32>,
        /// How many jumps lead to it.
        depth: usize,
    },
}

/// A rule by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The index of the dump, as given to the engine.
    pub dump: usize,
    /// The table.
    pub table: Text,
    /// The chain.
    pub chain: Text,
    /// The number of the rule in its chain, from 1.
    pub rule: usize,
    /// The line of the dump, from 1.
    pub line: u32,
}

impl Problem {
    /// The stable word for the kind of problem.
    pub const fn code(&self) -> &'static str {
        match self {
            Problem::JumpLoop { .. } => "jump-loop",
            Problem::MissingChain { .. } => "missing-chain",
            Problem::SecondTable { .. } => "second-table",
            Problem::TooDeep { .. } => "too-deep",
        }
    }

    /// The line of the dump where it shows, from 1.
    pub fn line(&self) -> u32 {
        match self {
            Problem::JumpLoop { path } => path.first().map_or(0, |site| site.line),
            Problem::MissingChain { site, .. } => site.line,
            Problem::SecondTable { line, .. } => *line,
            Problem::TooDeep { line, .. } => line.unwrap_or(0),
        }
    }

    /// The index of the dump it is about.
    pub fn dump(&self) -> usize {
        match self {
            Problem::JumpLoop { path } => path.first().map_or(0, |site| site.dump),
            Problem::MissingChain { site, .. } => site.dump,
            Problem::SecondTable { dump, .. } | Problem::TooDeep { dump, .. } => *dump,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::JumpLoop { path } => {
                f.write_str("jumps lead in a loop: ")?;
                for site in path {
                    write!(f, "`{}` (rule {}, line {}) -> ", site.chain, site.rule, site.line)?;
                }
                match path.first() {
                    Some(first) => write!(f, "`{}`", first.chain),
                    None => Ok(()),
                }
            }
            Problem::MissingChain { site, target } => {
                write!(
                    f,
                    "rule {} of `{}` jumps to `{target}`, which table `{}` does not have",
                    site.rule, site.chain, site.table
                )
            }
            Problem::SecondTable { table, earlier, .. } => {
                write!(f, "table `{table}` is in dump {} already: this one is walked", earlier + 1)
            }
            Problem::TooDeep { table, chain, depth, .. } => {
                write!(
                    f,
                    "chain `{chain}` of table `{table}` is {depth} jumps deep: the nft backend carries 15"
                )
            }
        }
    }
}
