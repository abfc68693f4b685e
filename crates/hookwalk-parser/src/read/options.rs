use super::diagnostics::quote;
use super::rule::{Line, Opened, Taker};
use crate::extensions::{Extension, Match, Target};
use crate::syntax::{ArgumentError, Arguments, value};
use crate::types::{Family, MaskedAddress, Protocol, Text};
use crate::{Code, Counters, Span};

impl Line<'_, '_> {
    /// Reads options from a word on until the line ends.
    pub(super) fn parts(&mut self, from: usize) {
        let mut at = from;
        while at < self.words.len() {
            let negated = self.bare(at) == b"!";
            let option = at + usize::from(negated);
            let used = match self.bare(option) {
                b"-m" | b"--match" => self.open_match(at, option),
                b"-j" | b"--jump" | b"-g" | b"--goto" => self.open_target(at, option),
                b"-c" | b"--set-counters" => self.set_counters(option),
                b"-4" | b"-6" | b"--ipv4" | b"--ipv6" => self.only_family(option),
                _ => self.option(at, option, negated),
            };
            // An option always moves on, also one that was refused.
            at = option + used.max(1);
        }
    }

    /// Offers an option to all that may take it; gives how many words it took.
    fn option(&mut self, at: usize, option: usize, negated: bool) -> usize {
        let bytes = self.bytes;
        let words = self.words.get(option..).unwrap_or_default();
        let mut arguments = Arguments::new(bytes, words, negated);
        for index in (0..self.takers.len()).rev() {
            let Some(&taker) = self.takers.get(index) else { continue };
            if self.had(taker, arguments.name()) {
                return self.repeated(taker, at, option);
            }
            if taker == Taker::Base
                && let Some(used) = self.address_list(option, negated)
            {
                self.seen.push((taker, option));
                return used;
            }
            match self.offer(taker, &mut arguments) {
                Ok(false) => {}
                Ok(true) => {
                    self.note(taker, option, arguments.name());
                    if taker == Taker::Base {
                        self.check_address(option, arguments.used());
                    }
                    return arguments.used();
                }
                Err(error) => return self.refused(taker, at, option, &arguments, error),
            }
        }
        if let Some(used) = self.implied_match(at, option, &mut arguments) {
            return used;
        }
        self.unknown_option(at, option)
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
        let same = |word: usize| short_name(self.bare(word)) == short_name(name);
        self.seen.iter().any(|&(by, word)| by == taker && same(word))
    }

    fn note(&mut self, taker: Taker, option: usize, name: &[u8]) {
        // `-m policy --next` starts a new element with the same options.
        if name == b"--next" {
            self.seen.retain(|&(by, _)| by != taker);
        } else {
            self.seen.push((taker, option));
        }
    }

