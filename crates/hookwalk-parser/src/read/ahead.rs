//! Reads the plain rules of the lines ahead on several threads; all else of them is read in its turn, and
//! what then turns out to have changed what a rule says lets go of those read before.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::{memchr_iter, memrchr};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::diagnostics::Diagnostics;
use super::names::Known;
use super::open_table::OpenTable;
use super::plain::{self, Near, Plain};
use crate::extensions::Match;
use crate::syntax::split_words;
use crate::types::Family;
use crate::{Rule, Span};

/// The rules of some lines ahead.
#[derive(Default)]
pub(super) struct Ahead {
    /// In order, with their chains.
    rules: VecDeque<(usize, Rule)>,
    /// What they were read by.
    by: Option<State>,
    /// Behind the last line that was looked at.
    end: usize,
}

/// What of a table decides what a line of it says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    table: usize,
    names: usize,
    family: Option<Family>,
}

impl State {
    fn of(table: &OpenTable) -> Self {
        State { table: table.number, names: table.names.changes, family: table.table.family }
    }
}

/// How much one thread reads at a time: some thousand rules.
const CHUNK: usize = 1 << 18;

impl Ahead {
    /// The rule of the current line, with the index of its chain, where it was read ahead.
    pub(super) fn rule(
        &mut self,
        dump: &Arc<Vec<u8>>,
        table: &OpenTable,
        diagnostics: &Diagnostics,
    ) -> Option<(usize, Rule)> {
        let start = diagnostics.line_start;
        if start as usize >= self.end {
            self.read(dump, table, start as usize);
        }
        if self.by != Some(State::of(table)) {
            // No line is read ahead twice.
            self.rules.clear();
            return None;
        }
        while self.rules.front().is_some_and(|(_, rule)| rule.span.start < start) {
            self.rules.pop_front();
        }
        let is_here = self.rules.front().is_some_and(|(_, rule)| rule.span.start == start);
        let (chain, rule) = if is_here { self.rules.pop_front()? } else { return None };
        Some((chain, Rule { line: diagnostics.line, ..rule }))
    }

    fn read(&mut self, dump: &Arc<Vec<u8>>, table: &OpenTable, start: usize) {
        self.rules.clear();
        let rest = dump.get(start..).unwrap_or_default();
        // Threads are asked for last: that starts them.
        let threads = if rest.len() < 2 * CHUNK { 1 } else { rayon::current_num_threads() };
        if threads < 2 {
            self.end = usize::MAX;
            return;
        }
        let Some(known) = table.known() else { return };
        let mut chunks = Vec::with_capacity(2 * threads);
        let mut at = 0;
        while chunks.len() < 2 * threads && at < rest.len() {
            let chunk = rest.get(at..rest.len().min(at + CHUNK)).unwrap_or_default();
            // A line that is longer is read in its turn.
            let Some(end) = memrchr(b'\n', chunk) else { break };
            chunks.push((start + at, start + at + end + 1));
            at += end + 1;
        }
        let read: Vec<_> = chunks.par_iter().map(|&(from, to)| chunk(dump, known, from, to)).collect();
        self.rules.extend(read.into_iter().flatten());
        (self.by, self.end) = (Some(State::of(table)), start + at.max(1));
    }
}

/// The plain rules of whole lines.
fn chunk(dump: &Arc<Vec<u8>>, table: Known<'_>, from: usize, to: usize) -> Vec<(usize, Rule)> {
    let (mut words, mut matches, mut near) = (Vec::new(), Vec::<Match>::new(), Near::default());
    let mut rules = Vec::with_capacity((to - from) / 64);
    let text = dump.get(from..to).unwrap_or_default();
    let mut start = 0;
    for end in memchr_iter(b'\n', text) {
        let line = text.get(start..end).unwrap_or_default();
        let at = from + start;
        start = end + 1;
        if !line.starts_with(b"-A ") || line.ends_with(b"\r") {
            continue;
        }
        split_words(line, 0, &mut words);
        let plain = plain::read(line, &words, dump, table, &mut near, &mut matches);
        let (Some(Plain { chain, base, target }), Ok(at), Ok(end)) =
            (plain, u32::try_from(at), u32::try_from(at + line.len()))
        else {
            continue;
        };
        let mut own = Vec::with_capacity(matches.len());
        own.append(&mut matches);
        let span = Span { start: at, end };
        rules.push((chain, Rule { line: 0, span, counters: None, base, matches: own, target }));
    }
    rules
}
