use memchr::memchr;

use super::Reader;
use super::diagnostics::{Diagnostics, quote};
use super::rule::RuleReader;
use super::tables::{Origin, Tables};
use crate::syntax::value;
use crate::{Code, Counters, Dump, Span, TableEnd};

/// What `iptables-restore` reads of one line (`iptables/iptables-restore.c`, `buffer[10240]`).
const LONGEST_LINE: usize = 10_239;

pub(super) fn read(reader: &Reader, text: Vec<u8>) -> Dump {
    let mut lines = Lines {
        diagnostics: Diagnostics::default(),
        tables: Tables::new(reader, text.len()),
        rules: RuleReader::default(),
        warned_of_cr: false,
    };
    let readable = lines.readable_part(&text);
    let mut start = 0;
    while start < readable.len() {
        let rest = readable.get(start..).unwrap_or_default();
        let (line, ended) = match memchr(b'\n', rest) {
            Some(end) => (rest.get(..end).unwrap_or_default(), true),
            None => (rest, false),
        };
        lines.diagnostics.line += 1;
        lines.diagnostics.line_start = offset(start);
        lines.line(line, ended);
        start += line.len() + 1;
    }
    lines.tables.finish(&mut lines.diagnostics);
    let (diagnostics, diagnostics_left_out) = lines.diagnostics.finish();
    Dump { tables: lines.tables.into_tables(), diagnostics, diagnostics_left_out, text }
}

struct Lines<'r> {
    diagnostics: Diagnostics,
    tables: Tables<'r>,
    rules: RuleReader,
    warned_of_cr: bool,
}

