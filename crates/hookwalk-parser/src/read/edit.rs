//! What commands other than `-A` do to a table: `-I`, `-D`, `-R`, `-F`, `-X`, `-E`.

use super::open_table::{OpenTable, Place};
use super::tables::Tables;
use crate::Rule;
use crate::extensions::Target;
use crate::types::Text;

/// Why an edit was not done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The chain, or its rule, is not there.
    NotThere,
    /// The edits so far have moved as many rules as they may.
    TooMany,
    /// `-X` of a chain that has rules, `-E` to a name that is taken.
    InUse,
}

impl Tables<'_> {
    /// How many rules a chain has; none when there is no such chain.
    fn len_of(&mut self, chain: &[u8]) -> Option<(usize, usize)> {
        let open = self.current();
        open.flush_run();
        open.settle_lost(usize::MAX);
        let at = open.chain(chain)?;
        Some((at, open.table.chains.get(at)?.rules.len()))
    }

    fn rules(&mut self, chain: &[u8]) -> Result<&mut Vec<Rule>, Refused> {
        let (at, len) = self.len_of(chain).ok_or(Refused::NotThere)?;
        if !self.may_move(len) {
            return Err(Refused::TooMany);
        }
        let open = self.current();
        open.changed(at);
        open.table.chains.get_mut(at).map(|chain| &mut chain.rules).ok_or(Refused::NotThere)
    }

    /// Puts rules before the one with a number, from 1; behind the last when it is one more.
    pub(super) fn insert(
        &mut self,
        chain: &[u8],
        number: usize,
        rules: Vec<Rule>,
        unresolved: Option<Place>,
    ) -> Result<(), Refused> {
        for rule in &rules {
            self.current().note_unresolved(rule, unresolved);
        }
        let into = self.rules(chain)?;
        let at = number.checked_sub(1).filter(|at| *at <= into.len()).ok_or(Refused::NotThere)?;
        into.splice(at..at, rules);
        Ok(())
    }

    /// Takes away the rule with a number, from 1, and puts others in its place.
    pub(super) fn replace(
        &mut self,
        chain: &[u8],
        number: usize,
        rules: Vec<Rule>,
        unresolved: Option<Place>,
    ) -> Result<(), Refused> {
        for rule in &rules {
            self.current().note_unresolved(rule, unresolved);
        }
        let into = self.rules(chain)?;
        let at = number.checked_sub(1).filter(|at| *at < into.len()).ok_or(Refused::NotThere)?;
        into.splice(at..=at, rules);
        Ok(())
    }

    /// Takes away the first rule that says the same.
    pub(super) fn delete(&mut self, chain: &[u8], rule: &Rule) -> Result<(), Refused> {
        let rules = self.rules(chain)?;
        let same = |r: &Rule| r.base == rule.base && r.matches == rule.matches && r.target == rule.target;
        let at = rules.iter().position(same).ok_or(Refused::NotThere)?;
        rules.remove(at);
        Ok(())
    }

    /// Empties a chain, or all.
    pub(super) fn flush(&mut self, chain: Option<&[u8]>) -> Result<(), Refused> {
        match chain {
            Some(name) => {
                self.rules(name)?;
                self.current().empty_chain(name);
            }
            None => {
                let count = self.current().table.chains.len();
                if !self.may_move(count) {
                    return Err(Refused::TooMany);
                }
                self.current().empty();
            }
        }
        Ok(())
    }

    /// Takes away a user chain that is empty, or all of them.
    pub(super) fn delete_chain(&mut self, chain: Option<&[u8]>) -> Result<(), Refused> {
        let Some(name) = chain else {
            let count = self.current().table.chains.len();
            if !self.may_move(count) {
                return Err(Refused::TooMany);
            }
            let open = self.current();
            open.flush_run();
            let all: Vec<Text> = open.table.chains.iter().map(|chain| chain.name.clone()).collect();
            for name in all {
                open.delete_chain(name.as_bytes());
            }
            return Ok(());
        };
        match self.len_of(name) {
            None => Err(Refused::NotThere),
            Some((_, 0)) if !self.current().table.is_builtin(name) => {
                self.current().delete_chain(name);
                Ok(())
            }
            Some(_) => Err(Refused::InUse),
        }
    }

    /// Gives a chain another name, in the rules that go to it too.
    pub(super) fn rename(&mut self, old: &[u8], new: &[u8], line: u32) -> Result<(), Refused> {
        // To look at a rule costs as much as to move some; few dumps rename at all.
        const LOOK: usize = 8;
        let (at, _) = self.len_of(old).ok_or(Refused::NotThere)?;
        let chains = self.current().table.chains.len();
        if !self.may_move(LOOK * chains) {
            return Err(Refused::TooMany);
        }
        let rules: usize = self.current().table.chains.iter().map(|chain| chain.rules.len()).sum();
        if !self.may_move(LOOK * rules) {
            return Err(Refused::TooMany);
        }
        let open = self.current();
        if open.chain(new).is_some() || open.table.is_builtin(old) {
            return Err(Refused::InUse);
        }
        let name = Text::from(new);
        open.names.remove(&open.table.chains, old);
        if let Some(chain) = open.table.chains.get_mut(at) {
            chain.name = name.clone();
            // From here on the name is there.
            chain.line = chain.line.map(|_| line);
        }
        open.names.insert(&open.table.chains, at);
        for rule in open.table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            if let Target::Jump(to) | Target::Goto(to) = &mut rule.target
                && to.as_bytes() == old
            {
                *to = name.clone();
            }
        }
        Ok(())
    }
}

impl OpenTable {
    /// Takes an empty user chain away; its place stays until the table ends.
    fn delete_chain(&mut self, name: &[u8]) {
        let Some(at) = self.chain(name) else { return };
        let is_empty = self.table.chains.get(at).is_some_and(|chain| chain.rules.is_empty());
        if is_empty && !self.table.is_builtin(name) {
            self.names.remove(&self.table.chains, name);
            self.deleted.push(at);
        }
    }

    pub(super) fn drop_deleted(&mut self) {
        if self.deleted.is_empty() {
            return;
        }
        self.deleted.sort_unstable();
        let deleted = std::mem::take(&mut self.deleted);
        let mut at = 0;
        self.table.chains.retain(|_| {
            at += 1;
            deleted.binary_search(&(at - 1)).is_err()
        });
        // The order of declaration says no more where rules may be missing.
        self.in_order = false;
    }
}
