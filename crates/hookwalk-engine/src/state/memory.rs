use std::net::IpAddr;

use hookwalk_parser::types::Text;

use super::{List, Lists};
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A `statistic` match of mode nth was asked.
    Nth(RuleId),
    /// A list of `recent` took an address.
    Listed { list: Text, address: IpAddr },
    /// A list of `recent` lost an address.
    Unlisted { list: Text, address: IpAddr },
}

impl Memory {
    /// The events of a way with one more.
    pub(crate) fn note(&mut self, way: List, event: Event) -> List {
        let id = EventId(u32::try_from(self.seen.len()).unwrap_or(u32::MAX));
        self.seen.push(event);
        self.events.push(way, id)
    }

    /// How often the nth match of a rule was asked on a way.
    pub(crate) fn asked(&self, way: List, rule: RuleId) -> u32 {
        let count = self.of(way).filter(|event| **event == Event::Nth(rule)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How often a list took an address on a way, since it last lost it.
    pub(crate) fn listed(&self, way: List, name: &Text, wanted: IpAddr) -> u32 {
        let mut count = 0;
        for event in self.of(way) {
            match event {
                Event::Listed { list, address } if list == name && *address == wanted => count += 1,
                Event::Unlisted { list, address } if list == name && *address == wanted => break,
                _ => {}
            }
        }
        count
    }

    /// Newest first.
    fn of(&self, way: List) -> impl Iterator<Item = &Event> {
        self.events.iter(way).filter_map(|id| self.seen.get(id.0 as usize))
    }
}
