use std::collections::{HashMap, HashSet};

use super::{Draft, Kind};
use crate::context::error::{ContextError, quoted};
use crate::context::text::{Line, Word};

#[derive(Default)]
pub(super) struct Reading<'t> {
    sets: Vec<Draft<'t>>,
    by_name: HashMap<&'t str, usize>,
    /// The set whose `ipset list` this is, and whether its members have begun.
    listing: Option<(usize, bool)>,
    /// Names that stand behind `add` without a `create`; each is complained of once.
    missing: HashSet<&'t str>,
    pub(super) errors: Vec<ContextError>,
}

impl<'t> Reading<'t> {
    pub(super) fn finish(self) -> (Vec<Draft<'t>>, Vec<ContextError>) {
        (self.sets, self.errors)
    }

    pub(super) fn line(&mut self, line: Line<'t>) {
        let mut words = line.words();
        let Some(first) = words.next() else { return };
        let text = behind(line, first.text).trim_end();
        if let Some(name) = line.text.trim_start().strip_prefix("Name:") {
            let set = self.open(name.trim(), first, Kind::NotSaid);
            self.listing = Some((set, false));
            return;
        }
        if first.text.starts_with(['#', '$']) || first.text.starts_with("```") {
            return;
        }
        match first.text {
            "create" | "-N" | "--create" => self.create(first, text),
            "add" | "-A" | "--add" => self.add(first, text),
            "COMMIT" | "quit" => {}
            "flush" | "-F" | "destroy" | "-X" | "del" | "-D" | "rename" | "-E" | "swap" | "-W" => {
                self.errors.push(ContextError {
                    told: true,
                    ..first.error("is not followed here: what its sets hold stays unknown")
                });
                for word in words.filter(|word| !is_option(word.text)) {
                    self.spoil(word.text);
                }
            }
            _ => match self.listing {
                Some((set, true)) => self.member(set, first, line.text.trim()),
                Some((set, false)) => self.header(set, first, text),
                None => self.errors.push(first.expected("a line of `ipset save` or `ipset list`")),
            },
        }
    }

    /// The set of a name, made where it is new.
    fn open(&mut self, name: &'t str, word: Word<'t>, kind: Kind<'t>) -> usize {
        if let Some(&known) = self.by_name.get(name) {
            return known;
        }
        let set = self.sets.len();
        self.sets.push(Draft::new(name, word.at, kind));
        self.by_name.insert(name, set);
        set
    }

    fn spoil(&mut self, name: &str) {
        if let Some(set) = self.by_name.get(name).and_then(|&set| self.sets.get_mut(set)) {
            set.incomplete = true;
        }
    }

    /// `create NAME TYPE SETTINGS`
    fn create(&mut self, command: Word<'t>, text: &'t str) {
        self.listing = None;
        let text = without_option(text);
        // A name may have blanks in it, and nothing tells them from others but the type behind it.
        let typed = words_of(text).skip(1).find(|(_, word)| word.contains(':') || word.ends_with("hash"));
        let Some((start, kind)) = typed else {
            return self.errors.push(command.error("without a name and a type, expected `create NAME TYPE`"));
        };
        let name = text.get(..start).unwrap_or_default().trim_end();
        let settings = text.get(start + kind.len()..).unwrap_or_default().split_ascii_whitespace();
        let set = self.open(name, command, Kind::new(kind));
        self.describe(set, command, Some(kind), settings);
    }

    /// Takes in the type and the settings of a set; a second time they must be the same.
    fn describe(
        &mut self,
        set: usize,
        word: Word<'t>,
        kind: Option<&'t str>,
        settings: impl Iterator<Item = &'t str>,
    ) {
        let Some(set) = self.sets.get_mut(set) else { return };
        let before = (set.family, set.netmask);
        if let Some(kind) = kind.map(Kind::new) {
            if set.kind != Kind::NotSaid && set.kind != kind {
                set.incomplete = true;
                let complaint = format!("the set {} is there with another type before", quoted(set.name));
                self.errors.push(word.at.error(complaint));
            }
            set.kind = kind;
        }
        if !set.is_supported() {
            return;
        }
        let done = set.settings(settings);
        let changed = !set.entries.is_empty() && before != (set.family, set.netmask);
        if let Some(expected) = done.err().or(changed.then_some("the settings that it had before")) {
            set.incomplete = true;
            let complaint =
                format!("the set {} has not {expected}: what it holds stays unknown", quoted(set.name));
            self.errors.push(word.at.error(complaint));
        }
    }

    /// `add NAME MEMBER OPTIONS`
    fn add(&mut self, command: Word<'t>, text: &'t str) {
        let text = without_option(text);
        let Some((set, member)) = self.named(text) else {
            let name = text.split_ascii_whitespace().next().unwrap_or_default();
            if self.missing.insert(name) {
                let complaint =
                    format!("the set {} is not created before: what it holds stays unknown", quoted(name));
                self.errors.push(command.at.error(complaint));
            }
            return;
        };
        if let Some(set) = self.sets.get_mut(set)
            && let Err(error) = set.add(command.at, member)
        {
            set.incomplete = true;
            self.errors.push(error);
        }
    }

    /// The set whose name a text starts with, the longest one, and what stands behind it.
    fn named(&self, text: &'t str) -> Option<(usize, &'t str)> {
        /// Names have at most 31 bytes.
        const MOST_WORDS: usize = 16;
        let ends = words_of(text).take(MOST_WORDS).map(|(start, word)| start + word.len());
        let known = ends.filter_map(|end| {
            let set = self.by_name.get(text.get(..end)?)?;
            Some((*set, text.get(end..)?.trim_start()))
        });
        known.last()
    }

    /// A line of `ipset list` before the members.
    fn header(&mut self, at: usize, first: Word<'t>, text: &'t str) {
        let Some(set) = self.sets.get_mut(at) else { return };
        match first.text {
            "Type:" => self.describe(at, first, Some(text), std::iter::empty()),
            "Header:" => self.describe(at, first, None, text.split_ascii_whitespace()),
            "Number" => set.announced = text.rsplit(' ').next().and_then(|count| count.parse().ok()),
            "Members:" => {
                // A set that is listed twice is counted anew.
                set.listed = Some(0);
                self.listing = Some((at, true));
            }
            // Revision:, Size in memory:, References:
            _ => {}
        }
    }

    /// A line of `ipset list` below `Members:`.
    fn member(&mut self, set: usize, first: Word<'t>, member: &str) {
        let Some(set) = self.sets.get_mut(set) else { return };
        set.listed = set.listed.map(|count| count + 1);
        if let Err(error) = set.add(first.at, member) {
            set.incomplete = true;
            self.errors.push(error);
        }
    }
}

/// What stands behind the first word of a line.
fn behind<'t>(line: Line<'t>, first: &str) -> &'t str {
    line.text.trim_start().get(first.len()..).unwrap_or_default().trim_start()
}

/// The words of a text with the bytes they start at.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_ascii_whitespace().map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}

/// Options that a program's restore input has.
fn is_option(word: &str) -> bool {
    matches!(word, "-exist" | "-!" | "--exist")
}

fn without_option(text: &str) -> &str {
    match text.split_once(' ') {
        Some((option, rest)) if is_option(option) => rest.trim_start(),
        _ => text,
    }
}
