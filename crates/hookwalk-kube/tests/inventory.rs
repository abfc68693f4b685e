//! What real kube-proxy versions wrote, read back into the Services it was written from.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what is wrong by failing")]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use common::dumps;
use hookwalk_kube::inventory::{AddressKind, Inventory, NoEndpoints, PortEntry};
use hookwalk_kube::objects::{Objects, Service, ServicePort, TrafficPolicy};
use hookwalk_kube::settings::{Detector, Layout};
use hookwalk_parser::types::Family;

fn read(path: &Path) -> Inventory {
    Inventory::read(&[hookwalk_parser::parse(std::fs::read(path).unwrap())], None)
}

#[test]
fn the_inventory_of_every_dump_is_its_objects() {
    for (path, objects, family) in dumps() {
        let inventory = read(&path);
        let layout = inventory.settings_of(family).unwrap().layout.unwrap();
        let mut left: BTreeSet<String> =
            inventory.services.iter().map(|entry| format!("{entry} {}", entry.protocol)).collect();
        for service in objects.services.iter().filter(|service| service.is_proxied()) {
            for port in &service.ports {
                let name = format!("{} {}", service.port_name(port), port.protocol);
                let entry = inventory.services.iter().find(|e| format!("{e} {}", e.protocol) == name);
                let entry = entry.unwrap_or_else(|| panic!("{}: no {name}", path.display()));
                left.remove(&name);
                is_as_asked(entry, service, port, &objects, layout, &format!("{} {name}", path.display()));
            }
        }
        assert!(left.is_empty(), "{}: {left:?}", path.display());
    }
}

