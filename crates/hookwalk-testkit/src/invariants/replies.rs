use hookwalk_engine::{PacketState, Verdict};
use hookwalk_kube::writer::LocalDetector;

use super::delivery::delivered_to;
use super::trial::outcomes;
use super::{Counterexample, Trial};
use crate::cluster::{AddressKind, Expected, Probe, Vantage};

pub(super) fn replies(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk) in trial.walked() {
        if !matches!(probe.expected, Expected::Endpoints(_)) {
            continue;
        }
        if comes_back(trial, probe) {
            // An endpoint elsewhere answers this node only when it was this node that asked.
            let astray = outcomes(walk).find(|outcome| {
                let elsewhere =
                    delivered_to(outcome).is_some() && outcome.out_interface == Some(trial.cluster().uplink);
                elsewhere && probe.packet.in_interface == Some(trial.cluster().uplink) && !outcome.masquerade
            });
            if let Some(outcome) = astray {
                let message = format!("{} answers past this node: nothing masquerades", outcome.dst);
                found.push(trial.found("replies", probe, walk, Some(outcome), message));
                continue;
            }
        }
        // What comes by another interface than `lo` never reaches `::1`: IPv6 has no node ports on localhost.
        if probe.packet.src.is_ipv6() && probe.packet.src.is_loopback() {
            continue;
        }
        let mut reply = probe.packet;
        reply.state = PacketState::Reply;
        let Ok(back) = trial.engine().walk(&reply) else { continue };
        let wanted = if probe.packet.in_interface.is_some() && !trial.cluster().is_own(probe.packet.src) {
            [Verdict::Forwarded, Verdict::Sent]
        } else {
            [Verdict::Local, Verdict::Local]
        };
        let wrong = outcomes(&back).find(|outcome| {
            let asked = (outcome.src, outcome.sport) == (Some(probe.packet.dst), probe.packet.dport);
            let came = (outcome.dst, outcome.dport) == (probe.packet.src, probe.packet.sport);
            !wanted.contains(&outcome.verdict) || !asked || !came
        });
        if let Some(outcome) = wrong {
            let from = outcome.src.map_or_else(|| "an unknown address".to_owned(), |src| src.to_string());
            let message = format!("the reply comes from {from} and is {}", outcome.verdict.as_str());
            found.push(trial.found("replies", probe, &back, Some(outcome), message));
        }
    }
    found
}

/// Whether the objects and settings promise that replies come by this node.
fn comes_back(trial: &Trial<'_>, probe: &Probe) -> bool {
    let config = &trial.cluster().config;
    let is_outside = matches!(probe.from, Vantage::Outside | Vantage::OtherNode);
    // Without a local detector kube-proxy cannot tell who is outside.
    let can_tell = probe.to != AddressKind::ClusterIp
        || config.masquerade_all
        || config.local_detector != LocalDetector::None;
    is_outside && can_tell
}
