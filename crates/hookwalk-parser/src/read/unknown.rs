use super::diagnostics::quote;
use super::rule::{Line, Opened, Taker, UnknownTarget};
use super::similar;
use crate::extensions::{Match, Target, UnknownPart};
use crate::syntax::{ArgumentError, Arguments, Problem, Word};
use crate::types::Text;
use crate::{Code, Span};

impl Line<'_, '_> {
    /// Keeps an option with a wrong value as unknown; gives how many words to pass over.
    pub(super) fn refused(
        &mut self,
        taker: Taker,
        at: usize,
        option: usize,
        arguments: &Arguments<'_>,
        error: ArgumentError,
    ) -> usize {
        let used = self.complain(option, arguments, error);
        self.keep(taker, at, option + used);
        used
    }

    /// Keeps an option that its match, target or the rule had before.
    pub(super) fn repeated(&mut self, taker: Taker, at: usize, option: usize) -> usize {
        let text = quote(self.bare(option));
        self.report(Code::DuplicateOption, option, || format!("{text} stands twice: iptables takes it once"));
        let end = self.end_of_unknown(option + 1, true);
        self.keep(taker, at, end);
        end - option
    }

    pub(super) fn unknown_option(&mut self, at: usize, option: usize) -> usize {
        let end = self.end_of_unknown(option + 1, true);
        let raw = self.words.get(option).map_or(&b""[..], |w| w.raw(self.bytes));
        let text = quote(raw);
        let last = self.takers.last().copied().unwrap_or(Taker::Base);
        if raw == b"[unsupported" && self.bare(option + 1) == b"revision]" {
            self.report(Code::UnsupportedRevision, option, || {
                "iptables could not show the options of this match or target: the kernel has a newer one"
                    .into()
            });
            self.keep(last, at, option + 2);
            return 2;
        }
        let candidate = match last {
            Taker::Match(index) => self.matches.get(index),
            _ => None,
        };
        let message = match candidate {
            Some(candidate) => {
                let expected =
                    candidate.missing().map(|missing| format!(": expected {}", quote(missing.as_bytes())));
                format!(
                    "unknown option {text} of match `{}`{}",
                    candidate.name(),
                    expected.unwrap_or_default()
                )
            }
            None => format!("unknown option {text}"),
        };
        let help = self.near_option(raw);
        self.report_with(Code::UnknownOption, option, help, || message);
        self.keep(last, at, end);
        end - option
    }

    /// Keeps words as an unknown part of what should have taken them.
    pub(super) fn keep(&mut self, taker: Taker, from: usize, to: usize) {
        match taker {
            Taker::Base => self.unknown_part(None, from, to),
            Taker::Match(index) => {
                if let Some(opened) = self.opened.get_mut(index) {
                    opened.damaged = true;
                }
                let name = self.matches.get(index).map(|m| Text::from(&*m.name()));
                self.unknown_part(name, from, to);
            }
            Taker::Target => {
                let name = if self.unknown_target.is_none() { self.target_name() } else { None };
                self.set_unknown_target(name, self.target_at.unwrap_or(from), to);
            }
        }
    }