    /// `-p tcp --dport 80` loads the match `tcp` by itself.
    fn implied_match(&mut self, at: usize, option: usize, arguments: &mut Arguments<'_>) -> Option<usize> {
        let protocol = self.base.protocol.filter(|p| !p.negated)?.value;
        let name = match protocol {
            Protocol::ICMPV6 => "icmp6".to_owned(),
            Protocol::MOBILITY => "mh".to_owned(),
            _ => protocol.to_string(),
        };
        let mut implied = Match::open(name.as_bytes())?;
        match implied.read(arguments) {
            Ok(false) => None,
            Ok(true) => {
                let taker = self.push_match(implied, at);
                self.seen.push((taker, option));
                Some(arguments.used())
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
            self.seen.retain(|&(by, _)| by != old);
        }
        let taker = Taker::Match(self.matches.len());
        self.takers.push(taker);
        self.matches.push(opened);
        self.opened.push(Opened { at, damaged: false });
        taker
    }

    fn open_match(&mut self, at: usize, option: usize) -> usize {
        let Some(name) = self.words.get(option + 1) else {
            self.report(Code::MissingValue, option, || {
                "the line ends where the name of a match should stand".into()
            });
            self.unknown_part(None, at, option + 1);
            return 1;
        };
        let name = name.text(self.bytes);
        let opened = if at == option { Match::open(&name) } else { None };
        if let Some(opened) = opened {
            self.push_match(opened, at);
            return 2;
        }
        let end = self.end_of_unknown(option + 2, false);
        if at == option {
            self.report(Code::UnknownMatch, option + 1, || {
                format!("unknown match {}; its options are kept as they are", quote(&name))
            });
        } else {
            self.report(Code::NotInvertible, at, || "`!` cannot stand before `-m`".into());
        }
        self.unknown_part(Some(Text::from(&*name)), at, end);
        end - option
    }

    fn open_target(&mut self, at: usize, option: usize) -> usize {
        let Some(&word) = self.words.get(option + 1) else {
            self.report(Code::MissingValue, option, || "the line ends where a target should stand".into());
            self.set_unknown_target(None, at, option + 1);
            return 1;
        };
        if at != option {
            self.report(Code::NotInvertible, at, || "`!` cannot stand before a target".into());
            self.set_unknown_target(None, at, option + 2);
            return 2;
        }
        if self.target_at.is_some() {
            self.report(Code::SecondTarget, option, || "a rule has one target: this is a second one".into());
            self.set_unknown_target(None, at, option + 2);
            return 2;
        }
        self.target_at = Some(at);
        self.takers.push(Taker::Target);
        let is_goto = matches!(self.bare(option), b"-g" | b"--goto");
        let name = word.text(self.bytes);
        let chain = self.tables.chain_named(&name);
        // Only a chain that a line declares can have a target's name: rules alone do not make one.
        let known = if is_goto || chain.as_ref().is_some_and(|(_, declared)| *declared) {
            None
        } else {
            Target::named(&name)
        };
        self.target = match (known, chain) {
            (Some(target), _) => target,
            (None, Some((chain, _))) if is_goto => Target::Goto(chain),
            (None, Some((chain, _))) => Target::Jump(chain),
            (None, None) => {
                let end = self.end_of_unknown(option + 2, false);
                if end > option + 2 && !is_goto {
                    self.report(Code::UnknownTarget, option + 1, || {
                        format!("unknown target {}; its options are kept as they are", quote(&name))
                    });
                    self.set_unknown_target(Some(Text::from(&*name)), at, end);
                    return end - option;
                }
                self.unresolved = Some(Span { start: word.start, end: word.end });
                let name = Text::from(&*name);
                if is_goto { Target::Goto(name) } else { Target::Jump(name) }
            }
        };
        2
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
    fn address_list(&mut self, option: usize, negated: bool) -> Option<usize> {
        let is_source = match short_name(self.bare(option)) {
            b"-s" => true,
            b"-d" => false,
            _ => return None,
        };
        let list = self.bare(option + 1);
        if negated || !list.contains(&b',') {
            return None;
        }
        let addresses: Option<Vec<MaskedAddress>> =
            list.split(|&b| b == b',').map(|word| value(word).ok()).collect();
        let addresses = addresses?;
        let families = [Family::V4, Family::V6];
        for family in families.into_iter().filter(|f| addresses.iter().any(|a| a.family() == *f)) {
            self.learn_family(family, option + 1, option + 2);
        }
        *(if is_source { &mut self.sources } else { &mut self.destinations }) = addresses;
        Some(2)
    }

    /// An address of the other family cannot have been in the kernel: the rule is damaged.
    fn check_address(&mut self, option: usize, used: usize) {
        let address = match short_name(self.bare(option)) {
            b"-s" => self.base.source,
            b"-d" => self.base.destination,
            _ => return,
        };
        if let Some(address) = address {
            let word = option + used - 1;
            self.learn_family(address.value.family(), word, word + 1);
        }
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
            let name = Text::from(&*self.target.name());
            self.set_unknown_target(Some(name), at, self.words.len());
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
fn short_name(name: &[u8]) -> &[u8] {
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
