use std::hash::BuildHasher;

use hashbrown::HashTable;
use hookwalk_parser::Chain;
use rustc_hash::FxBuildHasher;

/// Finds the chains of a table by name, without a copy of the names.
pub(super) struct Names<'t> {
    chains: &'t [Chain],
    found: HashTable<u32>,
}

impl<'t> Names<'t> {
    /// The names of all chains; of two chains of one name, the last one's.
    pub(super) fn of(chains: &'t [Chain]) -> Self {
        let mut found = HashTable::with_capacity(chains.len());
        for (at, chain) in (0_u32..).zip(chains) {
            let name = chain.name.as_bytes();
            let same = |&other: &u32| name_of(chains, other) == name;
            found.entry(hash(name), same, |&other| hash(name_of(chains, other))).insert(at);
        }
        Names { chains, found }
    }

    /// The index of the chain of this name.
    pub(super) fn get(&self, name: &[u8]) -> Option<u32> {
        self.found.find(hash(name), |&at| name_of(self.chains, at) == name).copied()
    }
}

fn hash(name: &[u8]) -> u64 {
    FxBuildHasher.hash_one(name)
}

fn name_of(chains: &[Chain], at: u32) -> &[u8] {
    chains.get(at as usize).map_or(b"", |chain| chain.name.as_bytes())
}
