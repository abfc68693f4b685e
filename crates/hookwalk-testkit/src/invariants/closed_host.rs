use std::net::IpAddr;

use hookwalk_engine::{Engine, Packet, PacketState, Verdict};
use hookwalk_kube::objects::{ServiceType, TrafficPolicy};
use hookwalk_parser::types::Protocol;
use hookwalk_parser::{Dump, Reader};

use super::delivery::delivered_to;
use super::trial::outcomes;
use super::{Counterexample, Trial};

/// Once more with the policies of INPUT and FORWARD at DROP, as Docker and host firewalls set them.
pub(super) fn closed_host(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    let family = trial.family();
    let dumps: Vec<Dump> = trial
        .engine()
        .dumps()
        .iter()
        .map(|dump| Reader::new().family(family).noflush(true).parse(closed(dump.text())))
        .collect();
    let closed = Trial::with_engine(Engine::new(dumps, trial.cluster().host()), trial.cluster());
    for (probe, walk) in trial.walked() {
        let masqueraded: Vec<IpAddr> = outcomes(walk)
            .filter(|o| o.masquerade && o.verdict == Verdict::Forwarded)
            .map(|o| o.dst)
            .collect();
        if masqueraded.is_empty() {
            continue;
        }
        let mut packet = probe.packet;
        for (state, word) in [(PacketState::New, "is"), (PacketState::Reply, "is answered, and the reply is")]
        {
            packet.state = state;
            let Ok(again) = closed.engine().walk(&packet) else { continue };
            // What is not masqueraded is others' to let through.
            let lost = outcomes(&again).find(|o| match state {
                PacketState::New => masqueraded.contains(&o.dst) && delivered_to(o).is_none(),
                _ => o.masquerade && delivered_to(o).is_none(),
            });
            if let Some(outcome) = lost {
                let verdict = outcome.verdict.as_str();
                let message = format!("masqueraded, {word} {verdict} where FORWARD drops by policy");
                found.push(closed.found("closed-host", probe, &again, Some(outcome), message));
                break;
            }
        }
    }
    found.extend(health_checks(&closed));
    found
}

fn health_checks(closed: &Trial<'_>) -> Vec<Counterexample> {
    let cluster = closed.cluster();
    let mut found = Vec::new();
    for service in cluster.services.iter().filter(|service| service.is_proxied()) {
        let is_asked = service.external_policy == TrafficPolicy::Local
            && service.service_type == ServiceType::LoadBalancer
            && service
                .cluster_ips
                .iter()
                .any(|ip| hookwalk_parser::types::Family::of(*ip) == closed.family())
            && !service.ports.is_empty();
        let (Some(port), Some(node)) =
            (service.health_check_node_port.filter(|_| is_asked), cluster.node_addresses.first())
        else {
            continue;
        };
        let packet = Packet::new(cluster.other_node, *node)
            .arriving_by(cluster.uplink)
            .protocol(Protocol::TCP)
            .source_port(40_000)
            .destination_port(port);
        let Ok(walk) = closed.engine().walk(&packet) else { continue };
        if let Some(outcome) = outcomes(&walk).find(|outcome| outcome.verdict != Verdict::Local) {
            let message = format!("the health check at port {port} is {}", outcome.verdict.as_str());
            let mut one = closed.about("closed-host", &packet, &walk, Some(outcome), message);
            one.object = Some(format!("service {service}"));
            found.push(one);
        }
    }
    found
}

/// The text with other policies in table filter. Lines stay where they are.
fn closed(text: &[u8]) -> String {
    let mut is_filter = false;
    let mut out = String::with_capacity(text.len());
    for line in String::from_utf8_lossy(text).split_inclusive('\n') {
        if line.starts_with('*') {
            is_filter = line.trim_end() == "*filter";
        }
        let is_gate = is_filter && (line.starts_with(":INPUT ACCEPT") || line.starts_with(":FORWARD ACCEPT"));
        if is_gate {
            out.push_str(&line.replace("ACCEPT", "DROP"));
        } else {
            out.push_str(line);
        }
    }
    out
}
