use hookwalk_parser::extensions::ConnmarkMatch;

use crate::question::Question;
use crate::state::{Answer, View};

/// What is not known where table raw marks what `CT` has put in the place of a connection.
pub(super) const TEMPLATE_MARK: &str = "the mark that earlier packets left on the template of `CT`";

/// A packet without connection never matches, also with `!` (kernel: `net/netfilter/xt_connmark.c`).
pub(super) fn test(m: ConnmarkMatch, view: &View<'_>) -> Answer {
    if let (Some(template), Some(wanted)) = (view.state.template(), m.mark) {
        return match template.mark(wanted.value.mask) {
            Some(mark) => wanted.holds(|wanted| wanted.matches(mark)).into(),
            None => {
                let text = format!("{TEMPLATE_MARK} is {}", wanted.value);
                view.ask(Question::Opaque { text, seen: view.state.rewrites }).negate(wanted.negated)
            }
        };
    }
    if !view.state.has_connection() {
        return Answer::No;
    }
    m.mark.is_none_or(|wanted| wanted.holds(|mark| mark.matches(view.state.connmark))).into()
}
