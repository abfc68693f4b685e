//! Rules as iptables-save prints them, read straight through: nearly all of a large dump.
//!
//! What is anything else (an abbreviation, a value in the option's own word, something that needs a
//! diagnostic) is none of these, and [`Line`](super::rule::Line) reads it. Both read a rule that is one of
//! these alike; `tests/plain.rs` compares them.

use std::sync::Arc;

use super::names::Known;
use super::options::short_name;
use super::unknown::is_template;
use crate::BaseMatches;
use crate::extensions::{Extension, Match, Target};
use crate::syntax::{Arguments, Word};
use crate::types::{Family, Text};

/// What a line says of a rule.
pub(super) struct Plain {
    /// The index of its chain.
    pub(super) chain: usize,
    pub(super) base: BaseMatches,
    pub(super) target: Target,
}

/// The chains that rules were in and jumped to last.
#[derive(Default)]
pub(super) struct Near {
    chain: usize,
    target: usize,
}

/// What takes the next long option: the match or target named last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taker {
    Nothing,
    Match,
    Target,
}

/// A rule while it is read.
struct Reading<'l, 't> {
    line: &'l [u8],
    dump: &'l Arc<Vec<u8>>,
    table: Known<'t>,
    near: &'t mut Near,
    base: BaseMatches,
    /// A bit for each letter of an option that the rule had before its matches.
    had: u32,
    target: Target,
    taker: Taker,
    /// The options that the taker had.
    taken: [&'l [u8]; MOST_OPTIONS],
    count: usize,
}

/// A match with more options is read as any other line.
const MOST_OPTIONS: usize = 8;

/// Reads a line of a table; none when it is no such rule. Nothing changes but the list of `matches`, which
/// is the rule's, and what is near.
pub(super) fn read<'l>(
    line: &'l [u8],
    words: &'l [Word],
    dump: &'l Arc<Vec<u8>>,
    table: Known<'_>,
    near: &mut Near,
    matches: &mut Vec<Match>,
) -> Option<Plain> {
    matches.clear();
    let [command, chain, rest @ ..] = words else { return None };
    if command.bare(line) != b"-A" || words.last().is_some_and(Word::is_open) {
        return None;
    }
    // A quoted name is bare of anything.
    let chain = Some(chain.bare(line)).filter(|name| !name.is_empty())?;
    let chain = table.chain(chain, &mut near.chain)?;
    let mut reading = Reading {
        line,
        dump,
        table,
        near,
        base: BaseMatches::default(),
        had: 0,
        target: Target::None,
        taker: Taker::Nothing,
        taken: [b""; MOST_OPTIONS],
        count: 0,
    };
    let mut rest = rest;
    while let Some(first) = rest.first() {
        let negated = first.bare(line) == b"!";
        let words = rest.get(usize::from(negated)..)?;
        rest = words.get(reading.part(words, negated, matches)?..)?;
    }
    reading.is_complete(matches).then_some(Plain { chain, base: reading.base, target: reading.target })
}

impl<'l> Reading<'l, '_> {
    /// Reads the part of a rule that starts with an option; gives how many words it is.
    fn part(&mut self, words: &'l [Word], negated: bool, matches: &mut Vec<Match>) -> Option<usize> {
        let name = words.first()?.bare(self.line);
        match name {
            b"-m" if !negated => {
                matches.push(Match::open(words.get(1)?.bare(self.line))?);
                (self.taker, self.count) = (Taker::Match, 0);
                Some(2)
            }
            b"-j" if !negated => self.target(words.get(1)?.bare(self.line)),
            [b'-', b'-', ..] => self.long(name, words, negated, matches),
            [b'-', letter] => self.short(*letter, words, negated),
            _ => None,
        }
    }

    fn target(&mut self, name: &'l [u8]) -> Option<usize> {
        if self.target != Target::None || name.is_empty() {
            return None;
        }
        let is_chain = self.table.chain(name, &mut self.near.target).is_some();
        self.target = match Target::named(name) {
            // Which of both is meant depends on how the chain came to be.
            Some(_) if is_chain => return None,
            Some(target) => target,
            None if is_chain => Target::Jump(Text::within(self.dump, name)),
            None => return None,
        };
        (self.taker, self.count) = (Taker::Target, 0);
        Some(2)
    }

    fn long(
        &mut self,
        name: &'l [u8],
        words: &'l [Word],
        negated: bool,
        matches: &mut [Match],
    ) -> Option<usize> {
        let taken = self.taken.get(..self.count)?;
        if name == b"--next" || taken.iter().any(|other| short_name(other) == short_name(name)) {
            return None;
        }
        *self.taken.get_mut(self.count)? = name;
        self.count += 1;
        let mut arguments = Arguments::new(self.line, words, negated).sharing(self.dump);
        let read = match self.taker {
            Taker::Nothing => return None,
            Taker::Match => matches.last_mut()?.read(&mut arguments),
            Taker::Target => self.target.read(&mut arguments),
        };
        matches!(read, Ok(true)).then(|| arguments.used())
    }

    fn short(&mut self, letter: u8, words: &'l [Word], negated: bool) -> Option<usize> {
        let bit = 1_u32.checked_shl(u32::from(letter.checked_sub(b'a')?))?;
        if self.had & bit != 0 {
            return None;
        }
        self.had |= bit;
        let mut arguments = Arguments::new(self.line, words, negated).sharing(self.dump);
        if !matches!(self.base.read(&mut arguments), Ok(true)) {
            return None;
        }
        let address = match letter {
            b's' => self.base.source,
            b'd' => self.base.destination,
            _ => None,
        };
        let interface = match letter {
            b'i' => self.base.in_interface,
            b'o' => self.base.out_interface,
            _ => None,
        };
        let is_other = address.is_some_and(|address| address.value.family() != self.table.family);
        let is_masked = interface.is_some_and(|interface| is_template(interface.value.name()));
        (!is_other && !is_masked).then(|| arguments.used())
    }

    /// Whether no match and no target lacks an option or is of the other family.
    fn is_complete(&self, matches: &[Match]) -> bool {
        let is_ours = |family: Option<Family>| family.is_none_or(|family| family == self.table.family);
        matches.iter().all(|m| m.missing().is_none() && is_ours(m.family()))
            && self.target.missing().is_none()
            && is_ours(self.target.family())
    }
}
