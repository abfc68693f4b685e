use hookwalk_parser::extensions::StatisticProbability;

use crate::question::Question;

/// What a match makes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Yes,
    /// It depends on what nobody said.
    Ask(Question),
    /// Yes when 31 random bits are fewer than this.
    Draw(u32),
}

impl Answer {
    /// An answer with `!` before it.
    pub(crate) fn negate(self, negated: bool) -> Answer {
        match self {
            Answer::No if negated => Answer::Yes,
            Answer::Yes if negated => Answer::No,
            Answer::Draw(numerator) if negated => Answer::Draw(StatisticProbability::DENOMINATOR - numerator),
            // A question is the same both ways: it is asked, and then the match is judged again.
            other => other,
        }
    }

    /// Both must hold.
    pub(crate) fn and(self, other: impl FnOnce() -> Answer) -> Answer {
        match self {
            Answer::No => Answer::No,
            Answer::Yes => other(),
            asked => match other() {
                Answer::No => Answer::No,
                _ => asked,
            },
        }
    }

    /// One must hold.
    pub(crate) fn or(self, other: impl FnOnce() -> Answer) -> Answer {
        match self {
            Answer::Yes => Answer::Yes,
            Answer::No => other(),
            asked => match other() {
                Answer::Yes => Answer::Yes,
                _ => asked,
            },
        }
    }
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds { Answer::Yes } else { Answer::No }
    }
}
