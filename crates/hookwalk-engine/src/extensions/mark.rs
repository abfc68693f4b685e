use hookwalk_parser::extensions::MarkMatch;

use crate::state::{Answer, View};

pub(super) fn test(m: MarkMatch, view: &View<'_>) -> Answer {
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.mark))).into()
}
