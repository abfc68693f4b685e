//! Where packets to Services end: shares, endpoints, refusals, masquerading.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hookwalk_engine::{Outcome, Probability, Verdict, Walk};

use super::trial::outcomes;
use super::{Counterexample, Trial};
use crate::cluster::{AddressKind, Expected, Probe, Vantage};
use hookwalk_kube::objects::TrafficPolicy;

/// Where an outcome ends, when it is delivered.
pub(super) fn delivered_to(outcome: &Outcome) -> Option<SocketAddr> {
    let is_delivered = matches!(outcome.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
    outcome.dport.filter(|_| is_delivered).map(|port| SocketAddr::new(outcome.dst, port))
}

/// The probes that must reach endpoints, with those.
fn served<'t>(trial: &'t Trial<'_>) -> impl Iterator<Item = (&'t Probe, &'t Walk, &'t [(SocketAddr, bool)])> {
    trial.walked().filter_map(|(probe, walk)| match &probe.expected {
        Expected::Endpoints(endpoints) => Some((probe, walk, endpoints.as_slice())),
        _ => None,
    })
}

pub(super) fn shares(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk, _) in served(trial) {
        for case in &walk.cases {
            let mut sum = case.unexplored.clone();
            let mut by_endpoint: BTreeMap<SocketAddr, (Probability, &Outcome)> = BTreeMap::new();
            for outcome in &case.outcomes {
                sum = sum.plus(&outcome.probability);
                if let Some(to) = delivered_to(outcome) {
                    let share = by_endpoint.entry(to).or_insert((Probability::ZERO, outcome));
                    share.0 = share.0.plus(&outcome.probability);
                }
            }
            if sum != Probability::ONE {
                let message = format!("the outcomes sum to {:.9}", sum.to_f64());
                found.push(trial.found("shares", probe, walk, case.outcomes.first(), message));
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "a Service has few endpoints")]
            let count = by_endpoint.len() as f64;
            let worst = by_endpoint.iter().map(|(to, (share, outcome))| {
                let off = (share.to_f64() - 1.0 / count).abs();
                (off, to, share, *outcome)
            });
            let worst = worst.max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((off, to, share, outcome)) = worst
                && off > (count + 1.0) * ROUNDING
            {
                let message = format!("{to} gets {:.9}, not 1/{count}", share.to_f64());
                found.push(trial.found("shares", probe, walk, Some(outcome), message));
            }
        }
    }
    found
}

/// What one draw can be off: half of 2^-31, and half of the last of the ten digits that are written.
const ROUNDING: f64 = 0.5 / 2_147_483_648.0 + 0.5e-10;

pub(super) fn endpoints(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk) in trial.walked() {
        let expected: &[(SocketAddr, bool)] = match &probe.expected {
            Expected::Endpoints(endpoints) => endpoints,
            // Nothing rewrites what is not for the Service.
            Expected::Untouched => {
                let is_wrong = |o: &&Outcome| o.dnat || delivered_to(o).is_none();
                if let Some(outcome) = outcomes(walk).find(is_wrong) {
                    let what = if outcome.dnat { "rewritten" } else { outcome.verdict.as_str() };
                    let message = format!("is not the Service's to serve here, and is {what}");
                    found.push(trial.found("endpoints", probe, walk, Some(outcome), message));
                }
                continue;
            }
            Expected::Rejected | Expected::Dropped => continue,
        };
        let wrong = outcomes(walk).find(|outcome| {
            delivered_to(outcome).is_none_or(|to| !expected.iter().any(|(endpoint, _)| *endpoint == to))
                || !is_delivered_right(trial, probe, outcome)
        });
        if let Some(outcome) = wrong {
            let message = format!("must reach {}", names(expected));
            found.push(trial.found("endpoints", probe, walk, Some(outcome), message));
            continue;
        }
        let missing = expected
            .iter()
            .find(|(endpoint, _)| !outcomes(walk).any(|outcome| delivered_to(outcome) == Some(*endpoint)));
        if let Some((endpoint, _)) = missing {
            let message = format!("never reaches {endpoint}");
            found.push(trial.found("endpoints", probe, walk, outcomes(walk).next(), message));
        }
    }
    found
}

fn names(endpoints: &[(SocketAddr, bool)]) -> String {
    let mut names: Vec<String> = endpoints.iter().take(3).map(|(endpoint, _)| endpoint.to_string()).collect();
    if endpoints.len() > 3 {
        names.push(format!("{} more", endpoints.len() - 3));
    }
    names.join(", ")
}

/// An endpoint on the node itself is local; any other is forwarded to, or sent to by a local process.
fn is_delivered_right(trial: &Trial<'_>, probe: &Probe, outcome: &Outcome) -> bool {
    outcome.verdict
        == match (trial.cluster().is_own(outcome.dst), probe.packet.in_interface) {
            (true, _) => Verdict::Local,
            (false, Some(_)) => Verdict::Forwarded,
            (false, None) => Verdict::Sent,
        }
}

pub(super) fn refusals(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk) in trial.walked() {
        let (wanted, message) = match probe.expected {
            Expected::Rejected => (Verdict::Rejected, "has no endpoints and must be rejected"),
            Expected::Dropped => (Verdict::Dropped, "is not served here and must be dropped"),
            _ => continue,
        };
        if let Some(outcome) = outcomes(walk).find(|outcome| outcome.verdict != wanted) {
            found.push(trial.found("refusals", probe, walk, Some(outcome), message.to_owned()));
        }
    }
    found
}

pub(super) fn masquerade(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk, expected) in served(trial) {
        let wrong = outcomes(walk).find_map(|outcome| {
            let to = delivered_to(outcome)?;
            let (_, wanted) = expected.iter().find(|(endpoint, _)| *endpoint == to)?;
            let keeps_mark = outcome.masquerade && outcome.mark & trial.cluster().config.mark() != 0;
            let message = match (*wanted, outcome.masquerade) {
                (true, false) => "must be masqueraded",
                (false, true) => "must keep its source",
                // On a tunnel the packet comes by again and would be masqueraded again.
                _ if keeps_mark => "leaves with the mark still on it",
                _ => return None,
            };
            Some((outcome, message))
        });
        if let Some((outcome, message)) = wrong {
            let message = format!("to {} {message}", outcome.dst);
            found.push(trial.found("masquerade", probe, walk, Some(outcome), message));
        }
    }
    found
}

pub(super) fn local_source(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk, _) in served(trial) {
        let service = trial.cluster().services.get(probe.service);
        let is_local = service.is_some_and(|service| service.external_policy == TrafficPolicy::Local);
        if !is_local || probe.from != Vantage::Outside || probe.to == AddressKind::ClusterIp {
            continue;
        }
        let changed = |outcome: &&Outcome| outcome.masquerade || outcome.snat;
        if let Some(outcome) = outcomes(walk).find(changed) {
            let message = "the policy is Local, and the client's address is lost".to_owned();
            found.push(trial.found("local-source", probe, walk, Some(outcome), message));
        }
    }
    found
}
