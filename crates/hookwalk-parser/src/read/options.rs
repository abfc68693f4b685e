use super::diagnostics::quote;
use super::open_table::Place;
use super::rule::{Line, Opened, Seen, Taker};
use super::unknown::{is_masked, is_template};
use super::{abbreviation, similar};
use crate::extensions::{Extension, Match, Target};
use crate::syntax::{ArgumentError, Arguments, Word, value};
use crate::types::{Family, MaskedAddress, Protocol, Text};
use crate::{Code, Counters, Span};

impl<'l> Line<'l, '_> {
    /// Reads options from a word on until the line ends.
    pub(super) fn parts(&mut self, from: usize) {
        let mut at = from;
        while at < self.words.len() {
            let negated = self.bare(at) == b"!";
            let option = at + usize::from(negated);
            let (name, attached) = self.split_option(option);
            let used = match name {
                b"-m" | b"--match" => self.open_match(at, option, attached),
                b"-j" | b"--jump" => self.open_target(false, at, option, attached),
                b"-g" | b"--goto" => self.open_target(true, at, option, attached),
                b"-c" | b"--set-counters" => self.set_counters(option),
                b"-4" | b"-6" | b"--ipv4" | b"--ipv6" => self.only_family(option),
                b"-M" | b"--modprobe" if !negated => self.modprobe(at, option, attached),
                // It lets the tool say more.
                b"--verbose" if !negated && attached.is_none() => 1,
                [b'-', b'v', more @ ..] if !negated && more.iter().all(|b| *b == b'v') => 1,
                _ => self.option(at, option, negated, name, attached),
            };
            // An option always moves on, also one that was refused.
            at = option + used.max(1);
        }
    }

    /// An option's name, and the value that stands in the same word: `--dport=80`, `-ptcp`.
    pub(super) fn split_option(&self, option: usize) -> (&'l [u8], Option<Word>) {
        let (bytes, Some(word)) = (self.bytes, self.words.get(option)) else { return (b"", None) };
        let name = word.bare(bytes);
        let at = match name {
            [b'-', b'-', ..] if !self.has_equals => None,
            [b'-', b'-', ..] => memchr::memchr(b'=', name).map(|at| (at, at + 1)),
            [b'-', b'p' | b's' | b'd' | b'i' | b'o' | b'j' | b'g' | b'm' | b'M', _, ..] => Some((2, 2)),
            _ => None,
        };
        let Some((end, from)) = at else { return (name, None) };
        let from = word.start + u32::try_from(from).unwrap_or(0);
        (name.get(..end).unwrap_or_default(), Some(word.part_from(from)))
    }

    /// The word behind an option, or in it, and where the words behind that start.
    fn value_word(&self, option: usize, attached: Option<Word>) -> Option<(Word, usize)> {
        match attached {
            Some(word) => Some((word, option + 1)),
            None => self.words.get(option + 1).map(|word| (*word, option + 2)),
        }
    }

    /// Offers an option to all that may take it; gives how many words it took.
    fn option(
        &mut self,
        at: usize,
        option: usize,
        negated: bool,
        name: &'l [u8],
        attached: Option<Word>,
    ) -> usize {
        let bytes = self.bytes;
        let words: &'l [Word] = self.words.get(option..).unwrap_or_default();
        let mut arguments = Arguments::new(bytes, words, negated).sharing(self.dump).named(name, attached);
        if let Some(used) = self.take(at, option, &mut arguments, None) {
            return used;
        }
        if let Some(full) = self.unabbreviated(&arguments, attached) {
            match full {
                b"--match" => return self.open_match(at, option, attached),
                b"--jump" | b"--goto" => return self.open_target(full == b"--goto", at, option, attached),
                _ => {}
            }
            if let Some(used) = self.take(at, option, &mut arguments.named(full, attached), Some(full)) {
                return used;
            }
        }
        self.unknown_option(at, option)
    }

    /// Offers an option to all that may take it; none when none of them knows it.
    ///
    /// `full` is the option's name where the line abbreviates it.
    fn take(
        &mut self,
        at: usize,
        option: usize,
        arguments: &mut Arguments<'l>,
        full: Option<&'static [u8]>,
    ) -> Option<usize> {
        for index in (0..self.takers.len()).rev() {
            let Some(&taker) = self.takers.get(index) else { continue };
            if self.had(taker, arguments.name()) {
                return Some(self.repeated(taker, at, option));
            }
            if taker == Taker::Base
                && let Some(used) = self.address_list(option, arguments)
            {
                self.note(taker, option, arguments.name(), full);
                return Some(used);
            }
            match self.offer(taker, arguments) {
                Ok(false) => {}
                Ok(true) => {
                    self.note(taker, option, arguments.name(), full);
                    if taker == Taker::Base {
                        self.check_address(option, arguments);
                        if let Some(end) = self.masked_interface(at, option, arguments) {
                            return Some(end - option);
                        }
                    }
                    return Some(self.used(taker, at, option, arguments));
                }
                Err(error) => return Some(self.refused(taker, at, option, arguments, error)),
            }
        }
        self.implied_match(at, option, arguments, full)
    }

    /// How many words an option took; a value in its own word that it did not want is not understood.
    fn used(&mut self, taker: Taker, at: usize, option: usize, arguments: &Arguments<'_>) -> usize {
        if arguments.left_over() {
            let name = quote(arguments.name());
            self.report(Code::BadValue, option, || format!("{name} takes no value"));
            self.keep(taker, at, option + 1);
        }
        arguments.used()
    }

    /// The one option that this is the start of, as `getopt_long` takes it.
    fn unabbreviated(&mut self, arguments: &Arguments<'l>, attached: Option<Word>) -> Option<&'static [u8]> {
        let mut found: Option<&'static [u8]> = None;
        for full in abbreviation::options_from(arguments.name()) {
            // A line's own limit, so that what a line says does not hang on the lines before it.
            let count = 1 + self.takers.len();
            self.guesses_left = self.guesses_left.checked_sub(count)?;
            if !self.tables.may_guess(count) {
                return None;
            }
            let known = match full {
                b"--match" | b"--jump" | b"--goto" => true,
                _ => self.knows(|| arguments.named(full, attached)),
            };
            if known {
                match found {
                    Some(other) if short_name(other) != short_name(full) => return None,
                    _ => found = Some(full),
                }
            }
        }
        found
    }

    /// Whether something of the rule has an option of this name; tried on copies.
    pub(super) fn knows(&self, arguments: impl Fn() -> Arguments<'l>) -> bool {
        let knows = |taker: &Taker| match taker {
            Taker::Base => !matches!({ self.base }.read(&mut arguments()), Ok(false)),
            Taker::Match(index) => self
                .matches
                .get(*index)
                .is_some_and(|m| !matches!(m.clone().read(&mut arguments()), Ok(false))),
            Taker::Target if self.unknown_target.is_some() => false,
            Taker::Target => !matches!(self.target.clone().read(&mut arguments()), Ok(false)),
        };
        self.takers.iter().any(knows)
            || self.implied().is_some_and(|mut m| !matches!(m.read(&mut arguments()), Ok(false)))
    }

    fn offer(&mut self, taker: Taker, arguments: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match taker {
            Taker::Base => self.base.read(arguments),
            Taker::Match(index) => self.matches.get_mut(index).map_or(Ok(false), |m| m.read(arguments)),
            Taker::Target if self.unknown_target.is_some() => Ok(false),
            Taker::Target => self.target.read(arguments),
        }
    }

    /// Whether a taker had this option already.
    fn had(&self, taker: Taker, name: &[u8]) -> bool {
        let mut by_taker = self.seen.iter().filter(|seen| seen.by == taker).peekable();
        if by_taker.peek().is_none() {
            return false;
        }
        let name = short_name(name);
        by_taker.any(|seen| {
            let start = seen.start as usize;
            let written = || self.bytes.get(start..start + seen.len).unwrap_or_default();
            short_name(seen.full.unwrap_or_else(written)) == name
        })
    }

    fn note(&mut self, by: Taker, option: usize, name: &[u8], full: Option<&'static [u8]>) {
        // `-m policy --next` starts a new element with the same options.
        if name == b"--next" {
            self.seen.retain(|seen| seen.by != by);
        } else if let Some(word) = self.words.get(option) {
            self.seen.push(Seen { by, start: word.start, len: name.len(), full });
        }
    }

    /// The match that the rule's protocol brings.
    fn implied(&self) -> Option<Match> {
        // Also `! -p tcp`, which iptables-nft takes with it.
        let protocol = self.base.protocol?.value;
        let name = match protocol {
            Protocol::ICMPV6 => "icmp6".to_owned(),
            Protocol::MOBILITY => "mh".to_owned(),
            _ => protocol.to_string(),
        };
        Match::open(name.as_bytes())
    }

    /// `-p tcp --dport 80` loads the match `tcp` by itself.
    fn implied_match(
        &mut self,
        at: usize,
        option: usize,
        arguments: &mut Arguments<'_>,
        full: Option<&'static [u8]>,
    ) -> Option<usize> {
        let mut implied = self.implied()?;
        match implied.read(arguments) {
            Ok(false) => None,
            Ok(true) => {
                let taker = self.push_match(implied, at);
                self.note(taker, option, arguments.name(), full);
                Some(self.used(taker, at, option, arguments))
            }
            Err(error) => {
                let taker = self.push_match(implied, at);
                Some(self.refused(taker, at, option, arguments, error))
            }
        }
    }

    /// Adds a match; from now on it takes the options of its kind.
    fn push_match(&mut self, opened: Match, at: usize) -> Taker {
        let kind = std::mem::discriminant(&opened);
        let matches = &self.matches;
        let same_kind = |taker: &Taker| match taker {
            Taker::Match(index) => matches.get(*index).is_some_and(|m| std::mem::discriminant(m) == kind),
            _ => false,
        };
        if let Some(old) = self.takers.iter().position(same_kind) {
            let old = self.takers.remove(old);
            self.seen.retain(|seen| seen.by != old);
        }
        let taker = Taker::Match(self.matches.len());
        self.takers.push(taker);
        self.matches.push(opened);
        self.opened.push(Opened { at, damaged: false });
        taker
    }

    fn open_match(&mut self, at: usize, option: usize, attached: Option<Word>) -> usize {
        let Some((word, behind)) = self.value_word(option, attached) else {
            self.report(Code::MissingValue, option, || {
                "the line ends where the name of a match should stand".into()
            });
            self.unknown_part(None, at, option + 1);
            return 1;
        };
        let name = word.text(self.bytes);
        let opened = if at == option { Match::open(&name) } else { None };
        if let Some(opened) = opened {
            self.push_match(opened, at);
            return behind - option;
        }
        let end = self.end_of_unknown(behind, false);
        if at == option {
            let help = similar::name(&name, Match::NAMES);
            self.report_with(Code::UnknownMatch, behind - 1, help, || {
                format!("unknown match {}; its options are kept as they are", quote(&name))
            });
        } else {
            self.report(Code::NotInvertible, at, || "`!` cannot stand before `-m`".into());
        }
        self.unknown_part(Some(Text::from(&*name)), at, end);
        end - option
    }

    fn open_target(&mut self, is_goto: bool, at: usize, option: usize, attached: Option<Word>) -> usize {
        let Some((word, behind)) = self.value_word(option, attached) else {
            self.report(Code::MissingValue, option, || "the line ends where a target should stand".into());
            self.set_unknown_target(None, at, option + 1);
            return 1;
        };
        if at != option {
            self.report(Code::NotInvertible, at, || "`!` cannot stand before a target".into());
            self.set_unknown_target(None, at, behind);
            return behind - option;
        }
        if self.target_at.is_some() {
            self.report(Code::SecondTarget, option, || "a rule has one target: this is a second one".into());
            self.set_unknown_target(None, self.target_at.unwrap_or(at), behind);
            return behind - option;
        }
        self.target_at = Some(at);
        self.takers.push(Taker::Target);
        let name = word.text(self.bytes);
        // Only a chain that a line declares can have a target's name: rules alone do not make one.
        let known = if is_goto { None } else { Target::named(&name) };
        let known = known.filter(|_| !self.tables.has_declared(&name));
        self.target = match known {
            Some(target) => target,
            None if self.tables.has_chain(&name) => {
                let chain = Text::within(self.dump, &name);
                if is_goto { Target::Goto(chain) } else { Target::Jump(chain) }
            }
            None => {
                let end = self.end_of_unknown(behind, false);
                if is_masked(&name) {
                    self.report_masked(behind - 1, b"-j", &name);
                    self.set_unknown_target(Some(Text::from(&*name)), at, end);
                    return end - option;
                }
                if end > behind && !is_goto {
                    let help = similar::target(&name);
                    self.report_with(Code::UnknownTarget, behind - 1, help, || {
                        format!("unknown target {}; its options are kept as they are", quote(&name))
                    });
                    self.set_unknown_target(Some(Text::from(&*name)), at, end);
                    return end - option;
                }
                let line = self.diagnostics.line_start;
                let span = Span { start: line + word.start, end: line + word.end };
                self.unresolved = Some(Place { span, column: word.start + 1 });
                let name = Text::from(&*name);
                if is_goto { Target::Goto(name) } else { Target::Jump(name) }
            }
        };
        behind - option
    }

    /// `-c PACKETS BYTES`.
    pub(super) fn set_counters(&mut self, option: usize) -> usize {
        let number = |index: usize| value::<u64>(self.bare(index)).ok();
        let (packets, bytes) = (number(option + 1), number(option + 2));
        if let (Some(packets), Some(bytes)) = (packets, bytes) {
            self.counters = Some(Counters { packets, bytes });
            return 3;
        }
        self.report(Code::BadCounters, option, || "expected two numbers behind it: packets and bytes".into());
        1 + usize::from(packets.is_some())
    }

    /// `-M COMMAND` loads kernel modules; of the rule it says nothing.
    fn modprobe(&mut self, at: usize, option: usize, attached: Option<Word>) -> usize {
        if let Some((_, behind)) = self.value_word(option, attached) {
            return behind - option;
        }
        self.report(Code::MissingValue, option, || "the line ends where a command should stand".into());
        self.unknown_part(None, at, option + 1);
        1
    }

    /// `-4` and `-6`: iptables passes over a line for the other family.
    pub(super) fn only_family(&mut self, option: usize) -> usize {
        let family = match self.bare(option) {
            b"-4" | b"--ipv4" => Family::V4,
            _ => Family::V6,
        };
        match self.tables.family() {
            None => self.tables.learn_family(family),
            Some(known) => self.is_elsewhere |= known != family,
        }
        1
    }

    /// `-s a,b` and `-d a,b`: more than one rule.
    fn address_list(&mut self, option: usize, arguments: &Arguments<'l>) -> Option<usize> {
        let is_source = match short_name(arguments.name()) {
            b"-s" => true,
            b"-d" => false,
            _ => return None,
        };
        let list = arguments.peek()?;
        if arguments.is_negated() || !list.contains(&b',') {
            return None;
        }
        let used = if arguments.left_over() { 1 } else { 2 };
        let addresses: Option<Vec<MaskedAddress>> =
            list.split(|&b| b == b',').map(|word| value(word).ok()).collect();
        let addresses = addresses?;
        let families = [Family::V4, Family::V6];
        for family in families.into_iter().filter(|f| addresses.iter().any(|a| a.family() == *f)) {
            self.learn_family(family, option + used - 1, option + used);
        }
        *(if is_source { &mut self.sources } else { &mut self.destinations }) = addresses;
        Some(used)
    }

    /// An address of the other family cannot have been in the kernel: the rule is damaged.
    fn check_address(&mut self, option: usize, arguments: &Arguments<'_>) {
        let used = arguments.used();
        let address = match short_name(arguments.name()) {
            b"-s" => self.base.source,
            b"-d" => self.base.destination,
            _ => return,
        };
        if let Some(address) = address {
            let word = option + used - 1;
            self.learn_family(address.value.family(), word, word + 1);
        }
    }

    /// `-i {{ name }}`: any word could name an interface, so one that somebody wrote over is looked for.
    fn masked_interface(&mut self, at: usize, option: usize, arguments: &Arguments<'_>) -> Option<usize> {
        let interface = match short_name(arguments.name()) {
            b"-i" => &mut self.base.in_interface,
            b"-o" => &mut self.base.out_interface,
            _ => return None,
        };
        let name = interface.take_if(|i| is_template(i.value.name()))?.value.name().to_vec();
        let last = option + arguments.used() - 1;
        self.report_masked(last, arguments.name(), &name);
        let end = self.end_of_unknown(last + 1, true);
        self.unknown_part(None, at, end);
        Some(end)
    }

    /// As [`check_address`](Self::check_address), for the addresses in matches and the target.
    pub(super) fn check_families(&mut self) {
        for index in 0..self.matches.len() {
            let family = self.matches.get(index).and_then(Match::family);
            if let (Some(family), Some(opened)) = (family, self.opened.get(index)) {
                let at = opened.at;
                self.learn_family(family, at, at + 2);
            }
        }
        let Some(at) = self.target_at.filter(|_| self.unknown_target.is_none()) else { return };
        if let Some(family) = self.target.family()
            && !self.agrees(family, at)
        {
            self.set_unknown_target(self.target_name(), at, self.words.len());
        }
    }

    fn learn_family(&mut self, family: Family, word: usize, end: usize) {
        if !self.agrees(family, word) {
            self.unknown_part(None, word, end);
        }
    }

    /// Whether the family is the table's, which learns it when nothing told it before.
    fn agrees(&mut self, family: Family, word: usize) -> bool {
        match self.tables.family() {
            None => self.tables.learn_family(family),
            Some(known) if known == family => {}
            Some(_) if self.is_elsewhere => {}
            Some(known) => {
                self.report(Code::OtherFamily, word, || format!("an {family} address in a table of {known}"));
                return false;
            }
        }
        true
    }
}

/// One spelling for the options that have several.
pub(super) fn short_name(name: &[u8]) -> &[u8] {
    match name {
        b"--source" | b"--src" => b"-s",
        b"--destination" | b"--dst" => b"-d",
        b"--in-interface" => b"-i",
        b"--out-interface" => b"-o",
        b"--protocol" | b"--proto" => b"-p",
        b"--fragment" => b"-f",
        b"--source-port" => b"--sport",
        b"--destination-port" => b"--dport",
        b"--source-ports" => b"--sports",
        b"--destination-ports" => b"--dports",
        b"--syn" => b"--tcp-flags",
        other => other,
    }
}
