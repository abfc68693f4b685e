use std::sync::Arc;

use memchr::memchr;

#[cfg(feature = "rayon1")]
use super::ahead::Ahead;
use super::diagnostics::Diagnostics;
use super::open_table::{OpenTable, Place};
use super::plain::{self, Near, Plain};
use super::tables::Tables;
use crate::extensions::{Match, Target};
use crate::syntax::{Word, split_words};
use crate::types::{MaskedAddress, Negatable, Text};
use crate::{BaseMatches, Code, Counters, Rule};

/// Reads the lines that start with a command such as `-A`; the buffers live from line to line.
pub(super) struct RuleReader {
    words: Vec<Word>,
    opened: Vec<Opened>,
    takers: Vec<Taker>,
    seen: Vec<Seen>,
    matches: Vec<Match>,
    /// The dump's bytes, which long texts share.
    dump: Arc<Vec<u8>>,
    near: Near,
    #[cfg(feature = "rayon1")]
    ahead: Ahead,
}

/// What is known about a match of the rule beside its options; stands at the match's index.
pub(super) struct Opened {
    /// The word index of its `-m`, or of the option that implied it.
    pub(super) at: usize,
    /// One of its options was not understood, so that a missing one may be that.
    pub(super) damaged: bool,
}

/// Something that takes options.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taker {
    Base,
    Match(usize),
    Target,
}

/// An option that a taker has had: where its name stands in the line, and the full name where that
/// abbreviates it.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) by: Taker,
    pub(super) start: u32,
    pub(super) len: usize,
    pub(super) full: Option<&'static [u8]>,
}

/// A target that was not understood: its name and its words, from and to.
pub(super) struct UnknownTarget {
    pub(super) name: Option<Text>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// One line while it is read: `command` says what it does, `options` reads the parts of its rule,
/// `unknown` keeps what is not understood.
pub(super) struct Line<'l, 'r> {
    pub(super) bytes: &'l [u8],
    /// Where the rule starts: behind a line number, a prompt or a mark of quotation.
    pub(super) start: usize,
    pub(super) words: &'l [Word],
    /// Whether an `=` stands in it, which may part an option from its value.
    pub(super) has_equals: bool,
    pub(super) opened: &'l mut Vec<Opened>,
    /// What may take an option, the last opened last: the target, and of each kind of match the last
    /// one. There are fewer kinds than a hostile line has words.
    pub(super) takers: &'l mut Vec<Taker>,
    /// The options that each taker has had.
    pub(super) seen: &'l mut Vec<Seen>,
    pub(super) tables: &'l mut Tables<'r>,
    pub(super) diagnostics: &'l mut Diagnostics,
    pub(super) base: BaseMatches,
    /// A buffer that stays for the next line; a rule's own list is just as long as it must be.
    pub(super) matches: Vec<Match>,
    pub(super) dump: &'l Arc<Vec<u8>>,
    pub(super) target: Target,
    /// The word index of `-j` or `-g`.
    pub(super) target_at: Option<usize>,
    /// Set once something about the target was not understood; its text is cut out at the end.
    pub(super) unknown_target: Option<UnknownTarget>,
    /// The target's name is no known target, and was no chain when it was read.
    pub(super) unresolved: Option<Place>,
    /// `-4` or `-6` says that the line is for the other family: it is passed over.
    pub(super) is_elsewhere: bool,
    /// How many more names may be tried in the place of those that this line cuts short.
    pub(super) guesses_left: usize,
    pub(super) counters: Option<Counters>,
    pub(super) sources: Vec<MaskedAddress>,
    pub(super) destinations: Vec<MaskedAddress>,
}

impl RuleReader {
    /// A reader of the rules of one dump.
    pub(super) fn new(dump: Arc<Vec<u8>>) -> Self {
        RuleReader {
            words: Vec::new(),
            opened: Vec::new(),
            takers: Vec::new(),
            seen: Vec::new(),
            matches: Vec::new(),
            dump,
            near: Near::default(),
            #[cfg(feature = "rayon1")]
            ahead: Ahead::default(),
        }
    }

