//! Rules that hold something which was not understood.

use super::rule::{RuleWriter, append, quoted, word};
use crate::extensions::{Target, UnknownPart};
use crate::syntax::{Word, split_words, value};
use crate::types::Text;
use crate::{Chain, Rule};

impl<'d> RuleWriter<'d> {
    /// Writes a rule: its own text where that is read as the same again, else its known parts with the
    /// unknown ones in quotes.
    pub(super) fn unknown(&mut self, rule: &Rule, chain: &Chain, out: &mut Vec<u8>) {
        let line = self.dump.slice(rule.span);
        // Where the dump ends in this line, what would follow is unknown, and must stay so; a carriage
        // return at its end would be taken for a part of the line's end. No option takes three words.
        let is_cut = self.is_last_line(rule.span.end) || trim_blanks(line).ends_with(b"\r");
        let source = Source::read(line).filter(|source| self.stands_again(rule, source, is_cut));
        let is_whole = |source: &Source<'_>| source.appends_to(chain.name.as_bytes());
        if let Some(source) = source {
            // The rules of one address list share a line, which stands once.
            if self.written.replace(rule.span) == Some(rule.span) {
                return;
            }
            if is_whole(&source) {
                out.extend_from_slice(trim_blanks(line));
            } else {
                append(rule, chain, out);
                out.push(b' ');
                out.extend_from_slice(trim_blanks(source.parts()));
            }
        } else {
            append(rule, chain, out);
            self.parts(rule, out);
        }
        let blanks = out.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        out.truncate(out.len() - blanks);
        if is_cut || out.ends_with(b"\r") {
            out.extend_from_slice(" … … …".as_bytes());
        }
        out.push(b'\n');
    }

    /// Whether the dump ends in the line that holds this offset.
    fn is_last_line(&self, at: u32) -> bool {
        self.dump.text().get(at as usize..).is_none_or(|rest| memchr::memchr(b'\n', rest).is_none())
    }

    /// Whether the rule's own text is read again as it was: its target's name must mean what it meant
    /// where it stood, whatever chains other lines made, renamed or took away.
    fn stands_again(&self, rule: &Rule, source: &Source<'_>, is_cut: bool) -> bool {
        // A line with lists of addresses that made too many rules need not make too many the next time.
        let start = source.words.first().map_or(0, |word| word.start);
        if rule.unknown_parts().any(|part| part.span.start == rule.span.start + start) {
            return false;
        }
        let stays_unknown = |name: &Text| {
            // The kernel's own chains are there in any case.
            if self.table.is_builtin(name.as_bytes()) {
                return true;
            }
            let was_chain = |chain: &Chain| chain.line.is_some_and(|line| line < rule.line);
            self.named(name.as_bytes()).is_none_or(was_chain)
        };
        match &rule.target {
            Target::None => true,
            // The words that stand for the end of a cut line are read, so that its target may be known.
            Target::Unknown(part) => part
                .module
                .as_ref()
                .is_none_or(|name| stays_unknown(name) && (!is_cut || source.names_target(name.as_bytes()))),
            // The words that stand for the end of a cut line make the target unknown.
            Target::Jump(name) | Target::Goto(name) if is_cut && !stays_unknown(name) => false,
            Target::Jump(name) => {
                let is_target = Target::named(name.as_bytes()).is_some();
                source.names_target(name.as_bytes()) && (!is_target || self.is_hidden(name.as_bytes()))
            }
            Target::Goto(name) => source.names_target(name.as_bytes()),
            target => !self.is_hidden(target.name().as_bytes()),
        }
    }

    fn named(&self, name: &[u8]) -> Option<&'d Chain> {
        let by_name = || self.table.chains.iter().map(|chain| (chain.name.as_bytes(), chain)).collect();
        self.by_name.get_or_init(by_name).get(name).copied()
    }
}

/// A line that makes a rule by a command.
struct Source<'l> {
    line: &'l [u8],
    words: Vec<Word>,
    /// The word index of the command, and of the first word behind its chain and number.
    command: usize,
    parts: usize,
}

