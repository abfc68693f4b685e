use std::net::Ipv4Addr;

use hookwalk_engine::{Packet, PacketState, Verdict};
use hookwalk_kube::writer::Version;
use hookwalk_parser::types::{Family, Protocol};

use super::trial::outcomes;
use super::{Counterexample, Trial};

pub(super) fn strangers(trial: &Trial<'_>) -> Vec<Counterexample> {
    let cluster = trial.cluster();
    let config = &cluster.config;
    let mut found = Vec::new();

    let may_pass = config.conntrack_tcp_liberal && config.version >= Version::V1_29;
    let mut invalid = Packet::new(cluster.other_node, cluster.local_pod)
        .arriving_by(cluster.uplink)
        .protocol(Protocol::TCP)
        .source_port(40_000)
        .destination_port(8_080);
    invalid.state = PacketState::Invalid;
    if !may_pass
        && let Ok(walk) = trial.engine().walk(&invalid)
        && let Some(outcome) = outcomes(&walk).find(|outcome| outcome.verdict != Verdict::Dropped)
    {
        let message =
            "an INVALID packet gets through: NAT does not see it, and its sender is not hidden".to_owned();
        found.push(trial.about("strangers", &invalid, &walk, Some(outcome), message));
    }

    // Up to 1.26 the rule is the kubelet's.
    let guards = config.version >= Version::V1_27 || config.kubelet;
    if config.family == Family::V4 && config.localhost_nodeports && guards {
        let strange = Ipv4Addr::new(126, 0, 0, 1).into();
        for source in [cluster.other_node, strange] {
            let packet = Packet::new(source, Ipv4Addr::LOCALHOST.into())
                .arriving_by(cluster.uplink)
                .source_port(40_000)
                .destination_port(10_256);
            if let Ok(walk) = trial.engine().walk(&packet)
                && let Some(outcome) = outcomes(&walk).find(|outcome| outcome.verdict != Verdict::Dropped)
            {
                let message = "localhost is reached from elsewhere, while route_localnet is set".to_owned();
                found.push(trial.about("strangers", &packet, &walk, Some(outcome), message));
                break;
            }
        }
        // What is not localhost stays as it is.
        if let Some(node) = cluster.node_addresses.first() {
            let packet = Packet::new(*node, strange).source_port(40_000).destination_port(443);
            if let Ok(walk) = trial.engine().walk(&packet)
                && let Some(outcome) = outcomes(&walk).find(|outcome| outcome.verdict != Verdict::Sent)
            {
                let message = "an address of no Service is not reached from this node".to_owned();
                found.push(trial.about("strangers", &packet, &walk, Some(outcome), message));
            }
        }
    }
    found
}
