//! The listings of `iptables -L`: chains with a line of columns, and a line a rule.

use super::diagnostics::{Diagnostics, quote};
use super::listed;
use super::open_table::Place;
use super::tables::Tables;
use crate::extensions::{Match, Target, UnknownPart};
use crate::syntax::value;
use crate::types::{Family, InterfacePattern, MaskedAddress, Negatable, Protocol, Text};
use crate::{BaseMatches, Code, Counters, Policy, Rule, Span};

/// Where in a listing the reader stands.
#[derive(Default)]
pub(super) struct Listing {
    /// The chain whose rules follow; none outside a listing.
    chain: Option<Text>,
    columns: Columns,
    /// That interfaces are not shown was said of this listing.
    told_omission: bool,
}

/// Which columns the listing has beside target, prot, opt, source and destination.
#[derive(Clone, Copy, Default)]
struct Columns {
    number: bool,
    counters: bool,
    interfaces: bool,
}

/// One word of a line: its offset and itself.
type Word<'l> = (usize, &'l [u8]);

impl Listing {
    pub(super) fn is_open(&self) -> bool {
        self.chain.is_some()
    }

    pub(super) fn end(&mut self) {
        self.chain = None;
    }

    /// Reads `Chain INPUT (policy ACCEPT 5 packets, 300 bytes)` and `Chain X (1 references)`.
    pub(super) fn chain(
        &mut self,
        content: &[u8],
        tables: &mut Tables<'_>,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let Some((name, told)) = chain_header(content) else { return false };
        let mut words = told.split(|&b| b == b' ');
        let (policy, counters) = match words.next() {
            Some(b"policy") => {
                let policy = match words.next() {
                    Some(b"DROP") => Some(Policy::Drop),
                    Some(b"ACCEPT") => Some(Policy::Accept),
                    _ => None,
                };
                // Rounded counters (`255K`) are none.
                let mut number = || words.next().and_then(|word| value::<u64>(word).ok());
                let packets = number();
                words.next();
                let bytes = words.next().and_then(|word| value::<u64>(word).ok());
                (policy, packets.zip(bytes).map(|(packets, bytes)| Counters { packets, bytes }))
            }
            _ => (None, None),
        };
        tables.listed_chain(name, policy, counters, diagnostics);
        *self = Listing {
            chain: Some(Text::from(name)),
            told_omission: self.told_omission,
            ..Listing::default()
        };
        true
    }

