//! Bytes to a [`Dump`]: lines, the tables they belong to, and the rules in them.

mod abbreviation;
#[cfg(feature = "rayon1")]
mod ahead;
mod command;
mod diagnostics;
mod edit;
mod foreign;
mod guess;
mod lines;
mod listed;
mod listing;
mod names;
mod open_table;
mod options;
mod origin;
mod plain;
mod rule;
mod similar;
mod tables;
mod unknown;

use crate::types::{Family, Text};
use crate::{Backend, Dump};

/// Reads a dump with nothing known beforehand. See [`Reader`] for dumps that do not say enough.
pub fn parse(text: impl Into<Vec<u8>>) -> Dump {
    Reader::new().parse(text)
}

/// Reads dumps, told what their text leaves open.
///
/// ```
/// use hookwalk_parser::Reader;
/// let dump = Reader::new().table("nat").parse("-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-X\n");
/// assert_eq!(dump.tables()[0].name, "nat");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Reader {
    table: Option<Text>,
    family: Option<Family>,
    backend: Option<Backend>,
    noflush: bool,
}

impl Reader {
    /// A reader that is told nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The table of lines that stand under no `*TABLE`.
    #[must_use]
    pub fn table(mut self, name: &str) -> Self {
        self.table = Some(Text::from(name));
        self
    }

    /// The family where the text does not tell.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    /// The backend where the text does not tell.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Whether a table that stands twice goes on where it was, as `iptables-restore --noflush` loads
    /// it, instead of replacing what stood before. A text that names `--noflush` needs no telling.
    #[must_use]
    pub fn noflush(mut self, noflush: bool) -> Self {
        self.noflush = noflush;
        self
    }

    /// Reads a dump. This never fails as a whole: see [`Dump::diagnostics`].
    pub fn parse(&self, text: impl Into<Vec<u8>>) -> Dump {
        lines::read(self, text.into())
    }
}
