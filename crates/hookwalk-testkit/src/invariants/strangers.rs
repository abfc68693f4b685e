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
        let packet = Packet::new(cluster.other_node, Ipv4Addr::LOCALHOST.into())
            .arriving_by(cluster.uplink)
            .source_port(40_000)
            .destination_port(10_256);
        if let Ok(walk) = trial.engine().walk(&packet)
            && let Some(outcome) = outcomes(&walk).find(|outcome| outcome.verdict != Verdict::Dropped)
        {
            let message = "localhost is reached from another node, while route_localnet is set".to_owned();
            found.push(trial.about("strangers", &packet, &walk, Some(outcome), message));
        }
    }
    found
}
