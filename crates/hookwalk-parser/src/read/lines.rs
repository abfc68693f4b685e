use std::sync::Arc;

use memchr::memchr;

use super::Reader;
use super::diagnostics::{Diagnostics, quote};
use super::foreign::{self, Nft, Prompt};
use super::listing::Listing;
use super::origin::Origin;
use super::rule::RuleReader;
use super::tables::Tables;
use crate::syntax::value;
use crate::{Code, Counters, Dump, Span, TableEnd};

/// What `iptables-restore` reads of one line (`iptables/iptables-restore.c`, `buffer[10240]`).
const LONGEST_LINE: usize = 10_239;

pub(super) fn read(reader: &Reader, text: Vec<u8>) -> Dump {
    let text = Arc::new(text);
    let mut lines = Lines {
        diagnostics: Diagnostics::default(),
        tables: Tables::new(reader, text.len()),
        rules: RuleReader::new(Arc::clone(&text)),
        listing: Listing::default(),
        in_nft: false,
        told_of_nft: false,
        warned_of_cr: false,
        stray_commit: false,
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
        let behind = rest.get(line.len() + 1..).unwrap_or_default();
        lines.line(line, behind, ended);
        start += line.len() + 1;
    }
    lines.tables.finish(&mut lines.diagnostics);
    let (diagnostics, diagnostics_left_out) = lines.diagnostics.finish();
    let lacks_table = lines.stray_commit;
    Dump { tables: lines.tables.into_tables(), diagnostics, diagnostics_left_out, lacks_table, text }
}

struct Lines<'r> {
    diagnostics: Diagnostics,
    tables: Tables<'r>,
    rules: RuleReader,
    listing: Listing,
    /// The lines up to `}` are of nft's own language.
    in_nft: bool,
    told_of_nft: bool,
    warned_of_cr: bool,
    /// A table ended of which the start was not there.
    stray_commit: bool,
}

/// One line as it is read: where what belongs to the dump starts in it, and whether a line end follows.
#[derive(Clone, Copy)]
struct Place<'l> {
    line: &'l [u8],
    from: usize,
    ended: bool,
    /// What follows the line.
    behind: &'l [u8],
}

impl<'l> Place<'l> {
    fn content(&self) -> &'l [u8] {
        self.line.get(self.from..).unwrap_or_default()
    }

    /// The same without the blanks at its start.
    fn trimmed(self) -> Self {
        self.skip(self.content().iter().take_while(|b| matches!(b, b' ' | b'\t')).count())
    }

    fn skip(self, bytes: usize) -> Self {
        Place { from: self.from + bytes, ..self }
    }
}

