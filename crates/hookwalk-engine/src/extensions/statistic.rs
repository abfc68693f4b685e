use hookwalk_parser::extensions::{StatisticMatch, StatisticMode, StatisticProbability};
use hookwalk_parser::types::Negatable;

use crate::program::Condition;
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

/// Chance as a condition; counts are kept by the walk.
pub(super) fn add_conditions(m: StatisticMatch, conditions: &mut Vec<Condition>) -> bool {
    match (m.mode, m.probability) {
        (None, _) => {}
        (Some(StatisticMode::Random), None) => {
            conditions.push(Condition::Draw(StatisticProbability::DENOMINATOR));
        }
        (Some(StatisticMode::Random), Some(Negatable { value, negated: false })) => {
            conditions.push(Condition::Draw(value.numerator()));
        }
        (Some(StatisticMode::Random), Some(Negatable { value, negated: true })) => {
            conditions.push(Condition::Draw(StatisticProbability::DENOMINATOR - value.numerator()));
        }
        (Some(StatisticMode::Nth), _) => return false,
    }
    true
}