fn is_as_asked(
    entry: &PortEntry,
    service: &Service,
    port: &ServicePort,
    objects: &Objects,
    layout: Layout,
    place: &str,
) {
    let ips = |kinds: &[AddressKind]| -> BTreeSet<String> {
        let of_kind = entry.addresses.iter().filter(|address| kinds.contains(&address.kind));
        of_kind.map(|a| format!("{}:{}", a.ip.map(|ip| ip.to_string()).unwrap_or_default(), a.port)).collect()
    };
    let at = |ip: &std::net::IpAddr| format!("{ip}:{}", port.port);
    let cluster: BTreeSet<String> = service.cluster_ips.iter().map(at).collect();
    assert_eq!(ips(&[AddressKind::ClusterIp]), cluster, "{place}");
    let external = service.external_ips.iter().copied().chain(service.load_balancer.iter().map(|i| i.ip));
    let external: BTreeSet<String> = external.map(|ip| at(&ip)).collect();
    let found = ips(&[AddressKind::ExternalIp, AddressKind::LoadBalancerIp, AddressKind::External]);
    assert_eq!(found, external, "{place}");
    let node_port: BTreeSet<String> = port.node_port.iter().map(|port| format!(":{port}")).collect();
    assert_eq!(ips(&[AddressKind::NodePort]), node_port, "{place}");

    let slices = objects.slices_of(service);
    let ready: Vec<(SocketAddr, bool)> = slices
        .iter()
        .flat_map(|slice| slice.ports.iter().map(move |p| (slice, p)))
        .filter(|(_, p)| p.name == port.name && p.protocol == port.protocol)
        .flat_map(|(slice, p)| slice.endpoints.iter().map(move |e| (e, p.port)))
        .filter(|(e, _)| e.ready)
        .map(|(e, port)| (SocketAddr::new(e.address, port), e.node.as_ref() == Some(&objects.nodes[0].name)))
        .collect();
    let is_local = service.internal_policy == TrafficPolicy::Local;
    let reached_from_outside = port.node_port.is_some() || !external.is_empty();
    let expected: BTreeSet<SocketAddr> = ready
        .iter()
        .filter(|(_, local)| match layout {
            Layout::UpTo121 => true,
            Layout::From122 => !is_local || *local || service.external_policy == TrafficPolicy::Local,
            _ => !is_local || *local || reached_from_outside,
        })
        .map(|(address, _)| *address)
        .collect();
    // Drops of 1.25 and later are rules without chains: what is elsewhere is nowhere in the rules.
    let found: BTreeSet<SocketAddr> = entry.endpoints.iter().map(|endpoint| endpoint.address).collect();
    assert_eq!(found, expected, "{place}");
    for endpoint in &entry.endpoints {
        if let Some(local) = endpoint.local {
            assert!(ready.contains(&(endpoint.address, local)), "{place} {endpoint:?}");
        }
    }
    let shares: Vec<f64> = entry
        .endpoints
        .iter()
        .filter_map(|e| e.share.as_ref())
        .map(hookwalk_engine::Probability::to_f64)
        .collect();
    let even = shares.len();
    for share in shares {
        #[expect(clippy::cast_precision_loss, reason = "a handful of endpoints")]
        let off = (share - 1.0 / even as f64).abs();
        assert!(off < 1e-9, "{place} {share}");
    }
    if !entry.endpoints.is_empty() {
        assert_eq!(entry.affinity_seconds, service.affinity_seconds, "{place}");
    }
    if layout >= Layout::From124 {
        let internal = entry.internal_policy;
        assert!(internal.is_none_or(|policy| policy == service.internal_policy), "{place}");
    }
    if let Some(policy) = entry.external_policy {
        assert_eq!(policy, service.external_policy, "{place}");
    }
    if !ready.is_empty()
        && reached_from_outside
        && (layout > Layout::UpTo121 || service.external_ips.is_empty())
    {
        assert!(entry.external_policy.is_some(), "{place}");
    }
    if layout > Layout::UpTo121 {
        assert_eq!(entry.health_check_node_port, service.health_check_node_port, "{place}");
    }
    let ranges = entry.addresses.iter().any(|a| a.kind == AddressKind::LoadBalancerIp);
    if ranges && !ready.is_empty() {
        let sorted = |ranges: &[hookwalk_parser::types::MaskedAddress]| -> BTreeSet<String> {
            ranges.iter().map(ToString::to_string).collect()
        };
        assert_eq!(sorted(&entry.source_ranges), sorted(&service.source_ranges), "{place}");
    }
    assert_eq!(
        entry.no_endpoints == Some(NoEndpoints::Reject),
        found_none(layout, service, &ready),
        "{place}"
    );
}

fn found_none(layout: Layout, service: &Service, ready: &[(SocketAddr, bool)]) -> bool {
    let local = ready.iter().any(|(_, local)| *local);
    let needs_local = layout == Layout::From122 && service.internal_policy == TrafficPolicy::Local;
    ready.is_empty() || needs_local && !local
}

#[test]
fn settings_are_those_that_kube_proxy_was_started_with() {
    for (path, _, family) in dumps() {
        let inventory = read(&path);
        let settings = inventory.settings_of(family).unwrap();
        let own = path.to_string_lossy().contains("testdata");
        let cidr = match (family, own) {
            (Family::V4, false) => "10.0.0.0/8",
            (Family::V6, false) => "fd00:10::/64",
            (Family::V4, true) => "10.64.0.0/16",
            (Family::V6, true) => "fd00:64::/48",
        };
        assert_eq!(settings.detector, Some(Detector::Cidr(cidr.parse().unwrap())), "{}", path.display());
        assert!(!settings.masquerade_all, "{}", path.display());
        assert_eq!(settings.masquerade_mark, Some(0x4000));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let layout = [("1.17", Layout::UpTo121), ("1.22", Layout::From122), ("1.24", Layout::From124)];
        let layout = layout.iter().find(|(version, _)| name.contains(&format!("-{version}-")));
        assert_eq!(settings.layout, Some(layout.map_or(Layout::From125, |(_, layout)| *layout)), "{name}");
    }
}
