use super::diagnostics::quote;
use super::edit::Refused;
use super::rule::Line;
use crate::syntax::{Word, value};
use crate::{Code, Policy};

impl Line<'_, '_> {
    /// Does what the first word says.
    pub(super) fn command(&mut self, is_cut: bool) {
        let at = self.family_before_command();
        let chain = self.words.get(at + 1).copied();
        match (self.bare(at), chain) {
            (b"-A" | b"--append", Some(chain)) => self.append(chain, at + 2, is_cut),
            (b"-N" | b"--new-chain" | b"--new", Some(chain)) => {
                let name = chain.text(self.bytes);
                self.tables.declare(&name, b"-", chain.start, None, self.diagnostics);
            }
            (b"-P" | b"--policy", Some(chain)) => self.policy(chain, at + 2),
            (b"-I" | b"--insert", Some(chain)) => self.insert(chain, at, is_cut),
            (b"-R" | b"--replace", Some(chain)) => self.replace(chain, at, is_cut),
            (b"-D" | b"--delete", Some(chain)) => self.delete(chain, at, is_cut),
            (b"-F" | b"--flush", chain) => {
                let name = chain.map(|word| word.text(self.bytes));
                let done = self.tables.flush(name.as_deref());
                self.settle(done, at);
            }
            (b"-X" | b"--delete-chain", chain) => {
                let name = chain.map(|word| word.text(self.bytes));
                let done = self.tables.delete_chain(name.as_deref());
                self.settle(done, at);
            }
            (b"-E" | b"--rename-chain", Some(chain)) if self.words.len() > at + 2 => {
                let new = self.words.get(at + 2).map(|word| word.text(self.bytes)).unwrap_or_default();
                let done = self.tables.rename(&chain.text(self.bytes), &new, self.diagnostics.line);
                self.settle(done, at);
            }
            // Counters alone.
            (b"-Z" | b"--zero", _) => {}
            (
                b"-A" | b"--append" | b"-N" | b"--new-chain" | b"--new" | b"-P" | b"--policy" | b"-I"
                | b"--insert" | b"-R" | b"--replace" | b"-D" | b"--delete" | b"-E" | b"--rename-chain",
                _,
            ) => {
                let code = if is_cut { Code::CutLine } else { Code::MissingValue };
                self.report(code, at, || "the line ends where the name of a chain should stand".into());
                self.tables.lost_text(self.diagnostics.line);
            }
            (command, _) => {
                let command = quote(command);
                self.report(Code::UnsupportedCommand, at, || {
                    format!("{command} is not read: expected a command such as -A, -N or -P; what the line does is unknown")
                });
                self.tables.lost_text(self.diagnostics.line);
            }
        }
    }

    /// `-4` or `-6` may stand before the command; gives the word index of the command.
    fn family_before_command(&mut self) -> usize {
        let mut at = 0;
        while matches!(self.bare(at), b"-4" | b"-6" | b"--ipv4" | b"--ipv6") {
            self.only_family(at);
            at += 1;
        }
        at
    }

    fn append(&mut self, chain: Word, from: usize, is_cut: bool) {
        let chain = self.tables.chain_for_rule(&chain.text(self.bytes), chain.start, self.diagnostics);
        let Some(rule) = self.rule(from, is_cut) else { return };
        if !self.has_list() {
            self.tables.append(chain, rule, self.unresolved);
            return;
        }
        for rule in self.expanded(rule) {
            self.tables.append(chain, rule, self.unresolved);
        }
    }

    fn policy(&mut self, chain: Word, at: usize) {
        let name = chain.text(self.bytes);
        self.tables.listed_again(&name, self.diagnostics);
        let policy = match self.bare(at) {
            b"ACCEPT" => Policy::Accept,
            b"DROP" => Policy::Drop,
            other => {
                let other = quote(other);
                self.report(Code::BadChain, at, || format!("{other} is no policy: expected ACCEPT or DROP"));
                return;
            }
        };
        if matches!(self.bare(at + 1), b"-c" | b"--set-counters") {
            self.set_counters(at + 1);
        }
        self.tables.set_policy(&name, policy, self.counters, chain.start, self.diagnostics);
    }

    /// The number that may stand behind the chain of `-I`, `-R` and `-D`.
    fn number(&self, index: usize) -> Option<usize> {
        value::<u64>(self.bare(index)).ok().and_then(|number| usize::try_from(number).ok())
    }

    fn insert(&mut self, chain: Word, at: usize, is_cut: bool) {
        let name = chain.text(self.bytes);
        self.tables.chain_for_rule(&name, chain.start, self.diagnostics);
        let number = self.number(at + 2);
        let Some(rule) = self.rule(at + 2 + usize::from(number.is_some()), is_cut) else { return };
        // Each rule of an address list goes before the one made last.
        let mut rules = self.expanded(rule);
        rules.reverse();
        let done = self.tables.insert(&name, number.unwrap_or(1), rules, self.unresolved);
        self.settle(done, at);
    }

    fn replace(&mut self, chain: Word, at: usize, is_cut: bool) {
        let Some(number) = self.number(at + 2) else {
            self.report(Code::MissingValue, at, || {
                "expected a chain and the number of a rule behind it".into()
            });
            self.tables.lost_text(self.diagnostics.line);
            return;
        };
        let Some(rule) = self.rule(at + 3, is_cut) else { return };
        let rules = self.expanded(rule);
        let done = self.tables.replace(&chain.text(self.bytes), number, rules, self.unresolved);
        self.settle(done, at);
    }

    fn delete(&mut self, chain: Word, at: usize, is_cut: bool) {
        let name = chain.text(self.bytes);
        if let Some(number) = self.number(at + 2) {
            let done = self.tables.replace(&name, number, Vec::new(), None);
            self.settle(done, at);
            return;
        }
        let Some(rule) = self.rule(at + 2, is_cut) else { return };
        for rule in self.expanded(rule) {
            let done = self.tables.delete(&name, &rule);
            self.settle(done, at);
        }
    }

    /// Says so when a command could not do what it says: the rules that were there before the dump
    /// may have let it.
    fn settle(&mut self, done: Result<(), Refused>, at: usize) {
        let why = match done {
            Ok(()) => return,
            Err(Refused::NotThere) => "the dump has no such chain or rule",
            Err(Refused::InUse) => "the chain has rules, is built in, or its new name is taken",
            Err(Refused::TooMany) => {
                self.report(Code::UnsupportedCommand, at, || {
                    "the commands before this one moved too many rules".into()
                });
                self.tables.lost_text(self.diagnostics.line);
                return;
            }
        };
        let command = quote(self.bare(at));
        self.report(Code::CommandWithoutEffect, at, || format!("{command} did nothing: {why}"));
    }
}
