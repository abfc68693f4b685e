use super::diagnostics::{Diagnostics, quote};
use super::tables::Tables;
use crate::extensions::{Extension, Match, Target, UnknownPart};
use crate::syntax::{ArgumentError, Arguments, Problem, Word, split_words, value};
use crate::types::{Family, MaskedAddress, Negatable, Text};
use crate::{BaseMatches, Code, Counters, Policy, Rule, Span};

/// Reads the lines that start with a command such as `-A`; the buffers live from line to line.
#[derive(Default)]
pub(super) struct RuleReader {
    words: Vec<Word>,
    /// Where each match of the rule was opened: the index of its `-m`.
    opened_at: Vec<usize>,
}

/// One line while it is read.
struct Line<'a, 'r> {
    bytes: &'a [u8],
    words: &'a [Word],
    opened_at: &'a mut Vec<usize>,
    tables: &'a mut Tables<'r>,
    diagnostics: &'a mut Diagnostics,
    base: BaseMatches,
    matches: Vec<Match>,
    target: Target,
    /// The word index of `-j` or `-g`.
    target_at: Option<usize>,
    /// The target's name is no known target, and was no chain when it was read.
    unresolved: Option<Span>,
    counters: Option<Counters>,
    sources: Vec<MaskedAddress>,
    destinations: Vec<MaskedAddress>,
}

impl RuleReader {
    #[expect(clippy::too_many_arguments, reason = "one call, and each part comes from elsewhere")]
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        from: usize,
        counters: Option<Counters>,
        span: Span,
        is_cut: bool,
        tables: &mut Tables<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        split_words(bytes, from, &mut self.words);
        self.opened_at.clear();
        let mut line = Line {
            bytes,
            words: &self.words,
            opened_at: &mut self.opened_at,
            tables,
            diagnostics,
            base: BaseMatches::default(),
            matches: Vec::new(),
            target: Target::None,
            target_at: None,
            unresolved: None,
            counters,
            sources: Vec::new(),
            destinations: Vec::new(),
        };
        line.command(span, is_cut);
    }
}

impl Line<'_, '_> {
    fn command(&mut self, span: Span, is_cut: bool) {
        match (self.bare(0), self.words.get(1)) {
            (b"-A" | b"--append", Some(&chain)) => self.append(chain, span, is_cut),
            (b"-N" | b"--new-chain", Some(chain)) => {
                let name = chain.text(self.bytes);
                self.tables.declare(&name, b"-", chain.start, None, self.diagnostics);
            }
            (b"-P" | b"--policy", Some(chain)) => {
                let name = chain.text(self.bytes);
                match self.bare(2) {
                    b"ACCEPT" => self.tables.set_policy(&name, Policy::Accept),
                    b"DROP" => self.tables.set_policy(&name, Policy::Drop),
                    other => {
                        let other = quote(other);
                        self.report(Code::BadChain, 2, || format!("{other} is no policy: expected ACCEPT or DROP"));
                    }
                }
            }
            (b"-A" | b"--append" | b"-N" | b"--new-chain" | b"-P" | b"--policy", None) => {
                let code = if is_cut { Code::CutLine } else { Code::MissingValue };
                self.report(code, 0, || "the line ends where the name of a chain should stand".into());
                self.tables.lost_text(self.diagnostics.line);
            }
            (command, _) => {
                let command = quote(command);
                self.report(Code::UnsupportedCommand, 0, || {
                    format!("{command} is not read: expected -A, -N or -P; what the line does is unknown")
                });
                self.tables.lost_text(self.diagnostics.line);
            }
        }
    }

    fn append(&mut self, chain: Word, span: Span, is_cut: bool) {
        let chain = self.tables.chain_for_rule(&chain.text(self.bytes), chain.start, self.diagnostics);
        self.parts(2);
        self.check_complete();
        self.check_open_quote();
        if is_cut {
            self.cut();
        }
        let rule = Rule {
            line: self.diagnostics.line,
            span,
            counters: self.counters,
            base: self.base,
            matches: std::mem::take(&mut self.matches),
            target: std::mem::replace(&mut self.target, Target::None),
        };
        self.append_expanded(chain, rule);
    }

    /// A list of addresses loads as one rule for each of them, sources outside, destinations inside.
    fn append_expanded(&mut self, chain: usize, rule: Rule) {
        if self.sources.is_empty() && self.destinations.is_empty() {
            self.tables.append(chain, rule, self.unresolved);
            return;
        }
        let options = |list: &[MaskedAddress], single| match list {
            [] => vec![single],
            list => list.iter().map(|&address| Some(Negatable::plain(address))).collect(),
        };
        let destinations = options(&self.destinations, rule.base.destination);
        for source in options(&self.sources, rule.base.source) {
            for &destination in &destinations {
                let base = BaseMatches { source, destination, ..rule.base };
                self.tables.append(chain, Rule { base, ..rule.clone() }, self.unresolved);
            }
        }
    }