impl Lines<'_> {
    /// The part of the input that can be read as lines of a dump at all.
    fn readable_part<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let whole = Span { start: 0, end: offset(text.len()) };
        if text.is_empty() {
            self.diagnostics.at_line(Code::EmptyInput, 1, whole, || "the input is empty".into());
        } else if memchr(0, text).is_some() {
            self.diagnostics.at_line(Code::BinaryInput, 1, whole, || {
                "the input holds NUL bytes: expected the text of iptables-save".into()
            });
            return &[];
        }
        match text.get(..u32::MAX as usize) {
            Some(readable) => {
                self.diagnostics.at_line(Code::InputTooLarge, 1, whole, || {
                    "the input is 4 GiB or more: the rest is not read".into()
                });
                readable
            }
            None => text,
        }
    }

    fn line(&mut self, line: &[u8], ended: bool) {
        if line.len() > LONGEST_LINE {
            self.diagnostics.here(Code::LineTooLong, offset(LONGEST_LINE), offset(line.len()), || {
                format!("the line has {} bytes: iptables-restore reads {LONGEST_LINE}", line.len())
            });
        }
        let line = self.without_cr(line);
        let blanks = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let content = line.get(blanks..).unwrap_or_default();
        match content {
            [] => {}
            [b'#', ..] => self.comment(content),
            [b'*', name @ ..] => self.table(line, name),
            [b':', ..] => self.chain(line, blanks + 1, ended),
            [b'-' | b'[', ..] => self.rule(line, blanks, ended),
            _ if content.trim_ascii_end() == b"COMMIT" => self.commit(line),
            _ => self.unrecognised(line, ended),
        }
    }

    fn without_cr<'l>(&mut self, line: &'l [u8]) -> &'l [u8] {
        let Some((b'\r', rest)) = line.split_last() else { return line };
        if !self.warned_of_cr {
            self.warned_of_cr = true;
            self.diagnostics.here(Code::CarriageReturn, offset(rest.len()), offset(line.len()), || {
                "the line ends in CR LF, which iptables-restore refuses: the CR is passed over".into()
            });
        }
        rest
    }

    fn comment(&mut self, comment: &[u8]) {
        if let Some(origin) = Origin::read(comment) {
            self.tables.came_from(origin);
        } else if let Some(table) = incompatible_table(comment) {
            self.diagnostics.here(Code::IncompatibleTable, 0, offset(comment.len()), || {
                format!("table {} is not in the dump: iptables could not show it", quote(table))
            });
            self.tables.incompatible(table, &mut self.diagnostics);
        }
        if let Some(at) = memchr(b'\r', comment) {
            self.diagnostics.here(Code::StrayCarriageReturn, offset(at), offset(comment.len()), || {
                "a carriage return in a comment: what stands behind it is not read; expected lines that end in LF".into()
            });
            self.tables.lost_text(self.diagnostics.line);
        }
    }

    fn table(&mut self, line: &[u8], name: &[u8]) {
        const TABLES: [&[u8]; 5] = [b"filter", b"nat", b"mangle", b"raw", b"security"];
        let name = name.trim_ascii();
        if !TABLES.contains(&name) {
            self.diagnostics.here(Code::BadTable, 0, offset(line.len()), || {
                format!("{} names no table: expected a header such as `*nat`", quote(line))
            });
        }
        self.tables.open(name, &mut self.diagnostics);
    }

    fn chain(&mut self, line: &[u8], from: usize, ended: bool) {
        let declaration = line.get(from..).unwrap_or_default();
        let mut words = declaration.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        let (name, policy, counters) = (words.next(), words.next(), words.next());
        let is_cut = !ended && self.tables.has_header();
        let (Some(name), Some(policy)) = (name, policy) else {
            let code = if is_cut { Code::CutLine } else { Code::BadChain };
            self.diagnostics.here(code, 0, offset(line.len()), || {
                format!("{} declares no chain: expected `:CHAIN POLICY [packets:bytes]`", quote(line))
            });
            return;
        };
        let counters = counters.and_then(|word| match value::<Counters>(word) {
            Ok(counters) => Some(counters),
            Err(expected) if !is_cut => {
                let at = offset_in(line, word);
                self.diagnostics.here(Code::BadCounters, at, at + offset(word.len()), || {
                    format!("{} are no counters: {expected}", quote(word))
                });
                None
            }
            Err(_) => None,
        });
        let at = offset_in(line, policy);
        self.tables.declare(name, policy, at, counters, &mut self.diagnostics);
        if let Some(extra) = words.next() {
            let at = offset_in(line, extra);
            self.diagnostics.here(Code::BadChain, at, offset(line.len()), || {
                format!("{} stands behind a chain's counters: iptables-restore refuses it", quote(extra))
            });
        }
    }

    fn rule(&mut self, line: &[u8], blanks: usize, ended: bool) {
        let content = line.get(blanks..).unwrap_or_default();
        let (counters, from) = if content.first() == Some(&b'[') {
            let end = content.iter().position(|&b| b == b']').map_or(content.len(), |at| at + 1);
            let word = content.get(..end).unwrap_or_default();
            match value::<Counters>(word) {
                Ok(counters) => (Some(counters), blanks + end),
                Err(expected) => {
                    self.diagnostics.here(Code::BadCounters, offset(blanks), offset(blanks + end), || {
                        format!("{} are no counters: {expected}", quote(word))
                    });
                    (None, blanks + end)
                }
            }
        } else {
            (None, blanks)
        };
        let is_cut = !ended && self.tables.has_header();
        self.rules.read((line, from), counters, is_cut, &mut self.tables, &mut self.diagnostics);
    }

    fn commit(&mut self, line: &[u8]) {
        if !self.tables.close(TableEnd::Commit, &mut self.diagnostics) {
            self.diagnostics.here(Code::StrayCommit, 0, offset(line.len()), || {
                "`COMMIT` ends no table: expected a header such as `*nat` before it".into()
            });
        }
    }

    fn unrecognised(&mut self, line: &[u8], ended: bool) {
        let code = if ended || !self.tables.has_header() { Code::UnrecognisedLine } else { Code::CutLine };
        self.diagnostics.here(code, 0, offset(line.len()), || {
            format!(
                "{} is no line of a dump: expected `*TABLE`, `:CHAIN`, a rule such as `-A CHAIN …`, `COMMIT` or `#`",
                quote(line)
            )
        });
        self.tables.lost_text(self.diagnostics.line);
    }
}

/// The table that iptables-nft-save says it cannot show.
fn incompatible_table(comment: &[u8]) -> Option<&[u8]> {
    let rest = comment.strip_prefix(b"# Table `")?;
    let end = memchr(b'\'', rest)?;
    let told = rest.get(end..)?;
    (told.starts_with(b"' is incompatible") || told.starts_with(b"' contains incompatible"))
        .then(|| rest.get(..end).unwrap_or_default())
}

/// Where a part of a line starts.
fn offset_in(line: &[u8], part: &[u8]) -> u32 {
    offset((part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize))
}

/// Offsets fit because no more than 4 GiB are read.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
