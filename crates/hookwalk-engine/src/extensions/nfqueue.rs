use hookwalk_parser::extensions::NfqueueTarget;

use super::Effect;
use crate::question::Question;
use crate::state::{Answer, View};

/// With `--queue-bypass` a queue that nobody listens to lets pass; without, it drops
/// (kernel: `net/netfilter/nfnetlink_queue.c`). That somebody listens is what a queue is for.
pub(super) fn apply(t: NfqueueTarget, view: &View<'_>) -> Effect {
    if !t.bypass {
        return Effect::Queue;
    }
    let text = format!("a program listens to queue {}", t.queue);
    match view.ask(Question::Opaque { text, seen: 0 }) {
        Answer::Ask(question) => Effect::Ask(question),
        Answer::No => Effect::Accept,
        _ => Effect::Queue,
    }
}
