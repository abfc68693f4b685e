use super::diagnostics::quote;
use super::rule::Line;
use crate::syntax::Word;
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
            (b"-A" | b"--append" | b"-N" | b"--new-chain" | b"--new" | b"-P" | b"--policy", None) => {
                let code = if is_cut { Code::CutLine } else { Code::MissingValue };
                self.report(code, at, || "the line ends where the name of a chain should stand".into());
                self.tables.lost_text(self.diagnostics.line);
            }
            (command, _) => {
                let command = quote(command);
                self.report(Code::UnsupportedCommand, at, || {
                    format!("{command} is not read: expected -A, -N or -P; what the line does is unknown")
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
        for rule in self.expanded(rule) {
            self.tables.append(chain, rule, self.unresolved);
        }
    }

    fn policy(&mut self, chain: Word, at: usize) {
        let name = chain.text(self.bytes);
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
}
