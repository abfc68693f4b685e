use hookwalk_parser::extensions::StateMatch;

use super::conntrack;
use crate::program::Condition;
use crate::state::{Answer, View};

pub(super) fn test(m: StateMatch, view: &View<'_>) -> Answer {
    conntrack::states(m.states, view)
}

pub(super) fn add_conditions(m: StateMatch, conditions: &mut Vec<Condition>) -> bool {
    conditions.extend(m.states.map(|wanted| Condition::States(wanted.value, wanted.negated)));
    true
}
