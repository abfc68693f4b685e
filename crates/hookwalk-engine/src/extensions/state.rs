use hookwalk_parser::extensions::StateMatch;

use super::{Answer, conntrack};
use crate::walk::View;

pub(super) fn test(m: StateMatch, view: &View<'_>) -> Answer {
    conntrack::states(m.states, view)
}
