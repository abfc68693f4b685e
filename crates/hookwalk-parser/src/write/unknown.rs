//! Rules that hold something which was not understood.

use rustc_hash::{FxHashMap, FxHashSet};

use super::rule::{RuleWriter, append, quoted, word};
use crate::extensions::{Match, Target, UnknownPart};
use crate::syntax::{Word, split_words, value};
use crate::{Chain, Rule};

impl RuleWriter<'_> {
    /// Writes a rule: its own text where that is read as the same again, else its known parts with the
    /// unknown ones in quotes.
    pub(super) fn unknown(&self, rule: &Rule, chain: &Chain, out: &mut Vec<u8>) {
        if let Some(line) = self.standing.get_or_init(|| self.standing()).get(&rule.span.start) {
            out.extend_from_slice(line);
        } else {
            append(rule, chain, out);
            self.parts(rule, out);
            self.end(rule, out);
        }
    }

    /// The lines that are read again as the rules they made, by where they start in the dump. Whether one is
    /// depends on all that the reader knows of the table, so that the reader itself is asked.
    fn standing(&self) -> FxHashMap<u32, Vec<u8>> {
        let mut text = self.head();
        let first = 1 + memchr::memchr_iter(b'\n', &text).count();
        let mut asked = Vec::new();
        // A list of addresses makes several rules of one line.
        let mut starts = FxHashSet::default();
        for chain in &self.chains {
            for rule in chain.rules.iter().filter(|rule| rule.unknown_parts().next().is_some()) {
                if let Some(own) = self.own_text(rule, chain).filter(|_| starts.insert(rule.span.start)) {
                    text.extend_from_slice(&own);
                    asked.push((rule, &chain.name));
                }
            }
        }
        let dump = crate::parse(text);
        let mut read = FxHashMap::default();
        for chain in dump.tables().iter().flat_map(|table| &table.chains) {
            for rule in &chain.rules {
                let of_line = read.entry(rule.line as usize);
                of_line.and_modify(|only| *only = None).or_insert(Some((rule, &chain.name)));
            }
        }
        let mut standing = FxHashMap::default();
        // An option that was not understood where it stood may tell the family where it is read again.
        let family = self.origin.map(|(family, _)| family);
        if dump.tables().iter().any(|table| table.family != family) {
            return standing;
        }
        for (line, (rule, chain)) in (first..).zip(asked) {
            if let Some(Some((again, name))) = read.get(&line)
                && *name == chain
                && is_alike(rule, again, self.is_cut(rule))
            {
                let line = [dump.slice(again.span), b"\n"].concat();
                standing.insert(rule.span.start, line);
            }
        }
        standing
    }

    /// The rule's own text as it would stand in its chain.
    fn own_text(&self, rule: &Rule, chain: &Chain) -> Option<Vec<u8>> {
        let line = self.dump.slice(rule.span);
        let source = Source::read(line)?;
        // A line whose lists of addresses made too many rules need not make too many the next time.
        let start = source.words.first().map_or(0, |word| word.start);
        if rule.unknown_parts().any(|part| part.span.start == rule.span.start + start) {
            return None;
        }
        let mut out = Vec::new();
        if source.appends_to(chain.name.as_bytes()) {
            out.extend_from_slice(trim_blanks(line));
        } else {
            append(rule, chain, &mut out);
            out.push(b' ');
            out.extend_from_slice(trim_blanks(source.parts()));
        }
        self.end(rule, &mut out);
        Some(out)
    }

    /// Ends a line. Where the dump ends in it, what would follow is unknown, and must stay so: no option takes
    /// three words.
    fn end(&self, rule: &Rule, out: &mut Vec<u8>) {
        let blanks = out.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        out.truncate(out.len() - blanks);
        if self.is_cut(rule) {
            out.extend_from_slice(" … … …".as_bytes());
        }
        out.push(b'\n');
    }

    /// Whether the dump ends in the rule's line. A pasted line has no end either way.
    fn is_cut(&self, rule: &Rule) -> bool {
        let behind = self.dump.text().get(rule.span.end as usize..);
        self.table.line.is_some() && behind.is_none_or(|rest| memchr::memchr(b'\n', rest).is_none())
    }
}