    /// Reads options from a word on until the line ends.
    fn parts(&mut self, from: usize) {
        let mut at = from;
        while at < self.words.len() {
            let negated = self.bare(at) == b"!";
            let option = at + usize::from(negated);
            let used = match self.bare(option) {
                b"-m" | b"--match" => self.open_match(at, option),
                b"-j" | b"--jump" | b"-g" | b"--goto" => self.open_target(at, option),
                b"-c" | b"--set-counters" => self.set_counters(option),
                b"-4" | b"-6" | b"--ipv4" | b"--ipv6" => 1,
                _ => self.option(at, option, negated),
            };
            // An option always moves on, also one that was refused.
            at = option + used.max(1);
        }
    }

    fn option(&mut self, at: usize, option: usize, negated: bool) -> usize {
        let bytes = self.bytes;
        let words = self.words.get(option..).unwrap_or_default();
        if let Some(used) = self.address_list(option, negated) {
            return used;
        }
        let mut arguments = Arguments::new(bytes, words, negated);
        match self.base.read(&mut arguments) {
            Ok(true) => {
                self.check_family(option, arguments.used());
                return arguments.used();
            }
            Ok(false) => {}
            Err(error) => return self.refused(None, at, option, &arguments, error),
        }
        if self.target_at.is_some() {
            match self.target.read(&mut arguments) {
                Ok(true) => return arguments.used(),
                Ok(false) => {}
                Err(error) => return self.refused_target(option, &arguments, error),
            }
        }
        for index in (0..self.matches.len()).rev() {
            let Some(candidate) = self.matches.get_mut(index) else { continue };
            match candidate.read(&mut arguments) {
                Ok(true) => return arguments.used(),
                Ok(false) => {}
                Err(error) => {
                    let name = Text::from(&*candidate.name());
                    return self.refused(Some(name), at, option, &arguments, error);
                }
            }
        }
        if let Some(used) = self.implied_match(at, option, &mut arguments) {
            return used;
        }
        self.unknown_option(at, option)
    }

