use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::Chain;
use crate::types::Family;

/// Finds the chains of a table by name. It holds no name itself: those of a large dump are in memory once.
#[derive(Default)]
pub(super) struct Names {
    found: HashTable<u32>,
    /// How often a name came or went.
    pub(super) changes: usize,
}

/// What reading a rule needs of its table.
#[derive(Clone, Copy)]
pub(super) struct Known<'t> {
    pub(super) chains: &'t [Chain],
    pub(super) names: &'t Names,
    /// What `-X` took away is still among the chains.
    pub(super) has_deleted: bool,
    pub(super) family: Family,
}

impl Known<'_> {
    /// The index of the chain of this name; `near` is the one found last, which is likely this one or the
    /// one before it.
    #[inline]
    pub(super) fn chain(self, name: &[u8], near: &mut usize) -> Option<usize> {
        let has_name = |at: &usize| self.chains.get(*at).is_some_and(|chain| chain.name.as_bytes() == name);
        let found = [*near, *near + 1].into_iter().find(has_name).filter(|_| !self.has_deleted);
        let found = found.or_else(|| self.names.get(self.chains, name))?;
        *near = found;
        Some(found)
    }
}

impl Names {
    /// The names of all chains; of two chains of one name, the last one's.
    pub(super) fn of(chains: &[Chain]) -> Self {
        let mut names = Names::default();
        for at in 0..chains.len() {
            names.insert(chains, at);
        }
        names
    }

    /// Makes room for so many, where there is memory for them.
    pub(super) fn expect(&mut self, count: usize) {
        // Without it the table grows as names come.
        let _ = self.found.try_reserve(count, |_| 0);
    }

    /// The index of the chain of this name.
    #[inline]
    pub(super) fn get(&self, chains: &[Chain], name: &[u8]) -> Option<usize> {
        self.found.find(hash(name), |&at| name_of(chains, at) == Some(name)).map(|&at| at as usize)
    }

    /// Finds a chain by the name that it has now.
    pub(super) fn insert(&mut self, chains: &[Chain], at: usize) {
        let Ok(at) = u32::try_from(at) else { return };
        let Some(name) = name_of(chains, at) else { return };
        self.changes += 1;
        let same = |&other: &u32| name_of(chains, other) == Some(name);
        match self.found.entry(hash(name), same, |&other| hash(name_of(chains, other).unwrap_or_default())) {
            Entry::Occupied(mut known) => *known.get_mut() = at,
            Entry::Vacant(free) => {
                free.insert(at);
            }
        }
    }

    /// Forgets the chain of this name.
    pub(super) fn remove(&mut self, chains: &[Chain], name: &[u8]) {
        self.changes += 1;
        if let Ok(known) = self.found.find_entry(hash(name), |&at| name_of(chains, at) == Some(name)) {
            known.remove();
        }
    }
}

fn hash(name: &[u8]) -> u64 {
    FxBuildHasher.hash_one(name)
}

fn name_of(chains: &[Chain], at: u32) -> Option<&[u8]> {
    chains.get(at as usize).map(|chain| chain.name.as_bytes())
}