impl Lines<'_> {
    /// The part of the input that can be read as lines of a dump at all.
    fn readable_part<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let whole = Span { start: 0, end: offset(text.len()) };
        if text.is_empty() {
            self.diagnostics.at_line(Code::EmptyInput, 1, whole, || "the input is empty".into());
        } else if memchr(0, text).is_some() {
            let what = if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
                "the input is UTF-16: expected the text of iptables-save in UTF-8"
            } else {
                "the input holds NUL bytes: expected the text of iptables-save"
            };
            self.diagnostics.at_line(Code::BinaryInput, 1, whole, || what.into());
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

    /// Reads one line; `behind` is what follows it.
    fn line(&mut self, line: &[u8], behind: &[u8], ended: bool) {
        if line.len() > LONGEST_LINE {
            self.diagnostics.here(Code::LineTooLong, offset(LONGEST_LINE), offset(line.len()), || {
                format!("the line has {} bytes: iptables-restore reads {LONGEST_LINE}", line.len())
            });
        }
        let line = self.without_cr(line);
        // A byte order mark may stand before the first line.
        let from = if self.diagnostics.line == 1 && line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let place = Place { line, from, ended, behind };
        if self.in_nft {
            self.in_nft = place.content() != b"}";
        } else if !self.dump_line(place) && !self.pasted(place) && !self.foreign(place) {
            self.unrecognised(place);
        }
    }

    /// Reads a line of a dump; false when it is none.
    fn dump_line(&mut self, place: Place<'_>) -> bool {
        // Nearly every line of a large dump.
        if place.content().starts_with(b"-A ") {
            self.rule(place, place);
            self.listing.end();
            return true;
        }
        let (start, place) = (place, place.trimmed());
        match place.content() {
            [] => {
                self.listing.end();
                return true;
            }
            [b'#', ..] => {
                if foreign::is_elision(place.content()) {
                    return false;
                }
                match foreign::prompt(place.content()) {
                    Some(prompt) => self.prompt(prompt),
                    None => self.comment(place),
                }
            }
            [b'*', name @ ..] => {
                // Blanks around a name are no part of it, and a long row of them hides no elision.
                let name = name.trim_ascii();
                if foreign::is_elision(place.content()) || foreign::is_elision(&[b"*", name].concat()) {
                    return false;
                }
                self.table(place, name);
            }
            [b':', ..] => self.chain(place),
            [b'-' | b'[', second, ..] => {
                let may_be_other = matches!(second, b'-' | b'.' | b' ') || place.content().starts_with(b"[");
                if may_be_other && foreign::is_elision(place.content().trim_ascii_end()) {
                    return false;
                }
                if place.content().starts_with(b"[")
                    && !second.is_ascii_digit()
                    && let Some(prompt) = foreign::prompt(place.content())
                {
                    self.prompt(prompt);
                    return true;
                }
                self.rule(start, place);
            }
            [b'-' | b'['] => self.rule(start, place),
            content if content.trim_ascii_end() == b"COMMIT" => self.commit(place),
            content if content.starts_with(b"Chain ") => {
                return self.listing.chain(content, &mut self.tables, &mut self.diagnostics);
            }
            _ if self.listing.is_open() => {
                return self.listing.line(place.line, start.from, &mut self.tables, &mut self.diagnostics);
            }
            _ => return false,
        }
        self.listing.end();
        true
    }

    /// Reads a line of a dump behind what somebody or something put before it; false when it is none.
    fn pasted(&mut self, place: Place<'_>) -> bool {
        let mut place = place.trimmed();
        let mut is_quoted = false;
        while let Some(rest) = place.content().strip_prefix(b">") {
            is_quoted = true;
            place = place.skip(1 + usize::from(rest.starts_with(b" ")));
        }
        if is_quoted && self.dump_line(place) {
            return true;
        }
        let place = place.trimmed();
        if let Some(length) = foreign::line_number(place.content()) {
            return self.dump_line(place.skip(length));
        }
        let content = place.content();
        if foreign::is_fence(content) {
            return true;
        }
        if let Some(prompt) = foreign::prompt(content) {
            self.prompt(prompt);
            return true;
        }
        false
    }

    /// What a prompt tells: what was open before it ends, and what follows is what its command printed.
    fn prompt(&mut self, Prompt { command }: Prompt<'_>) {
        self.tables.close(TableEnd::Missing, &mut self.diagnostics);
        self.listing.end();
        self.tables.starts_output();
        if let Some(command) = command {
            self.tables.came_from(command.origin);
            self.tables.fragment_of(command.table);
            self.tables.merges |= command.noflush;
        }
    }

    /// Names what is no dump; false when it is not known.
    fn foreign(&mut self, place: Place<'_>) -> bool {
        let content = place.trimmed().content();
        let (from, to) = (offset(place.trimmed().from), offset(place.line.len()));
        if let Some(nft) = foreign::nft(content, place.behind) {
            self.in_nft = nft == Nft::Block;
            if !self.told_of_nft {
                self.told_of_nft = true;
                self.diagnostics.here(Code::NftRuleset, from, to, || {
                    "this is the language of nft, which is not read: expected the text of iptables-save"
                        .into()
                });
                self.diagnostics
                    .help(Some("save the node's rules with `iptables-save` and `ip6tables-save`".into()));
            }
            return true;
        }
        if foreign::is_elision(content.trim_ascii_end()) {
            self.diagnostics.here(Code::ElidedText, from, to, || {
                "lines are left out here: the rules in them are unknown".into()
            });
            self.tables.lost_text(self.diagnostics.line);
            return true;
        }
        if let Some(backend) = foreign::version(content) {
            self.tables.came_from(Origin { backend: Some(backend), family: None });
            return true;
        }
        // The end of what a shell was told to read: `iptables-restore <<EOF`.
        if content == b"EOF" {
            return true;
        }
        if let Some(command) = foreign::bare_command(content) {
            if command.changes {
                self.diagnostics.here(Code::UnsupportedCommand, from, to, || {
                    format!(
                        "{} is a command: what it did is not read; expected what `iptables-save` printed",
                        quote(content)
                    )
                });
                self.tables.lost_text(self.diagnostics.line);
            }
            if command.table.is_some() {
                self.tables.close(TableEnd::Missing, &mut self.diagnostics);
                self.tables.fragment_of(command.table);
            }
            self.tables.merges |= command.noflush;
            return true;
        }
        if let Some(table) = content.strip_prefix(b"Table: ") {
            self.tables.close(TableEnd::Missing, &mut self.diagnostics);
            // Of what stood before, this line tells nothing any more.
            self.tables.came_from(Origin::default());
            self.tables.fragment_of(Some(table.trim_ascii()));
            return true;
        }
        if foreign::is_tool_error(content) {
            self.diagnostics.here(Code::ToolFailed, from, to, || {
                format!("{} is an error message: what it was to print is missing", quote(content))
            });
            self.tables.lost_text(self.diagnostics.line);
            return true;
        }
        false
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

    fn comment(&mut self, place: Place<'_>) {
        let (comment, from) = (place.content(), place.from);
        let to = offset(place.line.len());
        if let Some(origin) = Origin::read(comment) {
            self.tables.came_from(origin);
        } else if let Some(table) = incompatible_table(comment) {
            self.diagnostics.here(Code::IncompatibleTable, offset(from), to, || {
                format!("table {} is not in the dump: iptables could not show it", quote(table))
            });
            self.tables.incompatible(table, &mut self.diagnostics);
        } else if comment.starts_with(b"# Warning: ip") && comment.trim_ascii_end().ends_with(b"to see them")
        {
            self.diagnostics.here(Code::OtherBackend, offset(from), to, || {
                "the node has tables of the other kernel interface too: packets meet both, and only one is here".into()
            });
            self.diagnostics.help(Some("give the dump that it names as well".into()));
        } else if memchr::memmem::find(comment, b"--noflush").is_some() {
            self.tables.merges = true;
        }
        if let Some(at) = memchr(b'\r', comment) {
            self.diagnostics.here(Code::StrayCarriageReturn, offset(from + at), to, || {
                "a carriage return in a comment: what stands behind it is not read; expected lines that end in LF".into()
            });
            self.tables.lost_text(self.diagnostics.line);
        }
    }

    fn table(&mut self, place: Place<'_>, name: &[u8]) {
        const TABLES: [&[u8]; 5] = [b"filter", b"nat", b"mangle", b"raw", b"security"];
        if !TABLES.contains(&name) {
            self.diagnostics.here(Code::BadTable, offset(place.from), offset(place.line.len()), || {
                format!("{} names no table: expected a header such as `*nat`", quote(place.content()))
            });
        }
        self.tables.open(name, declarations(place.behind), &mut self.diagnostics);
    }

    fn chain(&mut self, place: Place<'_>) {
        let Place { line, from, ended, .. } = place.skip(1);
        let start = offset(place.from);
        let declaration = line.get(from..).unwrap_or_default();
        let mut words = declaration.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        let (name, policy, counters) = (words.next(), words.next(), words.next());
        let is_cut = !ended && self.tables.has_header();
        let (Some(name), Some(policy)) = (name, policy) else {
            let code = if is_cut { Code::CutLine } else { Code::BadChain };
            self.diagnostics.here(code, start, offset(line.len()), || {
                format!(
                    "{} declares no chain: expected `:CHAIN POLICY [packets:bytes]`",
                    quote(place.content())
                )
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

    /// `start` is where the line's own text starts, `place` where its blanks end.
    fn rule(&mut self, start: Place<'_>, place: Place<'_>) {
        let (Place { line, from: blanks, ended, .. }, content) = (place, place.content());
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
        self.rules.read((line, start.from, from), counters, is_cut, &mut self.tables, &mut self.diagnostics);
    }

    fn commit(&mut self, place: Place<'_>) {
        if !self.tables.close(TableEnd::Commit, &mut self.diagnostics) {
            self.stray_commit = true;
            self.diagnostics.here(Code::StrayCommit, offset(place.from), offset(place.line.len()), || {
                "`COMMIT` ends no table: expected a header such as `*nat` before it".into()
            });
        }
    }

    fn unrecognised(&mut self, place: Place<'_>) {
        let Place { line, ended, .. } = place;
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

/// How many lines that declare chains a text starts with; no more than it has room for.
fn declarations(text: &[u8]) -> usize {
    const SHORTEST: usize = ":X - [0:0]\n".len();
    let (mut count, mut rest) = (0, text);
    while let Some((b':', _)) = rest.split_first()
        && let Some(end) = memchr(b'\n', rest)
    {
        count += 1;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    count.min((text.len() - rest.len()) / SHORTEST)
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
