use hookwalk_parser::extensions::MarkMatch;
use hookwalk_parser::types::{MarkMask, Negatable};

use crate::program::Condition;
use crate::state::{Answer, View};

pub(super) fn test(m: MarkMatch, view: &View<'_>) -> Answer {
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.mark))).into()
}

pub(super) fn add_conditions(m: MarkMatch, conditions: &mut Vec<Condition>) -> bool {
    conditions.extend(m.mark.map(|Negatable { value: MarkMask { value, mask }, negated }| Condition::Mark {
        value,
        mask,
        negated,
    }));
    true
}