    /// `-p tcp --dport 80` loads the match `tcp` by itself.
    fn implied_match(&mut self, at: usize, option: usize, arguments: &mut Arguments<'_>) -> Option<usize> {
        let protocol = self.base.protocol.filter(|p| !p.negated)?.value;
        let name = match protocol {
            crate::types::Protocol::ICMPV6 => "icmp6".to_owned(),
            _ => protocol.to_string(),
        };
        let mut implied = Match::open(name.as_bytes())?;
        match implied.read(arguments) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(error) => return Some(self.refused(Some(Text::from(&*name)), at, option, arguments, error)),
        }
        self.matches.push(implied);
        self.opened_at.push(at);
        Some(arguments.used())
    }

    fn open_match(&mut self, at: usize, option: usize) -> usize {
        let Some(name) = self.words.get(option + 1) else {
            self.report(Code::MissingValue, option, || "the line ends where the name of a match should stand".into());
            self.unknown_part(None, at, option + 1);
            return 1;
        };
        let name = name.text(self.bytes);
        let opened = if at == option { Match::open(&name) } else { None };
        if let Some(opened) = opened {
            self.matches.push(opened);
            self.opened_at.push(at);
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
            self.unknown_target(None, at, option + 1);
            return 1;
        };
        if at != option {
            self.report(Code::NotInvertible, at, || "`!` cannot stand before a target".into());
            self.unknown_target(None, at, option + 2);
            return 2;
        }
        if self.target_at.is_some() {
            self.report(Code::SecondTarget, option, || "a rule has one target: this is a second one".into());
            self.unknown_target(None, at, option + 2);
            return 2;
        }
        self.target_at = Some(at);
        let is_goto = matches!(self.bare(option), b"-g" | b"--goto");
        let name = word.text(self.bytes);
        let declared = self.tables.declared_chain(&name);
        self.target = match (&*name, declared) {
            (_, Some(chain)) if is_goto => Target::Goto(chain),
            (_, Some(chain)) => Target::Jump(chain),
            (name, None) if is_goto => {
                self.unresolved = Some(Span { start: word.start, end: word.end });
                Target::Goto(Text::from(name))
            }
            (b"ACCEPT", None) => Target::Accept,
            (b"DROP", None) => Target::Drop,
            (b"RETURN", None) => Target::Return,
            (b"QUEUE", None) => Target::Queue,
            (name, None) => match Target::open(name) {
                Some(target) => target,
                None if self.words.len() > option + 2 => {
                    let name = Text::from(name);
                    self.report(Code::UnknownTarget, option + 1, || {
                        format!("unknown target {}; its options are kept as they are", quote(name.as_bytes()))
                    });
                    self.unknown_target(Some(name), at, self.words.len());
                    return self.words.len() - option;
                }
                None => {
                    self.unresolved = Some(Span { start: word.start, end: word.end });
                    Target::Jump(Text::from(name))
                }
            },
        };
        2
    }

    fn set_counters(&mut self, option: usize) -> usize {
        let number = |index: usize| value::<u64>(self.bare(index)).ok();
        match (number(option + 1), number(option + 2)) {
            (Some(packets), Some(bytes)) => self.counters = Some(Counters { packets, bytes }),
            _ => self.report(Code::BadCounters, option, || "expected two numbers: packets and bytes".into()),
        }
        3
    }

    /// `-s a,b` and `-d a,b`: more than one rule.
    fn address_list(&mut self, option: usize, negated: bool) -> Option<usize> {
        let is_source = match self.bare(option) {
            b"-s" | b"--source" | b"--src" => true,
            b"-d" | b"--destination" | b"--dst" => false,
            _ => return None,
        };
        let list = self.bare(option + 1);
        if negated || !list.contains(&b',') {
            return None;
        }
        let addresses: Option<Vec<MaskedAddress>> = list.split(|&b| b == b',').map(|word| value(word).ok()).collect();
        let addresses = addresses?;
        if let Some(first) = addresses.first() {
            self.learn_family(first.family(), option + 1);
        }
        *(if is_source { &mut self.sources } else { &mut self.destinations }) = addresses;
        Some(2)
    }

    /// An address of the other family cannot have been in the kernel: the rule is damaged.
    fn check_family(&mut self, option: usize, used: usize) {
        let address = match self.bare(option) {
            b"-s" | b"--source" | b"--src" => self.base.source,
            b"-d" | b"--destination" | b"--dst" => self.base.destination,
            _ => return,
        };
        if let Some(address) = address {
            self.learn_family(address.value.family(), option + used - 1);
        }
    }

    fn learn_family(&mut self, family: Family, word: usize) {
        match self.tables.family() {
            None => self.tables.learn_family(family),
            Some(known) if known == family => {}
            Some(known) => {
                self.report(Code::OtherFamily, word, || format!("an {family} address in a table of {known}"));
                self.unknown_part(None, word, word + 1);
            }
        }
    }

    /// Keeps an option with a wrong value as unknown; gives how many words to pass over.
    fn refused(
        &mut self,
        module: Option<Text>,
        at: usize,
        option: usize,
        arguments: &Arguments<'_>,
        error: ArgumentError,
    ) -> usize {
        let used = self.complain(option, arguments, error);
        self.unknown_part(module, at, option + used);
        used
    }

    fn refused_target(&mut self, option: usize, arguments: &Arguments<'_>, error: ArgumentError) -> usize {
        self.complain(option, arguments, error);
        let name = Text::from(&*self.target.name());
        self.unknown_target(Some(name), self.target_at.unwrap_or(option), self.words.len());
        self.words.len() - option
    }

    fn complain(&mut self, option: usize, arguments: &Arguments<'_>, error: ArgumentError) -> usize {
        let word = option + error.word;
        let name = quote(arguments.name());
        let text = self.words.get(word).map(|w| quote(&w.text(self.bytes))).unwrap_or_default();
        match error.problem {
            Problem::Expected(what) => {
                self.report(Code::BadValue, word, || format!("{text} cannot stand behind {name}: expected {what}"));
            }
            Problem::Missing(what) => {
                self.report(Code::MissingValue, word, || format!("the line ends behind {name}: expected {what}"));
            }
            Problem::NotInvertible => {
                self.report(Code::NotInvertible, word, || format!("`!` cannot stand before {name}"));
                let value = self.words.get(option + 1).is_some_and(|_| !self.bare(option + 1).starts_with(b"-"));
                return arguments.used() + usize::from(value);
            }
        }
        arguments.used()
    }

    fn unknown_option(&mut self, at: usize, option: usize) -> usize {
        let end = self.end_of_unknown(option + 1, true);
        let module = match (self.target_at, self.matches.last()) {
            (Some(_), _) => None,
            (None, Some(last)) => Some(Text::from(&*last.name())),
            (None, None) => None,
        };
        let text = quote(self.words.get(option).map_or(b"", |w| w.raw(self.bytes)));
        self.report(Code::UnknownOption, option, || match &module {
            Some(module) => format!("unknown option {text} of match {}", quote(module.as_bytes())),
            None => format!("unknown option {text}"),
        });
        if self.target_at.is_some() {
            let name = Text::from(&*self.target.name());
            self.unknown_target(Some(name), self.target_at.unwrap_or(at), end);
        } else {
            self.unknown_part(module, at, end);
        }
        end - option
    }

    /// Behind something unknown: the next word that starts a part of the rule. Behind an unknown match
    /// that is no long option, since those are its own.
    fn end_of_unknown(&self, from: usize, long_options_end_it: bool) -> usize {
        let starts_part = |index: usize| {
            let word = self.bare(index);
            matches!(word, b"-m" | b"-j" | b"-g" | b"-s" | b"-d" | b"-i" | b"-o" | b"-p" | b"-f")
                || (long_options_end_it && word.starts_with(b"--") && word.len() > 2)
        };
        (from..self.words.len())
            .find(|&i| starts_part(i) || (self.bare(i) == b"!" && starts_part(i + 1)))
            .unwrap_or(self.words.len())
    }

    fn check_complete(&mut self) {
        for index in 0..self.matches.len() {
            let Some(candidate) = self.matches.get(index) else { continue };
            let Some(missing) = candidate.missing() else { continue };
            let name = Text::from(&*candidate.name());
            let damaged = |m: &Match| matches!(m, Match::Unknown(part) if part.module.as_ref() == Some(&name));
            if self.matches.iter().any(damaged) {
                continue;
            }
            let at = self.opened_at.get(index).copied().unwrap_or(0);
            self.report(Code::MissingOption, at, || format!("match {} needs {missing}", quote(name.as_bytes())));
            self.unknown_part(Some(name), at, at + 2);
        }
        if let (Some(missing), Some(at)) = (self.target.missing(), self.target_at) {
            let name = Text::from(&*self.target.name());
            self.report(Code::MissingOption, at, || format!("target {} needs {missing}", quote(name.as_bytes())));
            self.unknown_target(Some(name), at, self.words.len());
        }
    }

    /// Behind an open quote everything up to the end of the line is lost, the target included.
    fn check_open_quote(&mut self) {
        let Some(last) = self.words.len().checked_sub(1) else { return };
        if !self.words.get(last).is_some_and(Word::is_open) {
            return;
        }
        self.report(Code::OpenQuote, last, || "the quote is not closed in this line".into());
        self.lost_end(last);
    }

    /// The dump ends inside this line: its last word may lack its end, and more words may follow.
    fn cut(&mut self) {
        let Some(last) = self.words.len().checked_sub(1) else { return };
        self.report(Code::CutLine, last, || "the dump ends in the middle of this line".into());
        self.lost_end(last);
    }

    fn lost_end(&mut self, last: usize) {
        match self.target_at {
            Some(at) => {
                let name = Text::from(&*self.target.name());
                self.unknown_target(Some(name), at, self.words.len());
            }
            None => {
                self.unknown_part(None, last, last + 1);
                self.unknown_target(None, last, last + 1);
            }
        }
    }

    fn unknown_part(&mut self, module: Option<Text>, from: usize, to: usize) {
        let part = self.part(module, from, to);
        self.matches.push(Match::Unknown(Box::new(part)));
        self.opened_at.push(from);
    }

    fn unknown_target(&mut self, name: Option<Text>, from: usize, to: usize) {
        let part = self.part(name, from, to);
        self.target = Target::Unknown(Box::new(part));
        self.target_at = Some(from);
        self.unresolved = None;
    }

    fn part(&self, module: Option<Text>, from: usize, to: usize) -> UnknownPart {
        let start = self.words.get(from).map_or(0, |w| w.start);
        let end = to.checked_sub(1).and_then(|last| self.words.get(last)).map_or(start, |w| w.end).max(start);
        let text = Text::from(self.bytes.get(start as usize..end as usize).unwrap_or_default());
        let line_start = self.diagnostics.line_start;
        UnknownPart { module, text, span: Span { start: line_start + start, end: line_start + end } }
    }

    fn bare(&self, index: usize) -> &[u8] {
        self.words.get(index).map_or(b"", |word| word.bare(self.bytes))
    }

    fn report(&mut self, code: Code, word: usize, message: impl FnOnce() -> String) {
        let (start, end) = self.words.get(word).map_or((0, 0), |w| (w.start, w.end));
        self.diagnostics.here(code, start, end, message);
    }
}

