use hookwalk_parser::extensions::LimitMatch;

use crate::state::{Answer, BucketKey, Event, Tokens, View};

/// Ticks of a rate in a second.
const TICKS: u64 = 10_000;

/// The rule's bucket is full on a host that has seen nothing else; each packet takes a token
/// (kernel: `net/netfilter/xt_limit.c`).
pub(super) fn test(m: LimitMatch, view: &View<'_>) -> Answer {
    (credit(m, view) >= m.rate.period).into()
}

pub(super) fn event(m: LimitMatch, view: &View<'_>) -> Event {
    let credit = credit(m, view);
    let left = credit.checked_sub(m.rate.period).unwrap_or(credit);
    Event::Token { key: BucketKey::Rule(view.rule_key()), left }
}

fn credit(m: LimitMatch, view: &View<'_>) -> u64 {
    let key = BucketKey::Rule(view.rule_key());
    let most = m.rate.period.saturating_mul(u64::from(m.burst));
    let on_the_way = view.memory.left(view.state.memory, &key);
    on_the_way.unwrap_or_else(|| Tokens::credit(view.past.bucket(&key), view.past.now, most, TICKS, None))
}
