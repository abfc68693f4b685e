use hookwalk_parser::extensions::MacMatch;

use crate::packet::InterfaceName;
use crate::question::Question;
use crate::state::{Answer, View};

/// What a local process sends has no Ethernet header yet, what comes by `lo` has none at all: it never
/// matches, also with `!` (kernel: `net/netfilter/xt_mac.c`).
pub(super) fn test(m: &MacMatch, view: &View<'_>) -> Answer {
    let Some(wanted) = m.source else { return Answer::Yes };
    if view.is_sent_here() || view.in_interface() == Some(InterfaceName::LOOPBACK) {
        return Answer::No;
    }
    match view.packet.mac {
        Some(mac) => wanted.holds(|wanted| *wanted == mac).into(),
        None => {
            let text = format!("the source MAC address is {}", wanted.value);
            let is = view.ask(Question::Opaque { text, seen: 0 });
            match is.negate(wanted.negated) {
                // Another address is still an address: tunnels have none.
                Answer::Yes if wanted.negated => {
                    let text = "the packet comes with an Ethernet header".to_owned();
                    view.ask(Question::Opaque { text, seen: 0 })
                }
                answer => answer,
            }
        }
    }
}
