use std::net::IpAddr;

use hookwalk_parser::types::Text;

use super::recent::{RecentLists, RecentUse};
use super::{List, Lists, Past};
use crate::host::ConnectionTuple;
use crate::program::RuleId;

/// What rules with a memory have seen of the packet itself: a host that has seen nothing else has seen
/// this much when it meets a second one.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    events: Lists<EventId>,
    seen: Vec<Event>,
}

#[derive(Clone, Copy, Debug)]
struct EventId(u32);

/// A rule of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RuleKey {
    pub(crate) is_ipv6: bool,
    pub(crate) rule: RuleId,
}

/// Addresses and ports that have a count of their own; none where all share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct HashKey {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) sport: Option<u16>,
    pub(crate) dport: Option<u16>,
}

/// A token bucket: a rule's own, or one of a table that rules share by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BucketKey {
    Rule(RuleKey),
    Hash(Text, HashKey),
    /// One of such a table, by the index of the header of AH or ESP, which is not known.
    Index(Text, HashKey),
    /// One of such a table, by a port that is not known.
    Untold(Text),
}

impl BucketKey {
    pub(crate) fn is_of(&self, table: &Text) -> bool {
        match self {
            BucketKey::Hash(name, _) | BucketKey::Index(name, _) | BucketKey::Untold(name) => name == table,
            BucketKey::Rule(_) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A `statistic` match of mode nth was asked.
    Nth(RuleKey),
    /// A list of `recent` was used.
    Recent(RecentUse),
    /// A bucket was asked, and has so much left.
    Token { key: BucketKey, left: u64 },
    /// So many bytes of a quota are spent.
    Quota { rule: RuleKey, spent: u64 },
    /// `connlabel` gave the connection a label.
    Labelled(Text),
    /// `connlimit` counted the packet's connection.
    Counted { rule: RuleKey, key: HashKey, connection: ConnectionTuple },
}

impl Memory {
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.seen.clear();
    }

    /// The events of a way with one more.
    pub(crate) fn note(&mut self, way: List, event: Event) -> List {
        let id = EventId(u32::try_from(self.seen.len()).unwrap_or(u32::MAX));
        self.seen.push(event);
        self.events.push(way, id)
    }

    /// The events of a way, oldest first.
    pub(crate) fn events(&self, way: List) -> Vec<Event> {
        let mut events: Vec<Event> = self.of(way).cloned().collect();
        events.reverse();
        events
    }

    /// How often the nth match of a rule was asked on a way.
    pub(crate) fn asked(&self, way: List, rule: RuleKey) -> u32 {
        let count = self.of(way).filter(|event| **event == Event::Nth(rule)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether a use of a list of `recent` holds, behind all uses of it on the way and before.
    pub(crate) fn recent_holds(&self, way: List, past: &Past, wanted: &RecentUse) -> bool {
        let mut lists =
            if past.recent.is_empty() { RecentLists::default() } else { past.recent.only(&wanted.list) };
        if !way.is_empty() {
            for event in self.events(way) {
                if let Event::Recent(earlier) = event
                    && earlier.list == wanted.list
                {
                    lists.apply(&earlier, past.now);
                }
            }
        }
        lists.apply(wanted, past.now)
    }

    /// What a bucket that was asked on the way has left.
    pub(crate) fn left(&self, way: List, wanted: &BucketKey) -> Option<u64> {
        self.of(way).find_map(|event| match event {
            Event::Token { key, left } if key == wanted => Some(*left),
            _ => None,
        })
    }

    /// How often buckets of a table were asked on the way.
    pub(crate) fn asked_of(&self, way: List, table: &Text) -> u64 {
        let of_table = |event: &&Event| matches!(event, Event::Token { key, .. } if key.is_of(table));
        u64::try_from(self.of(way).filter(of_table).count()).unwrap_or(u64::MAX)
    }

    /// How many bytes of a quota were spent on the way.
    pub(crate) fn spent(&self, way: List, wanted: RuleKey) -> u64 {
        let spent = self.of(way).filter_map(|event| match event {
            Event::Quota { rule, spent } if *rule == wanted => Some(*spent),
            _ => None,
        });
        spent.sum()
    }

    /// Whether the connection got a label on the way.
    pub(crate) fn has_label(&self, way: List, wanted: &Text) -> bool {
        self.of(way).any(|event| matches!(event, Event::Labelled(label) if label == wanted))
    }

    /// Newest first.
    fn of(&self, way: List) -> impl Iterator<Item = &Event> {
        self.events.iter(way).filter_map(|id| self.seen.get(id.0 as usize))
    }
}