    /// The option that was likely meant.
    fn near_option(&mut self, wrong: &[u8]) -> Option<String> {
        const DASHES: [&str; 3] = ["\u{2013}", "\u{2014}", "\u{2212}"];
        let text = std::str::from_utf8(wrong).ok()?;
        if let Some(rest) = DASHES.iter().find_map(|dash| text.strip_prefix(dash)) {
            let rest = rest.trim_start_matches(['-', '\u{2013}', '\u{2014}']);
            let dashes = if rest.len() > 1 { "--" } else { "-" };
            return Some(format!(
                "this is a long dash: did you mean {}?",
                quote(format!("{dashes}{rest}").as_bytes())
            ));
        }
        let bare = |name: &'static [u8]| name.get(2..).unwrap_or_default();
        let all = super::abbreviation::all();
        if !wrong.starts_with(b"--") || wrong.len() < 5 || !self.tables.may_guess(all.len() / 8) {
            return None;
        }
        let start = wrong.get(2..).unwrap_or_default();
        let near: Vec<_> = all.iter().copied().filter(|name| similar::is_near(start, bare(name))).collect();
        let fits = |name: &&&'static [u8]| {
            let (words, bytes): (&[_], _) = (self.words.get(..1).unwrap_or_default(), self.bytes);
            self.knows(|| Arguments::new(bytes, words, false).named(name, None))
        };
        // An option that the rule's matches have is likelier than one that they do not.
        let likely = near.iter().find(fits).or(near.first())?;
        Some(format!("did you mean {}?", quote(likely)))
    }

    fn complain(&mut self, option: usize, arguments: &Arguments<'_>, error: ArgumentError) -> usize {
        let word = option + error.word;
        let name = quote(arguments.name());
        let text = self.words.get(word).map(|w| quote(&w.text(self.bytes))).unwrap_or_default();
        match error.problem {
            Problem::Expected(_) if self.words.get(word).is_some_and(|w| is_masked(&w.text(self.bytes))) => {
                let value = self.words.get(word).map(|w| w.text(self.bytes)).unwrap_or_default();
                self.report_masked(word, arguments.name(), &value);
            }
            Problem::Expected(what) => {
                let value = self.words.get(word).map(|w| w.text(self.bytes)).unwrap_or_default();
                let help = match arguments.name() {
                    b"--dport" | b"--destination-port" if value.contains(&b',') => Some("--dports"),
                    b"--sport" | b"--source-port" if value.contains(&b',') => Some("--sports"),
                    _ => None,
                };
                let help =
                    help.map(|option| format!("did you mean `-m multiport {option}`, which takes a list?"));
                self.report_with(Code::BadValue, word, help, || {
                    format!("{text} cannot stand behind {name}: expected {what}")
                });
            }
            Problem::Missing(what) => {
                self.report(Code::MissingValue, word, || {
                    format!("the line ends behind {name}: expected {what}")
                });
            }
            Problem::NotInvertible => {
                self.report(Code::NotInvertible, option, || format!("`!` cannot stand before {name}"));
                return self.end_of_unknown(option + 1, true) - option;
            }
        }
        arguments.used()
    }

    /// Says that somebody wrote over a value.
    pub(super) fn report_masked(&mut self, word: usize, option: &[u8], value: &[u8]) {
        let (name, text) = (quote(option), quote(value));
        self.report(Code::MaskedText, word, || {
            format!("the value of {name} is masked: what {text} was is unknown")
        });
    }

    /// Behind something unknown: the next word that starts a part of the rule. Behind an unknown match
    /// that is no long option, since those are its own.
    pub(super) fn end_of_unknown(&self, from: usize, long_options_end_it: bool) -> usize {
        let starts_part = |index: usize| {
            let word = self.bare(index);
            matches!(word, b"-m" | b"-j" | b"-g" | b"-s" | b"-d" | b"-i" | b"-o" | b"-p" | b"-f")
                || matches!(word, b"--match" | b"--jump" | b"--goto")
                || (long_options_end_it && word.starts_with(b"--") && word.len() > 2)
        };
        (from..self.words.len())
            .find(|&i| starts_part(i) || (self.bare(i) == b"!" && starts_part(i + 1)))
            .unwrap_or(self.words.len())
            .max(from)
    }

    pub(super) fn check_complete(&mut self) {
        for index in 0..self.opened.len() {
            let (Some(candidate), Some(opened)) = (self.matches.get(index), self.opened.get(index)) else {
                continue;
            };
            let (Some(missing), false) = (candidate.missing(), opened.damaged) else { continue };
            let (name, at) = (Text::from(&*candidate.name()), opened.at);
            self.report(Code::MissingOption, at, || {
                format!("match {} needs {missing}", quote(name.as_bytes()))
            });
            self.unknown_part(Some(name), at, at + 2);
        }
        if let (Some(missing), Some(at), None) = (self.target.missing(), self.target_at, &self.unknown_target)
        {
            let name = quote(self.target.name().as_bytes());
            self.report(Code::MissingOption, at, || format!("target {name} needs {missing}"));
            self.set_unknown_target(self.target_name(), at, self.words.len());
        }
    }

    /// Behind an open quote everything up to the end of the line is lost, the target included.
    pub(super) fn check_open_quote(&mut self) {
        let Some(last) = self.words.len().checked_sub(1) else { return };
        if !self.words.get(last).is_some_and(Word::is_open) {
            return;
        }
        self.report(Code::OpenQuote, last, || "the quote is not closed in this line".into());
        self.lost_end(last);
    }

    /// The dump ends inside this line: its last word may lack its end, and more words may follow.
    pub(super) fn cut(&mut self) {
        let Some(last) = self.words.len().checked_sub(1) else { return };
        self.report(Code::CutLine, last, || "the dump ends in the middle of this line".into());
        self.lost_end(last);
    }

    fn lost_end(&mut self, last: usize) {
        if let Some(at) = self.target_at {
            self.set_unknown_target(self.target_name(), at, self.words.len());
        } else {
            self.unknown_part(None, last, last + 1);
            self.set_unknown_target(None, last, last + 1);
        }
    }

    pub(super) fn unknown_part(&mut self, module: Option<Text>, from: usize, to: usize) {
        let part = self.part(module, from, to);
        self.matches.push(Match::Unknown(Box::new(part)));
        self.opened.push(Opened { at: from, damaged: true });
    }

    /// The name behind `-j`, byte for byte: a chain's need not be UTF-8.
    pub(super) fn target_name(&self) -> Option<Text> {
        match &self.target {
            Target::None => None,
            Target::Jump(name) | Target::Goto(name) => Some(name.clone()),
            target => Some(Text::from(&*target.name())),
        }
    }

    /// Notes that the target is unknown, up to a word; the first name stays.
    pub(super) fn set_unknown_target(&mut self, name: Option<Text>, from: usize, to: usize) {
        self.target_at.get_or_insert(from);
        self.unresolved = None;
        let unknown = self.unknown_target.get_or_insert(UnknownTarget { name: None, from, to });
        unknown.name = unknown.name.take().or(name);
        unknown.from = unknown.from.min(from);
        unknown.to = unknown.to.max(to);
    }

    /// The unknown target's text is cut out once, however often something of it was not understood.
    pub(super) fn settle_unknown_target(&mut self) {
        if let Some(UnknownTarget { name, from, to }) = self.unknown_target.take() {
            self.target = Target::Unknown(Box::new(self.part(name, from, to)));
        }
    }

    pub(super) fn part(&self, module: Option<Text>, from: usize, to: usize) -> UnknownPart {
        let start = self.words.get(from).map_or(0, |w| w.start);
        let to = to.min(self.words.len());
        let end = to.checked_sub(1).and_then(|last| self.words.get(last)).map_or(start, |w| w.end).max(start);
        let text = Text::from(self.bytes.get(start as usize..end as usize).unwrap_or_default());
        let line_start = self.diagnostics.line_start;
        UnknownPart { module, text, span: Span { start: line_start + start, end: line_start + end } }
    }
}

/// Whether a name is what stands for one in a template, or that of a variable.
pub(super) fn is_template(name: &[u8]) -> bool {
    name.starts_with(b"{{") || name.starts_with(b"$") || (name.starts_with(b"<") && name.ends_with(b">"))
}

/// Whether somebody wrote over a value so that it is not told.
pub(super) fn is_masked(value: &[u8]) -> bool {
    const LONGEST: usize = 100;
    let lower = value.get(..LONGEST).unwrap_or(value).to_ascii_lowercase();
    let has = |part: &[u8]| lower.windows(part.len()).any(|window| window == part);
    let is_tag = |open: u8, close: u8| lower.contains(&open) && lower.contains(&close);
    [&b"x.x"[..], b".x.", b"xx:xx", b".xx", b"xxx", b"***", b"{{", b"redacted", b"masked", b"removed"]
        .iter()
        .any(|part| has(part))
        || is_tag(b'<', b'>')
        || lower.starts_with(b"$")
        || (!lower.is_empty() && lower.iter().all(|&b| b == b'*'))
}
