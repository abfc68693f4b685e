//! What the chains of one Service port do.

use std::net::SocketAddr;

use hookwalk_engine::Probability;
use hookwalk_parser::Rule;

use crate::rules::{self, At, Draw, SEP, TableView};

/// One endpoint that a chain sends to.
pub(crate) struct Sent {
    pub(crate) address: SocketAddr,
    /// None where something else than a draw decides.
    pub(crate) share: Option<Probability>,
    /// The rule with the DNAT target.
    pub(crate) dnat: At,
}

/// What a balancing chain does.
#[derive(Default)]
pub(crate) struct Balanced {
    pub(crate) endpoints: Vec<Sent>,
    pub(crate) affinity_seconds: Option<u32>,
}

/// Follows a chain that sends to endpoints: `KUBE-SVC`, `KUBE-SVL` or `KUBE-XLB`.
pub(crate) fn balanced(nat: &TableView<'_>, chain: &[u8]) -> Balanced {
    let mut found = Balanced::default();
    // What comes this far; none once something else than a draw has decided.
    let mut rest = Some(Probability::ONE);
    for (by, rule) in nat.rules(chain) {
        let Some((dnat, address)) = endpoint_of(nat, by, rule) else { continue };
        if let Some(recent) = rules::recent(rule) {
            found.affinity_seconds = found.affinity_seconds.or(recent.seconds);
            continue;
        }
        let (share, left) = match (rest, rules::draw(rule)) {
            (Some(rest), Draw::Random(chance)) => {
                (Some(rest.draw(chance)), Some(rest.draw_complement(chance)))
            }
            (Some(rest), Draw::Always) => (Some(rest), Some(Probability::ZERO)),
            (None, _) | (_, Draw::Other) => (None, None),
        };
        rest = left;
        match found.endpoints.iter_mut().find(|sent| sent.address == address) {
            Some(known) => {
                known.share = known.share.take().zip(share).map(|(a, b)| a.plus(&b));
            }
            None => found.endpoints.push(Sent { address, share, dnat }),
        }
    }
    found
}

/// The endpoint that a rule sends to: through a chain that has one DNAT rule, or by itself.
pub(crate) fn endpoint_of(nat: &TableView<'_>, at: At, rule: &Rule) -> Option<(At, SocketAddr)> {
    if let Some(address) = rules::dnat(rule) {
        return Some((at, address));
    }
    let chain = rules::jump(rule)?;
    if !chain.starts_with(SEP.as_bytes()) {
        return None;
    }
    nat.rules(chain).find_map(|(at, rule)| Some((at, rules::dnat(rule)?)))
}
