use hookwalk_parser::extensions::{ConnlabelMatch, Match};

use super::ask_as_written;
use crate::state::{Answer, Event, View};

/// kernel: `net/netfilter/xt_connlabel.c`. A new connection has the labels that rules gave it on the way.
pub(super) fn test(m: &ConnlabelMatch, options: &Match, view: &View<'_>) -> Answer {
    let Some(wanted) = &m.label else { return Answer::Yes };
    if !view.state.has_connection() {
        return Answer::No.negate(wanted.negated);
    }
    let given = view.memory.has_label(view.state.memory, &wanted.value);
    if given || m.set {
        return Answer::Yes.negate(wanted.negated);
    }
    let by_number = wanted.value.to_str().parse::<u8>().ok();
    match (view.entry(), view.connection) {
        (None, None) => Answer::No.negate(wanted.negated),
        (Some(entry), _) => match (&entry.labels, by_number) {
            (Some(labels), Some(number)) => Answer::from(labels.contains(&number)).negate(wanted.negated),
            _ => ask_as_written(options, 0, view),
        },
        (None, Some(_)) => ask_as_written(options, 0, view),
    }
}

pub(super) fn event(m: &ConnlabelMatch, view: &View<'_>) -> Option<Event> {
    let label = m.label.as_ref().filter(|_| m.set && view.state.has_connection())?;
    Some(Event::Labelled(label.value.clone()))
}
