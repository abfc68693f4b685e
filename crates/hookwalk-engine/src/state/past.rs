//! What the rules with a memory have seen of earlier packets of a session.

use hookwalk_parser::types::Text;
use rustc_hash::FxHashMap;

use super::memory::{BucketKey, Event, HashKey, RuleKey};
use super::recent::RecentLists;
use crate::host::ConnectionTuple;
use crate::question::Question;

/// Everything that a host remembers, its connections aside. A host that has seen nothing has the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The clock, in seconds.
    pub(crate) now: u64,
    /// The clock at the first packet, when what is known of the host was told.
    pub(crate) began: u64,
    /// Whether packets follow each other.
    pub(crate) in_session: bool,
    pub(crate) recent: RecentLists,
    nth: FxHashMap<RuleKey, u32>,
    buckets: FxHashMap<BucketKey, Tokens>,
    quotas: FxHashMap<RuleKey, u64>,
    /// For each rule of `connlimit` and each network the connections that it has seen.
    counted: FxHashMap<(RuleKey, HashKey), Vec<ConnectionTuple>>,
    /// What earlier packets assumed of the host.
    pub(crate) known: Vec<(Question, bool)>,
}

/// A token bucket, in ticks of its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    credit: u64,
    at: u64,
}

impl Tokens {
    /// What is in the bucket now, of a bucket that holds `most` and fills by `ticks` a second; a full one
    /// where there was none, or where it has been idle for longer than it is kept.
    pub(crate) fn credit(known: Option<Tokens>, now: u64, most: u64, ticks: u64, kept: Option<u64>) -> u64 {
        match known {
            Some(bucket) if kept.is_none_or(|kept| now.saturating_sub(bucket.at) <= kept) => {
                let filled = now.saturating_sub(bucket.at).saturating_mul(ticks);
                bucket.credit.saturating_add(filled).min(most)
            }
            _ => most,
        }
    }
}

impl Past {
    /// A host at the begin of a session.
    pub(crate) fn of_session() -> Self {
        Past { in_session: true, ..Past::default() }
    }

    /// Seconds since what is known of the host was told.
    pub(crate) const fn elapsed(&self) -> u64 {
        self.now.saturating_sub(self.began)
    }

    pub(crate) fn nth(&self, rule: RuleKey) -> u32 {
        self.nth.get(&rule).copied().unwrap_or(0)
    }

    pub(crate) fn bucket(&self, key: &BucketKey) -> Option<Tokens> {
        self.buckets.get(key).copied()
    }

    /// Whether a table has buckets.
    pub(crate) fn has_bucket_of(&self, name: &Text) -> bool {
        self.buckets.keys().any(|key| key.is_of(name))
    }

    /// How much of a quota is spent.
    pub(crate) fn spent(&self, rule: RuleKey) -> u64 {
        self.quotas.get(&rule).copied().unwrap_or(0)
    }

    /// The connections that a rule has counted under a key.
    pub(crate) fn counted(&self, rule: RuleKey, key: &HashKey) -> &[ConnectionTuple] {
        self.counted.get(&(rule, key.clone())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes in what a packet left behind.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            // Labels stay with their connection; they are not listed with entries of a session.
            Event::Labelled(_) => {}
            Event::Nth(rule) => {
                let count = self.nth.entry(rule).or_default();
                *count = count.wrapping_add(1);
            }
            Event::Recent(wanted) => {
                self.recent.apply(&wanted, self.now);
            }
            Event::Token { key, left } => {
                self.buckets.insert(key, Tokens { credit: left, at: self.now });
            }
            Event::Quota { rule, spent } => {
                let total = self.quotas.entry(rule).or_default();
                *total = total.saturating_add(spent);
            }
            Event::Counted { rule, key, connection } => {
                let seen = self.counted.entry((rule, key)).or_default();
                if !seen.contains(&connection) {
                    seen.push(connection);
                }
            }
        }
    }

    /// Forgets counted connections that are gone.
    pub(crate) fn keep_counted(&mut self, lives: impl Fn(&ConnectionTuple) -> bool) {
        for seen in self.counted.values_mut() {
            seen.retain(&lives);
        }
    }
}
