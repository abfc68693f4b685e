use hookwalk_parser::extensions::{Match, PolicyDirection, PolicyKind, PolicyMatch};

use super::opaque_text;
use crate::question::Question;
use crate::state::{Answer, View};

/// kernel: `net/netfilter/xt_policy.c`. Whether `IPsec` has or will have to do with the packet is one question
/// for all rules.
pub(super) fn test(m: &PolicyMatch, options: &Match, view: &View<'_>) -> Answer {
    let (Some(direction), Some(policy)) = (m.direction, m.policy) else { return Answer::Yes };
    let text = match direction {
        // What a local process sends came through no tunnel.
        PolicyDirection::In if view.is_sent_here() || view.state.looped_back => {
            return (policy == PolicyKind::None).into();
        }
        PolicyDirection::In => "the packet came by IPsec",
        PolicyDirection::Out => "the packet will leave by IPsec",
    };
    let seen = if direction == PolicyDirection::In { 0 } else { view.state.rewrites };
    let by_ipsec = view.ask(Question::Opaque { text: text.to_owned(), seen });
    match policy {
        PolicyKind::None => by_ipsec.negate(true),
        PolicyKind::Ipsec if m.elements.is_empty() => by_ipsec,
        PolicyKind::Ipsec => by_ipsec.and(|| view.ask(Question::Opaque { text: opaque_text(options), seen })),
    }
}
