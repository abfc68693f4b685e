use hookwalk_parser::extensions::LengthMatch;

use crate::question::{Field, Question, Ranges};
use crate::state::{Answer, View};

/// From the IP header on, either family (kernel: `net/netfilter/xt_length.c`).
pub(super) fn test(m: &LengthMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.length else { return Answer::Yes };
    match view.packet.length {
        Some(length) => wanted.holds(|range| range.contains(length)).into(),
        None => {
            let range = (u32::from(wanted.value.first), u32::from(wanted.value.last));
            view.ask(Question::Number { field: Field::Length, wanted: Ranges::new([range]) })
                .negate(wanted.negated)
        }
    }
}
