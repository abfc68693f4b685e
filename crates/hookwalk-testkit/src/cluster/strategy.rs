//! Strategies of proptest 1.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::select;

use super::{Cluster, EndpointPlan, EndpointState, Plan, PortPlan, ServicePlan, SettingsPlan};

/// Clusters of any settings with up to seven Services. They shrink to few Services with few endpoints
/// under plain settings.
pub fn clusters() -> impl Strategy<Value = Cluster> {
    clusters_of(settings())
}

/// Clusters under settings that another strategy chooses (`Just` for fixed ones).
pub fn clusters_of(settings: impl Strategy<Value = SettingsPlan>) -> impl Strategy<Value = Cluster> {
    plans(settings).prop_map(|plan| Cluster::planned(&plan))
}

/// The plans that [`clusters_of`] makes clusters of.
pub fn plans(settings: impl Strategy<Value = SettingsPlan>) -> impl Strategy<Value = Plan> {
    (settings, vec(service(), 1..=7)).prop_map(|(settings, services)| Plan { settings, services })
}

fn settings() -> impl Strategy<Value = SettingsPlan> {
    let numbers = (0..=10_u8, 0..=3_u8, 0..=2_u8, 0..=1_u8);
    (numbers, any::<[bool; 7]>()).prop_map(|((older, detector, nodeport_addresses, lower_bit), flags)| {
        let [is_v6, masquerade_all, no_localhost, is_large, is_liberal, has_nfacct, holds_addresses] = flags;
        SettingsPlan {
            is_v6,
            older,
            detector,
            masquerade_all,
            no_localhost,
            nodeport_addresses,
            is_large,
            lower_bit,
            is_liberal,
            has_nfacct,
            holds_addresses,
        }
    })
}

fn service() -> impl Strategy<Value = ServicePlan> {
    let ports = vec((0..=2_u8, any::<bool>()), 1..=3);
    let counts = (0..=2_u8, 0..=2_u8, 0..=2_u8);
    (ports, vec(endpoint(), 0..=6), counts, any::<[bool; 4]>()).prop_map(
        |(ports, endpoints, (balancers, externals, ranges), flags)| {
            let [internal_local, external_local, is_sticky, two_slices] = flags;
            let port = |(protocol, has_node_port)| PortPlan { protocol, has_node_port };
            ServicePlan {
                ports: ports.into_iter().map(port).collect(),
                endpoints,
                balancers,
                externals,
                ranges,
                internal_local,
                external_local,
                affinity: if is_sticky { 10_800 } else { 0 },
                two_slices,
            }
        },
    )
}

fn endpoint() -> impl Strategy<Value = EndpointPlan> {
    let states = vec![
        EndpointState::Ready,
        EndpointState::Ready,
        EndpointState::Ready,
        EndpointState::ServingTerminating,
        EndpointState::Terminating,
        EndpointState::NotReady,
    ];
    (0..=2_u8, select(states), 0..=9_u8).prop_map(|(node, state, host)| EndpointPlan {
        node,
        state,
        is_host_network: host == 9,
    })
}
