use hookwalk_parser::extensions::{StatisticMatch, StatisticMode, StatisticProbability};

use crate::state::Answer;

/// kernel: `net/netfilter/xt_statistic.c`, `statistic_mt`. On a host that has seen nothing else, `nth`
/// sees its first packet.
pub(super) fn test(m: StatisticMatch) -> Answer {
    match m.mode {
        Some(StatisticMode::Random) => match m.probability {
            Some(wanted) => Answer::Draw(wanted.value.numerator()).negate(wanted.negated),
            None => Answer::Draw(StatisticProbability::DENOMINATOR),
        },
        Some(StatisticMode::Nth) => {
            let negated = m.every.is_some_and(|every| every.negated);
            Answer::from(m.packet.unwrap_or(0) == 0).negate(negated)
        }
        None => Answer::Yes,
    }
}
