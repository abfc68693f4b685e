//! Finds the rules of a chain that a packet can match, instead of asking one after the other.
//!
//! In a long chain rules of one [`Shape`] make a group, each under its key. A packet has at most one key
//! in each group; the rules under it, merged with those of no group, are all that can match, in the order
//! of the chain. What they ask beyond the key is judged as ever, so that the index only leaves out rules
//! that surely do not match. Without an index every rule of a chain is asked: that is the reference.

mod shape;

use rustc_hash::FxHashMap;

use crate::packet::Packet;
use crate::program::{ChainId, CompiledChain, Program, RuleId, SHORTEST_WITH_INDEX};
use crate::state::State;
use shape::{Shape, Sought};

/// The indexes of the chains that have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// By chain: the place of its index, or [`NONE`].
    places: Vec<u32>,
    chains: Vec<ChainIndex>,
}

const NONE: u32 = u32::MAX;

/// A smaller group is asked rule by rule as fast.
const SMALLEST_GROUP: usize = SHORTEST_WITH_INDEX as usize;

/// Each group costs a look; past so many the smallest ones are asked rule by rule.
const MOST_GROUPS: usize = 64;

/// The index of one chain. Rules are counted from its first one.
#[derive(Clone, Debug)]
pub(crate) struct ChainIndex {
    first: RuleId,
    /// By rule: the next one, itself included, that is in no group.
    next_plain: Vec<u32>,
    groups: Vec<Group>,
}

/// Rules of one shape.
#[derive(Clone, Debug)]
struct Group {
    shape: Shape,
    /// Where those of a key stand in `rules`: from the first to behind the last.
    by_key: FxHashMap<u64, (u32, u32)>,
    rules: Vec<u32>,
}

/// The next rule that an index has found, kept while a packet goes through one chain unchanged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ahead(Option<u32>);

impl Index {
    pub(crate) fn new(program: &Program) -> Index {
        let mut index = Index { places: Vec::with_capacity(program.chains().len()), chains: Vec::new() };
        for chain in program.chains() {
            match ChainIndex::new(program, chain) {
                Some(of_chain) => {
                    index.places.push(u32::try_from(index.chains.len()).unwrap_or(NONE));
                    index.chains.push(of_chain);
                }
                None => index.places.push(NONE),
            }
        }
        index
    }

    /// The index of a chain that has one.
    pub(crate) fn chain(&self, chain: ChainId) -> Option<&ChainIndex> {
        self.chains.get(*self.places.get(chain.0 as usize)? as usize)
    }
}

impl ChainIndex {
    fn new(program: &Program, chain: &CompiledChain) -> Option<ChainIndex> {
        let count = chain.end.0 - chain.first.0;
        if chain.is_short() {
            return None;
        }
        let mut by_shape: FxHashMap<Shape, Vec<(u64, u32)>> = FxHashMap::default();
        for rule in 0..count {
            let id = RuleId(chain.first.0 + rule);
            if let Some((shape, key)) = Shape::of(program.conditions(id)) {
                by_shape.entry(shape).or_default().push((key, rule));
            }
        }
        let mut groups: Vec<_> =
            by_shape.into_iter().filter(|(_, rules)| rules.len() >= SMALLEST_GROUP).collect();
        groups.sort_unstable_by_key(|(_, rules)| {
            (std::cmp::Reverse(rules.len()), rules.first().map(|(_, rule)| *rule))
        });
        groups.truncate(MOST_GROUPS);
        if groups.is_empty() {
            return None;
        }
        let groups: Vec<Group> = groups.into_iter().map(|(shape, rules)| Group::new(shape, rules)).collect();
        let mut is_plain = vec![true; count as usize];
        for rule in groups.iter().flat_map(|group| &group.rules) {
            if let Some(plain) = is_plain.get_mut(*rule as usize) {
                *plain = false;
            }
        }
        let mut next = count;
        let mut next_plain: Vec<u32> = (0..count)
            .rev()
            .map(|rule| {
                if is_plain.get(rule as usize) == Some(&true) {
                    next = rule;
                }
                next
            })
            .collect();
        next_plain.reverse();
        Some(ChainIndex { first: chain.first, next_plain, groups })
    }

    /// The first rule at or behind a place that the packet can match, or the end of the chain.
    pub(crate) fn next(&self, from: RuleId, packet: &Packet, state: &State, ahead: &mut Ahead) -> RuleId {
        let at = from.0 - self.first.0;
        let Some(&plain) = self.next_plain.get(at as usize) else { return from };
        if plain == at {
            return from;
        }
        let found = match ahead.0 {
            Some(found) if found >= at => found,
            _ => *ahead.0.insert(self.find(at, packet, state)),
        };
        RuleId(self.first.0 + plain.min(found))
    }

    /// The first rule of any group at or behind a place that the packet can match.
    #[inline(never)]
    fn find(&self, at: u32, packet: &Packet, state: &State) -> u32 {
        let mut first = NONE;
        for group in &self.groups {
            match group.shape.sought(packet, state) {
                Sought::Nothing => {}
                Sought::Key(key) => first = first.min(group.find(at, key)),
                Sought::Anything => return at,
            }
        }
        first
    }
}

impl Group {
    fn new(shape: Shape, mut rules: Vec<(u64, u32)>) -> Group {
        rules.sort_unstable();
        let mut by_key = FxHashMap::with_capacity_and_hasher(rules.len(), rustc_hash::FxBuildHasher);
        for (at, (key, _)) in (0_u32..).zip(&rules) {
            by_key.entry(*key).or_insert((at, at)).1 = at + 1;
        }
        Group { shape, by_key, rules: rules.into_iter().map(|(_, rule)| rule).collect() }
    }

    /// The first rule with a key at or behind a place.
    fn find(&self, at: u32, key: u64) -> u32 {
        let Some(&(first, end)) = self.by_key.get(&key) else { return NONE };
        let rules = self.rules.get(first as usize..end as usize).unwrap_or_default();
        rules.get(rules.partition_point(|rule| *rule < at)).copied().unwrap_or(NONE)
    }
}