    /// Reads the line of columns, or a rule; false when it is neither.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        from: usize,
        tables: &mut Tables<'_>,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let words: Vec<Word<'_>> = words(line, from);
        if words.iter().any(|word| word.1 == b"target") && words.iter().any(|word| word.1 == b"source") {
            let has = |name: &[u8]| words.iter().any(|word| word.1 == name);
            self.columns = Columns { number: has(b"num"), counters: has(b"pkts"), interfaces: has(b"in") };
            return true;
        }
        let Some(chain) = self.chain.clone() else { return false };
        let Some(row) = Row::read(&words, self.columns) else { return false };
        self.rule(line, from, &row, &chain, tables, diagnostics);
        true
    }

    fn rule(
        &mut self,
        line: &[u8],
        from: usize,
        row: &Row<'_, '_>,
        chain: &Text,
        tables: &mut Tables<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let start = diagnostics.line_start;
        let offset = |at: usize| start + u32::try_from(at).unwrap_or(0);
        let part = |module: Option<&[u8]>, from: usize, to: usize| {
            let text = Text::from(line.get(from..to).unwrap_or_default());
            UnknownPart {
                module: module.map(Text::from),
                text,
                span: Span { start: offset(from), end: offset(to) },
            }
        };
        let mut unknown: Vec<UnknownPart> = Vec::new();
        let mut base = BaseMatches::default();
        let mut column = |word: Word<'_>, taken: bool, what: &str, diagnostics: &mut Diagnostics| {
            if !taken {
                let (from, to) = (word.0, word.0 + word.1.len());
                let at = |at: usize| u32::try_from(at).unwrap_or(0);
                diagnostics
                    .here(Code::BadValue, at(from), at(to), || format!("{} is no {what}", quote(word.1)));
                unknown.push(part(None, from, to));
            }
        };
        column(row.protocol, protocol(row.protocol.1, &mut base), "protocol", diagnostics);
        for (word, is_source) in [(row.source, true), (row.destination, false)] {
            let taken = address(word.1, if is_source { &mut base.source } else { &mut base.destination });
            column(word, taken, "address", diagnostics);
        }
        match row.fragment.map(|word| word.1) {
            Some(b"-f") => base.fragment = Some(Negatable::plain(())),
            Some(b"!f") => base.fragment = Some(Negatable { negated: true, value: () }),
            _ => {}
        }
        if let Some((inside, outside)) = row.interfaces {
            column(inside, interface(inside.1, &mut base.in_interface), "interface", diagnostics);
            column(outside, interface(outside.1, &mut base.out_interface), "interface", diagnostics);
        } else {
            if !self.told_omission {
                self.told_omission = true;
                diagnostics.here(
                    Code::ListingOmits,
                    u32::try_from(from).unwrap_or(0),
                    u32::try_from(line.len()).unwrap_or(0),
                    || {
                        "a listing without -v does not show interfaces: each of its rules is unknown there"
                            .into()
                    },
                );
                diagnostics.help(Some("`iptables-save` tells all, `iptables -L -n -v -x` most".into()));
            }
            let (from, to) = (row.protocol.0, row.destination.0 + row.destination.1.len());
            unknown.push(part(None, from, to));
        }
        for family in [base.source, base.destination].into_iter().flatten().map(|a| a.value.family()) {
            tables.learn_family(family);
        }
        let any_of = |word: Word<'_>| match word.1 {
            b"0.0.0.0/0" => Some(Family::V4),
            b"::/0" => Some(Family::V6),
            _ => None,
        };
        if let Some(family) = any_of(row.source).or(any_of(row.destination)) {
            tables.learn_family(family);
        }
        let rest_at = row.rest.map_or(line.len(), |word| word.0);
        let name = row.target.map(|word| word.1);
        let declared = name.filter(|name| tables.has_declared(name)).map(Text::from);
        let read = listed::read(line.get(rest_at..).unwrap_or_default(), name, declared);
        let mut matches: Vec<Match> = read.matches;
        let families =
            matches.iter().map(Match::family).chain([read.target.as_ref().and_then(Target::family)]);
        families.flatten().for_each(|family| tables.learn_family(family));
        if let Some(from) = read.unknown_from {
            let (from, to) = (rest_at + from, line.trim_ascii_end().len());
            diagnostics.here(
                Code::ListingOmits,
                u32::try_from(from).unwrap_or(0),
                u32::try_from(to).unwrap_or(0),
                || {
                    let text = quote(line.get(from..to).unwrap_or_default());
                    format!("what the listing shows as {text} is not read from there, or does not tell all")
                },
            );
            unknown.push(part(None, from, to));
        }
        matches.extend(unknown.into_iter().map(|part| Match::Unknown(Box::new(part))));
        let target = match read.target {
            Some(target) => target,
            None => {
                let (from, to) = row.target.map_or((from, from), |word| (word.0, word.0 + word.1.len()));
                Target::Unknown(Box::new(part(name, from, to)))
            }
        };
        let unresolved = match (&target, row.target) {
            (Target::Jump(_) | Target::Goto(_), Some(word)) => {
                let span = Span { start: offset(word.0), end: offset(word.0 + word.1.len()) };
                Some(Place { span, column: u32::try_from(word.0 + 1).unwrap_or(1) })
            }
            _ => None,
        };
        let rule = Rule {
            line: diagnostics.line,
            span: Span { start: offset(from), end: offset(line.len()) },
            counters: row.counters,
            base: base.into(),
            matches,
            target,
        };
        let at = tables.chain_for_rule(chain.as_bytes(), 0, diagnostics);
        tables.append(at, rule, unresolved);
    }
}

fn chain_header(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = content.strip_prefix(b"Chain ")?;
    let at = memchr::memrchr(b'(', rest)?;
    let name = rest.get(..at)?.trim_ascii_end();
    let told = rest.get(at + 1..)?.trim_ascii_end().strip_suffix(b")")?;
    let is_told =
        told.starts_with(b"policy ") || told.ends_with(b" references") || told.ends_with(b" reference");
    (is_told && !name.is_empty()).then_some((name, told))
}

fn words(line: &[u8], from: usize) -> Vec<Word<'_>> {
    // The columns are at most eleven words, and the rest is read as text.
    const MOST: usize = 16;
    let mut at = from;
    let rest = line.get(from..).unwrap_or_default();
    let parts = rest.split(|b| matches!(b, b' ' | b'\t')).map(|word| {
        let start = at;
        at += word.len() + 1;
        (start, word)
    });
    parts.filter(|word| !word.1.is_empty()).take(MOST).collect()
}