impl<'l> Source<'l> {
    /// None for a row of a listing, and where a quote that opens in the chain's name leaves nothing of
    /// the rule.
    fn read(line: &'l [u8]) -> Option<Self> {
        let from = if line.trim_ascii_start().starts_with(b"[") {
            memchr::memchr(b']', line).map_or(0, |at| at + 1)
        } else {
            0
        };
        let mut words = Vec::new();
        split_words(line, from, &mut words);
        let bare = |at: usize| words.get(at).map_or(&b""[..], |word| word.bare(line));
        let command =
            (0..words.len()).find(|&at| !matches!(bare(at), b"-4" | b"-6" | b"--ipv4" | b"--ipv6"))?;
        let may_have_number = match bare(command) {
            b"-A" | b"--append" => false,
            b"-I" | b"--insert" | b"-R" | b"--replace" => true,
            _ => return None,
        };
        if words.get(command + 1)?.is_open() {
            return None;
        }
        let has_number = may_have_number && value::<u64>(bare(command + 2)).is_ok();
        let parts = command + 2 + usize::from(has_number);
        Some(Source { line, words, command, parts })
    }

    /// Whether the line says `-A CHAIN` at its start, so that it stands again as it is.
    fn appends_to(&self, chain: &[u8]) -> bool {
        let command = self.words.first().map(|word| word.bare(self.line));
        self.command == 0
            && matches!(command, Some(b"-A" | b"--append"))
            && self.words.get(1).is_some_and(|word| *word.text(self.line) == *chain)
    }

    /// What stands behind the chain and the number.
    fn parts(&self) -> &'l [u8] {
        let from = self.words.get(self.parts).map_or(self.line.len(), |word| word.start as usize);
        self.line.get(from..).unwrap_or_default()
    }

    /// Whether `-j NAME` or `-g NAME` stands in the line.
    fn names_target(&self, name: &[u8]) -> bool {
        self.words.windows(2).any(|pair| match pair {
            [option, target] => {
                matches!(option.bare(self.line), b"-j" | b"--jump" | b"-g" | b"--goto")
                    && *target.text(self.line) == *name
            }
            _ => false,
        })
    }
}

/// Writes an unknown part so that it is unknown again: as one word in quotes, unless no word of it is
/// read as an option anyway.
pub(super) fn in_quotes(text: &[u8], out: &mut Vec<u8>) {
    let mut words = Vec::new();
    split_words(text, 0, &mut words);
    if !words.is_empty() && words.iter().all(|word| is_settled(*word, text)) {
        out.extend_from_slice(text);
    } else {
        quoted(text, b"\"\\", out);
    }
}

/// Writes an unknown target so that it is unknown again, under its name.
pub(super) fn target(part: &UnknownPart, out: &mut Vec<u8>) {
    let text = part.text.as_bytes();
    let mut words = Vec::new();
    split_words(text, 0, &mut words);
    out.push(b' ');
    // It was written so before.
    if let [jump, _, behind @ ..] = &*words
        && matches!(jump.bare(text), b"-j" | b"-g")
        && !behind.is_empty()
        && behind.iter().all(|word| is_settled(*word, text))
    {
        out.extend_from_slice(text);
        return;
    }
    out.extend_from_slice(b"-j ");
    word(part.module.as_ref().unwrap_or(&part.text).as_bytes(), out);
    out.push(b' ');
    quoted(text, b"\"\\", out);
}

/// Whether a word is never read as an option.
fn is_settled(word: Word, text: &[u8]) -> bool {
    let raw = word.raw(text);
    raw == "…".as_bytes() || (raw.starts_with(b"\"") && !word.is_open())
}

fn trim_blanks(text: &[u8]) -> &[u8] {
    let is_text = |b: &u8| !matches!(b, b' ' | b'\t');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |at| at + 1);
    text.get(start..end).unwrap_or_default()
}