    /// Reads one line from an offset on; `counters` stood before it, and what stands before `start` is
    /// no part of it.
    pub(super) fn read(
        &mut self,
        (bytes, start, from): (&[u8], usize, usize),
        counters: Option<Counters>,
        is_cut: bool,
        tables: &mut Tables<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        #[cfg(feature = "rayon1")]
        if let Some(table) = tables.open_table().filter(|_| from == 0 && !is_cut)
            && let Some((chain, rule)) = self.ahead.rule(&self.dump, table, diagnostics)
        {
            tables.append(chain, rule, None);
            return;
        }
        split_words(bytes, from, &mut self.words);
        if let Some(table) = tables.open_table().filter(|_| !is_cut).and_then(OpenTable::known)
            && let Some(plain) =
                plain::read(bytes, &self.words, &self.dump, table, &mut self.near, &mut self.matches)
        {
            let Plain { chain, base, target } = plain;
            let (line, span) = (diagnostics.line, diagnostics.span(start, bytes.len()));
            let mut matches = Vec::with_capacity(self.matches.len());
            matches.append(&mut self.matches);
            tables.append(chain, Rule { line, span, counters, base: base.into(), matches, target }, None);
            return;
        }
        self.opened.clear();
        self.matches.clear();
        self.takers.clear();
        self.takers.push(Taker::Base);
        self.seen.clear();
        let mut line = Line {
            bytes,
            start,
            words: &self.words,
            has_equals: memchr(b'=', bytes).is_some(),
            opened: &mut self.opened,
            takers: &mut self.takers,
            seen: &mut self.seen,
            tables,
            diagnostics,
            base: BaseMatches::default(),
            matches: std::mem::take(&mut self.matches),
            dump: &self.dump,
            target: Target::None,
            target_at: None,
            unknown_target: None,
            unresolved: None,
            is_elsewhere: false,
            guesses_left: 1_000,
            counters,
            sources: Vec::new(),
            destinations: Vec::new(),
        };
        line.command(is_cut);
        let mut matches = std::mem::take(&mut line.matches);
        matches.clear();
        self.matches = matches;
    }
}

impl Line<'_, '_> {
    /// The rule whose parts start at a word; none when the line is for the other family.
    pub(super) fn rule(&mut self, from: usize, is_cut: bool) -> Option<Rule> {
        self.parts(from);
        self.check_complete();
        self.check_families();
        self.check_open_quote();
        if is_cut {
            self.cut();
        }
        self.settle_unknown_target();
        if self.is_elsewhere {
            return None;
        }
        Some(Rule {
            line: self.diagnostics.line,
            span: self.diagnostics.span(self.start, self.bytes.len()),
            counters: self.counters,
            base: self.base.into(),
            matches: self.matches.drain(..).collect(),
            target: std::mem::replace(&mut self.target, Target::None),
        })
    }

    /// Whether the rule has a list of addresses, which makes several.
    pub(super) fn has_list(&self) -> bool {
        !self.sources.is_empty() || !self.destinations.is_empty()
    }

    /// A list of addresses loads as one rule for each of them, sources outside, destinations inside.
    pub(super) fn expanded(&mut self, rule: Rule) -> Vec<Rule> {
        if !self.has_list() {
            return vec![rule];
        }
        let options = |list: &[MaskedAddress], single| match list {
            [] => vec![single],
            list => list.iter().map(|&address| Some(Negatable::plain(address))).collect(),
        };
        let count = self.sources.len().max(1).saturating_mul(self.destinations.len().max(1));
        if !self.tables.may_expand(count.saturating_mul(1 + rule.matches.len())) {
            self.report(Code::TooManyAddresses, 0, || {
                format!("the address lists of this line make {count} rules: they are not written out")
            });
            let mut rule = rule;
            let part = self.part(None, 0, self.words.len());
            rule.matches.push(Match::Unknown(Box::new(part)));
            return vec![rule];
        }
        let mut rules = Vec::with_capacity(count);
        let destinations = options(&self.destinations, rule.base.destination());
        for source in options(&self.sources, rule.base.source()) {
            for &destination in &destinations {
                let base = BaseMatches { source, destination, ..rule.base.unpack() }.into();
                rules.push(Rule { base, ..rule.clone() });
            }
        }
        rules
    }

    pub(super) fn bare(&self, index: usize) -> &[u8] {
        self.words.get(index).map_or(b"", |word| word.bare(self.bytes))
    }

    pub(super) fn report(&mut self, code: Code, word: usize, message: impl FnOnce() -> String) {
        self.report_with(code, word, None, message);
    }

    /// Reports a word, with a likely fix.
    pub(super) fn report_with(
        &mut self,
        code: Code,
        word: usize,
        help: Option<String>,
        message: impl FnOnce() -> String,
    ) {
        let (start, end) = self.words.get(word).map_or((0, 0), |w| (w.start, w.end));
        self.diagnostics.here(code, start, end, message);
        self.diagnostics.help(help);
    }
}
