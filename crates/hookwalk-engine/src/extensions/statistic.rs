use hookwalk_parser::extensions::{StatisticMatch, StatisticMode, StatisticProbability};

use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_statistic.c`, `statistic_mt`. On a host that has seen nothing else, `nth`
/// counts from this packet on.
pub(super) fn test(m: StatisticMatch, view: &View<'_>) -> Answer {
    match m.mode {
        Some(StatisticMode::Random) => match m.probability {
            Some(wanted) => Answer::Draw(wanted.value.numerator()).negate(wanted.negated),
            None => Answer::Draw(StatisticProbability::DENOMINATOR),
        },
        Some(StatisticMode::Nth) => {
            let every = m.every.map_or(1, |every| every.value.max(1));
            let negated = m.every.is_some_and(|every| every.negated);
            let rule = view.rule_key();
            let asked_before = view.past.nth(rule).wrapping_add(view.memory.asked(view.state.memory, rule));
            Answer::from(asked_before % every == m.packet.unwrap_or(0)).negate(negated)
        }
        None => Answer::Yes,
    }
}