/// Whether a rule that is read again says what it said. What stands for the end of a cut line is unknown as
/// well, and behind a target it makes that unknown.
fn is_alike(rule: &Rule, again: &Rule, is_cut: bool) -> bool {
    let same = |one: &UnknownPart, other: &UnknownPart| one.module == other.module && one.text == other.text;
    let is_known = |part: &&Match| !matches!(part, Match::Unknown(_));
    let matches_agree = if is_cut {
        again.unknown_parts().next().is_some()
            && rule.matches.iter().filter(is_known).eq(again.matches.iter().filter(is_known))
    } else {
        rule.matches.len() == again.matches.len()
            && rule.matches.iter().zip(&again.matches).all(|pair| match pair {
                (Match::Unknown(one), Match::Unknown(other)) => same(one, other),
                (one, other) => one == other,
            })
    };
    let targets_agree = match (&rule.target, &again.target) {
        (Target::Unknown(one), Target::Unknown(other)) if is_cut => {
            one.module.is_none() || one.module == other.module
        }
        (Target::Unknown(one), Target::None) if is_cut => one.module.is_none(),
        (Target::Unknown(one), Target::Unknown(other)) => same(one, other),
        (one, other) => one == other,
    };
    rule.counters == again.counters && rule.base == again.base && matches_agree && targets_agree
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

#[cfg(test)]
mod tests {
    fn canonical(text: &str) -> String {
        let first = crate::parse(text).canonical();
        let again = crate::parse(first.clone()).canonical();
        let [first, again] = [first, again].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(first, again);
        first
    }

    #[test]
    fn own_text_stands_where_it_says_the_same_again() {
        let rules = "-A X -m foo --bar 1 -j Y\n-A X -j ODD --baz\n-A X --dpor 80 -g Y\n";
        let table = "# Generated by iptables-save\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n";
        let text = format!("{table}:OUTPUT ACCEPT [0:0]\n:X - [0:0]\n:Y - [0:0]\n{rules}COMMIT\n");
        assert_eq!(canonical(&text), text);
        // Behind a chain of its name the target is another.
        let later = canonical("-N X\n-A X -m foo -j LOG\n-N LOG\n");
        assert!(later.contains("-A X \"-m foo\" -j LOG \"\"\n"), "{later}");
    }

    #[test]
    fn each_rule_of_a_list_stands_by_itself() {
        let text = "-N X\n-A X -s 1.1.1.1,2.2.2.2,3.3.3.3 --foo\n-D X 2\n";
        let written = canonical(text);
        let rules: Vec<&str> = written.lines().filter(|line| line.starts_with("-A")).collect();
        assert_eq!(rules, ["-A X -s 1.1.1.1/32 \"--foo\"", "-A X -s 3.3.3.3/32 \"--foo\""]);
    }

    #[test]
    fn an_option_that_was_not_understood_does_not_tell_the_family() {
        assert!(canonical("-A X -j Y --ipv6 a\n-A Y\n").starts_with("Table: "));
    }

    #[test]
    fn the_end_of_a_cut_line_stays_unknown() {
        for (line, expected) in [
            ("-A X -j LOG", "-A X -j LOG … … …\n"),
            ("-A X -jLOG", "-A X -jLOG … … …\n"),
            ("-A X -p tcp --dport 8", "-A X -p tcp --dport 8 … … …\n"),
            (
                "-A X -m comment --comment \"a",
                "-A X -m comment --comment a \"\\\"a\" -j \"\\\"a\" \"\\\"a\" … … …\n",
            ),
        ] {
            let written = canonical(&format!("*filter\n:X - [0:0]\n{line}"));
            assert!(written.ends_with(expected), "{written}");
        }
        // What somebody pasted is not cut.
        assert!(canonical("-N X\n-A X -m foo -j LOG").ends_with("-A X -m foo -j LOG\n"));
    }
}
