//! The lists of `-m recent` (kernel: `net/netfilter/xt_recent.c`).

use std::net::IpAddr;

use hookwalk_parser::extensions::{RecentAction, RecentMatch};
use hookwalk_parser::types::Text;
use rustc_hash::FxHashMap;

/// Every list, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentLists(FxHashMap<Text, RecentList>);

/// One list: what was seen longest ago stands first.
#[derive(Clone, Debug, Default)]
struct RecentList(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    address: IpAddr,
    ttl: u8,
    /// When it was seen, newest last.
    stamps: Vec<u64>,
}

/// How a rule uses a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecentUse {
    pub(crate) list: Text,
    pub(crate) address: IpAddr,
    pub(crate) ttl: u8,
    action: RecentAction,
    negated: bool,
    seconds: Option<u64>,
    hitcount: usize,
    same_ttl: bool,
    reap: bool,
}

/// `ip_list_tot`: so many addresses a list holds, parameter of the module.
const MOST_ADDRESSES: usize = 100;
/// So many times an address is remembered, at least.
const MOST_STAMPS: usize = 256;

impl RecentUse {
    pub(crate) fn new(m: &RecentMatch, address: IpAddr, ttl: u8) -> Option<Self> {
        let action = m.action?;
        Some(RecentUse {
            list: m.list(),
            address,
            ttl,
            action: action.value,
            negated: action.negated,
            seconds: m.seconds.filter(|seconds| *seconds > 0).map(u64::from),
            hitcount: m.hitcount.map_or(0, |hits| hits as usize),
            same_ttl: m.rttl,
            reap: m.reap,
        })
    }
}

impl RecentLists {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a use of a list holds, and what it does to the list.
    pub(crate) fn apply(&mut self, wanted: &RecentUse, now: u64) -> bool {
        self.0.entry(wanted.list.clone()).or_default().apply(wanted, now)
    }

    /// A list by itself, to try uses of it.
    pub(crate) fn only(&self, list: &Text) -> RecentLists {
        RecentLists(self.0.get(list).map(|known| (list.clone(), known.clone())).into_iter().collect())
    }
}

impl RecentList {
    fn apply(&mut self, wanted: &RecentUse, now: u64) -> bool {
        let is_it =
            |entry: &Entry| entry.address == wanted.address && (!wanted.same_ttl || entry.ttl == wanted.ttl);
        let Some(at) = self.0.iter().position(is_it) else {
            if wanted.action != RecentAction::Set {
                return wanted.negated;
            }
            if self.0.len() >= MOST_ADDRESSES {
                self.0.remove(0);
            }
            self.0.push(Entry { address: wanted.address, ttl: wanted.ttl, stamps: vec![now] });
            return !wanted.negated;
        };
        // What is older than the window counts no more.
        let since = wanted.seconds.map(|seconds| now.saturating_sub(seconds));
        let fresh = |stamp: u64| since.is_none_or(|since| stamp >= since);
        let found = match wanted.action {
            RecentAction::Set => true,
            RecentAction::Remove => {
                self.0.remove(at);
                return !wanted.negated;
            }
            RecentAction::Rcheck | RecentAction::Update => {
                let hits =
                    self.0.get(at).map_or(0, |e| e.stamps.iter().filter(|stamp| fresh(**stamp)).count());
                hits > 0 && hits >= wanted.hitcount
            }
        };
        let holds = found != wanted.negated;
        let refreshes = match wanted.action {
            RecentAction::Set => true,
            RecentAction::Update => holds,
            _ => false,
        };
        if wanted.reap && self.0.first().and_then(|e| e.stamps.last()).is_some_and(|last| !fresh(*last)) {
            // The kernel forgets the one seen longest ago, and the entry in use only when it does not stay.
            if at > 0 || !refreshes {
                self.0.remove(0);
                let left = at.checked_sub(1);
                return self.finish(left, refreshes, wanted, now, holds);
            }
        }
        self.finish(Some(at), refreshes, wanted, now, holds)
    }

    fn finish(
        &mut self,
        at: Option<usize>,
        refreshes: bool,
        wanted: &RecentUse,
        now: u64,
        holds: bool,
    ) -> bool {
        if let Some(at) = at.filter(|at| refreshes && *at < self.0.len()) {
            let mut entry = self.0.remove(at);
            entry.ttl = wanted.ttl;
            entry.stamps.push(now);
            if entry.stamps.len() > MOST_STAMPS {
                entry.stamps.remove(0);
            }
            self.0.push(entry);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(action: RecentAction, address: &str) -> RecentUse {
        RecentUse {
            list: Text::from("X"),
            address: address.parse().unwrap(),
            ttl: 64,
            action,
            negated: false,
            seconds: None,
            hitcount: 0,
            same_ttl: false,
            reap: false,
        }
    }

    #[test]
    fn a_window_slides_with_updates() {
        let mut lists = RecentLists::default();
        let check = RecentUse { seconds: Some(60), ..wanted(RecentAction::Update, "10.0.0.1") };
        assert!(!lists.apply(&check, 0));
        assert!(lists.apply(&wanted(RecentAction::Set, "10.0.0.1"), 0));
        assert!(lists.apply(&check, 50));
        assert!(lists.apply(&check, 110));
        assert!(!lists.apply(&check, 171));
        assert!(lists.apply(&RecentUse { negated: true, ..check }, 171));
        assert!(lists.apply(&wanted(RecentAction::Remove, "10.0.0.1"), 171));
        assert!(!lists.apply(&wanted(RecentAction::Rcheck, "10.0.0.1"), 171));
    }

    #[test]
    fn hits_are_counted_in_the_window() {
        let mut lists = RecentLists::default();
        let third = RecentUse { seconds: Some(60), hitcount: 3, ..wanted(RecentAction::Rcheck, "10.0.0.1") };
        for at in [0, 10, 20] {
            assert!(!lists.apply(&third, at));
            lists.apply(&wanted(RecentAction::Set, "10.0.0.1"), at);
        }
        assert!(lists.apply(&third, 30));
        assert!(!lists.apply(&third, 61));
    }

    #[test]
    fn a_full_list_forgets_the_oldest() {
        let mut lists = RecentLists::default();
        for host in 0..=100 {
            lists.apply(&wanted(RecentAction::Set, &format!("10.0.0.{host}")), host);
        }
        assert!(!lists.apply(&wanted(RecentAction::Rcheck, "10.0.0.0"), 200));
        assert!(lists.apply(&wanted(RecentAction::Rcheck, "10.0.0.1"), 200));
    }

    #[test]
    fn reap_forgets_what_is_older_than_the_window() {
        let mut lists = RecentLists::default();
        lists.apply(&wanted(RecentAction::Set, "10.0.0.1"), 0);
        lists.apply(&wanted(RecentAction::Set, "10.0.0.2"), 100);
        let reaping = RecentUse { seconds: Some(10), reap: true, ..wanted(RecentAction::Rcheck, "10.0.0.2") };
        assert!(lists.apply(&reaping, 100));
        assert!(!lists.apply(&wanted(RecentAction::Rcheck, "10.0.0.1"), 100));
    }
}