/// The columns of one rule.
struct Row<'w, 'l> {
    counters: Option<Counters>,
    target: Option<Word<'l>>,
    protocol: Word<'l>,
    fragment: Option<Word<'l>>,
    interfaces: Option<(Word<'l>, Word<'l>)>,
    source: Word<'l>,
    destination: Word<'l>,
    rest: Option<&'w Word<'l>>,
}

impl<'w, 'l> Row<'w, 'l> {
    fn read(mut words: &'w [Word<'l>], columns: Columns) -> Option<Self> {
        let mut next = || {
            let (first, rest) = words.split_first()?;
            words = rest;
            Some(*first)
        };
        if columns.number {
            value::<u64>(next()?.1).ok()?;
        }
        let mut counters = None;
        if columns.counters {
            let (packets, bytes) = (next()?.1, next()?.1);
            let number = |word: &[u8]| value::<u64>(word).ok();
            let is_count = |word: &[u8]| word.first().is_some_and(u8::is_ascii_digit);
            if !is_count(packets) || !is_count(bytes) {
                return None;
            }
            counters = number(packets).zip(number(bytes)).map(|(packets, bytes)| Counters { packets, bytes });
        }
        // The target may be missing, and listings of old versions show no options of IPv6.
        let is_options =
            |at: usize| words.get(at).is_some_and(|word| matches!(word.1, b"--" | b"-f" | b"!f"));
        let addresses = |at: usize| {
            let is_address = |word: Option<&Word<'_>>| word.is_some_and(|word| looks_like_address(word.1));
            is_address(words.get(at)) && is_address(words.get(at + 1))
        };
        let width = if columns.interfaces { 2 } else { 0 };
        let (has_target, has_options) = if is_options(1) && addresses(2 + width) {
            (false, true)
        } else if is_options(2) && addresses(3 + width) {
            (true, true)
        } else if addresses(2 + width) {
            (true, false)
        } else if addresses(1 + width) {
            (false, false)
        } else {
            return None;
        };
        let mut next = || {
            let (first, rest) = words.split_first()?;
            words = rest;
            Some(*first)
        };
        let target = if has_target { Some(next()?) } else { None };
        let protocol = next()?;
        let fragment = if has_options { Some(next()?) } else { None };
        let interfaces = if columns.interfaces { Some((next()?, next()?)) } else { None };
        let (source, destination) = (next()?, next()?);
        Some(Row {
            counters,
            target,
            protocol,
            fragment,
            interfaces,
            source,
            destination,
            rest: words.first(),
        })
    }
}

/// Whether a word may stand in the column of an address; without -n names do.
fn looks_like_address(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"!").unwrap_or(word);
    matches!(word, b"anywhere" | b"localhost" | b"default")
        || value::<MaskedAddress>(word).is_ok()
        || (word.contains(&b'.') && word.iter().all(|b| b.is_ascii_alphanumeric() || b"./-_".contains(b)))
}

fn plain(word: &[u8]) -> (bool, &[u8]) {
    word.strip_prefix(b"!").map_or((false, word), |rest| (true, rest))
}

fn protocol(word: &[u8], base: &mut BaseMatches) -> bool {
    let (negated, word) = plain(word);
    let read = if word == b"all" { Ok(Protocol::ANY) } else { value::<Protocol>(word) };
    match (read, negated) {
        (Ok(Protocol::ANY), false) => true,
        (Ok(Protocol::ANY), true) | (Err(_), _) => false,
        (Ok(value), _) => {
            base.protocol = Some(Negatable { negated, value });
            true
        }
    }
}

fn address(word: &[u8], into: &mut Option<Negatable<MaskedAddress>>) -> bool {
    let (negated, word) = plain(word);
    if matches!(word, b"anywhere" | b"0.0.0.0/0" | b"::/0") && !negated {
        return true;
    }
    match value::<MaskedAddress>(word) {
        Ok(value) => {
            *into = Some(Negatable { negated, value });
            true
        }
        Err(_) => false,
    }
}

fn interface(word: &[u8], into: &mut Option<Negatable<InterfacePattern>>) -> bool {
    let (negated, word) = plain(word);
    if matches!(word, b"*" | b"any") && !negated {
        return true;
    }
    match value::<InterfacePattern>(word) {
        Ok(value) => {
            *into = Some(Negatable { negated, value });
            true
        }
        Err(_) => false,
    }
}
