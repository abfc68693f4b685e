use hookwalk_parser::extensions::StateMatch;

use super::conntrack;
use crate::state::{Answer, View};

pub(super) fn test(m: StateMatch, view: &View<'_>) -> Answer {
    conntrack::states(m.states, view)
}
