use hookwalk_engine::{Hook, TableName};
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::{Family, Text};
use hookwalk_parser::{Backend, Chain, Dump, Rule, Table, TableEnd};
use rustc_hash::FxHashMap;

/// A chain by its place in the dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChainAt {
    pub(crate) dump: usize,
    pub(crate) table: usize,
    pub(crate) chain: usize,
}

/// The tables of one family in the dumps of one node.
#[derive(Debug)]
pub(crate) struct Tables<'d> {
    dumps: &'d [Dump],
    /// Of each name at most one of each backend: the later of two is what restoring leaves.
    found: Vec<Found<'d>>,
    /// Whether an absent table is empty: it is in a whole save.
    whole: bool,
}

#[derive(Debug)]
struct Found<'d> {
    name: TableName,
    is_nft: bool,
    dump: usize,
    at: usize,
    by_name: FxHashMap<&'d [u8], usize>,
    ends: TableEnd,
}

/// The tables, in the order of their priority where several meet at one hook.
pub(crate) const TABLES: [TableName; 5] =
    [TableName::Raw, TableName::Mangle, TableName::Nat, TableName::Filter, TableName::Security];

impl<'d> Tables<'d> {
    pub(crate) fn new(dumps: &'d [Dump], family: Family) -> Self {
        let all: Vec<usize> = (0..dumps.len()).collect();
        Self::of(dumps, &all, family)
    }

    /// Those of some of the dumps. Where no table tells its family they are taken for IPv4.
    pub(crate) fn of(dumps: &'d [Dump], some: &[usize], family: Family) -> Self {
        let mut found: Vec<Found<'d>> = Vec::new();
        let mut whole = false;
        let chosen = || some.iter().filter_map(|&dump| Some((dump, dumps.get(dump)?)));
        let told =
            |family| chosen().flat_map(|(_, dump)| dump.tables()).any(|table| table.family == Some(family));
        if !told(family) && (family == Family::V6 || told(Family::V6)) {
            return Tables { dumps, found, whole };
        }
        for (dump, text) in chosen() {
            let mut last = text.tables().iter().find_map(|table| table.family);
            let mut counts = false;
            for (at, table) in text.tables().iter().enumerate() {
                last = table.family.or(last);
                if last.is_some_and(|known| known != family) {
                    continue;
                }
                counts = true;
                let Some(name) = TABLES.into_iter().find(|name| table.name == name.name()) else { continue };
                let is_nft = table.backend == Some(Backend::Nft);
                found.retain(|known| known.name != name || known.is_nft != is_nft);
                let chains = table.chains.iter().enumerate();
                let by_name = chains.map(|(chain, c)| (c.name.as_bytes(), chain)).collect();
                found.push(Found { name, is_nft, dump, at, by_name, ends: table.end });
            }
            whole |= counts && text.is_whole();
        }
        Tables { dumps, found, whole }
    }

    /// Whether any dump has rules of the family.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The built-in chains of a table at a hook, one of each backend.
    pub(crate) fn entries(&self, name: TableName, hook: Hook) -> Vec<ChainAt> {
        let of_table = self.found.iter().filter(|found| found.name == name);
        of_table.filter_map(|found| found.chain(hook.name().as_bytes())).collect()
    }

    /// Whether a table may hold rules that the dumps do not show.
    pub(crate) fn may_lack(&self, name: TableName) -> bool {
        match self.found.iter().find(|found| found.name == name) {
            Some(found) => found.ends != TableEnd::Commit,
            None => !self.whole,
        }
    }

    /// Each table of a name, legacy and nft.
    pub(crate) fn named(&self, name: TableName) -> impl Iterator<Item = (usize, usize, &'d Table)> + '_ {
        let of_table = self.found.iter().filter(move |found| found.name == name);
        of_table.filter_map(|found| Some((found.dump, found.at, self.table(found.dump, found.at)?)))
    }

    fn table(&self, dump: usize, at: usize) -> Option<&'d Table> {
        self.dumps.get(dump)?.tables().get(at)
    }

    /// The chain of a name in the table that another chain stands in.
    pub(crate) fn beside(&self, at: ChainAt, name: &Text) -> Option<ChainAt> {
        let found = self.found.iter().find(|found| found.dump == at.dump && found.at == at.table)?;
        found.chain(name.as_bytes())
    }

    /// Every chain of a name in tables of a name.
    pub(crate) fn all_named(&self, table: TableName, chain: &str) -> Vec<ChainAt> {
        self.found
            .iter()
            .filter(|found| found.name == table)
            .filter_map(|found| found.chain(chain.as_bytes()))
            .collect()
    }

    /// Whether jumps lead from one chain to another.
    pub(crate) fn leads_to(&self, from: ChainAt, to: ChainAt) -> bool {
        let mut seen = std::collections::BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for rule in self.rules(at) {
                let (Target::Jump(name) | Target::Goto(name)) = &rule.target else { continue };
                let Some(next) = self.beside(at, name) else { continue };
                if next == to {
                    return true;
                }
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// The name of the table that a chain stands in.
    pub(crate) fn name(&self, at: ChainAt) -> Option<TableName> {
        self.found.iter().find(|found| found.dump == at.dump && found.at == at.table).map(|found| found.name)
    }

    pub(crate) fn chain(&self, at: ChainAt) -> Option<&'d Chain> {
        self.table(at.dump, at.table)?.chains.get(at.chain)
    }

    pub(crate) fn rules(&self, at: ChainAt) -> &'d [Rule] {
        self.chain(at).map_or(&[], |chain| &chain.rules)
    }

    pub(crate) fn dumps(&self) -> &'d [Dump] {
        self.dumps
    }
}

impl Found<'_> {
    fn chain(&self, name: &[u8]) -> Option<ChainAt> {
        let chain = *self.by_name.get(name)?;
        Some(ChainAt { dump: self.dump, table: self.at, chain })
    }
}
