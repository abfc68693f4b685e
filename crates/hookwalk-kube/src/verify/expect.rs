//! What the objects ask to become of a packet.

use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::Packet;

use super::ports::{Address, Choice, Port};
use crate::inventory::AddressKind;
use crate::settings::{Detector, Layout, Settings};
use crate::vantage::{Places, Vantage};

/// What is to become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is sent to these, in equal shares.
    Endpoints { endpoints: Vec<SocketAddr>, masquerade: bool },
    /// It is sent to some of these in equal shares, or refused: which are local is not known.
    SomeOf { endpoints: Vec<SocketAddr>, masquerade: bool },
    /// It is rejected.
    Reject,
    /// It is dropped, or up to 1.24 marked for that.
    Drop,
    /// It is sent to no endpoint, whatever else becomes of it.
    NoEndpoint,
}

/// What of a packet decides.
pub(super) struct Asked<'a> {
    pub(super) vantage: Vantage,
    source: IpAddr,
    node: IpAddr,
    /// The detector takes it for a packet of a Pod of this node.
    from_pod: bool,
    settings: &'a Settings,
}

impl<'a> Asked<'a> {
    pub(super) fn new(places: &Places, vantage: Vantage, packet: &Packet, settings: &'a Settings) -> Self {
        let from_pod = match settings.detector {
            Some(Detector::Cidr(cidr)) => cidr.contains(packet.src),
            Some(Detector::Interface(pattern)) => {
                packet.in_interface.is_some_and(|name| pattern.matches(name.as_bytes()))
            }
            None => false,
        };
        Asked { vantage, source: packet.src, node: places.node, from_pod, settings }
    }

    fn is_from_this_node(&self) -> bool {
        self.vantage == Vantage::ThisNode
    }

    /// Whether what goes to the cluster IP is masqueraded.
    fn masquerades_inside(&self) -> bool {
        self.settings.masquerade_all || self.settings.detector.is_some() && !self.from_pod
    }
}

/// What is asked for, each way that versions and gates leave open; the likeliest first. Empty where it
/// cannot be told.
pub(super) fn expected(
    settings: &Settings,
    port: &Port<'_>,
    address: &Address,
    asked: &Asked<'_>,
) -> Vec<Expected> {
    let Some(layout) = settings.layout else { return Vec::new() };
    let mut all = Vec::new();
    for choice in port.choices(layout) {
        for one in one_choice(layout, port, address, asked, &choice) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

fn one_choice(
    layout: Layout,
    port: &Port<'_>,
    address: &Address,
    asked: &Asked<'_>,
    choice: &Choice,
) -> Vec<Expected> {
    if !choice.has_any {
        return vec![refused(layout, address, asked, Expected::Reject)];
    }
    match address.kind {
        AddressKind::ClusterIp if port.internal_local(layout) && layout >= Layout::From124 => {
            let expected = local(port, choice, asked.masquerades_inside(), Expected::Drop);
            vec![expected]
        }
        AddressKind::ClusterIp => vec![all(port, choice, layout, asked.masquerades_inside())],
        AddressKind::LoadBalancerIp if !is_let_in(port, asked) => vec![Expected::Drop],
        AddressKind::ExternalIp if layout == Layout::UpTo121 => up_to_121(port, choice, asked),
        _ if port.external_local() => vec![from_outside_local(layout, port, address, asked, choice)],
        AddressKind::ExternalIp if layout == Layout::From122 => {
            let from_pod = asked.settings.detector.is_some() && asked.from_pod;
            vec![all(port, choice, layout, !from_pod)]
        }
        _ => vec![all(port, choice, layout, true)],
    }
}

/// 1.22 and 1.23 make the policy `Local` of the cluster IP hold for every address.
fn all(port: &Port<'_>, choice: &Choice, layout: Layout, masquerade: bool) -> Expected {
    let endpoints = choice.cluster.clone();
    let hides = layout == Layout::From122 && port.internal_local(layout) && !port.external_local();
    if hides && !port.knows_local {
        return Expected::SomeOf { endpoints, masquerade };
    }
    Expected::Endpoints { endpoints, masquerade }
}

fn local(port: &Port<'_>, choice: &Choice, masquerade: bool, without: Expected) -> Expected {
    match &choice.local {
        None => Expected::SomeOf { endpoints: port.usable(), masquerade },
        Some(local) if local.is_empty() => without,
        Some(local) => Expected::Endpoints { endpoints: local.clone(), masquerade },
    }
}

/// Policy `Local` for what comes from outside: Pods and the node itself are not outside.
fn from_outside_local(
    layout: Layout,
    port: &Port<'_>,
    address: &Address,
    asked: &Asked<'_>,
    choice: &Choice,
) -> Expected {
    if asked.from_pod {
        return all(port, choice, layout, false);
    }
    if asked.is_from_this_node() {
        return all(port, choice, layout, true);
    }
    local(port, choice, false, refused(layout, address, asked, Expected::Drop))
}

/// Up to 1.20 external IPs are served for what comes by no bridge, the node's own packets aside, and
/// the policy does not count; 1.21 is as 1.22.
fn up_to_121(port: &Port<'_>, choice: &Choice, asked: &Asked<'_>) -> Vec<Expected> {
    let endpoints = choice.cluster.clone();
    let mut expected =
        vec![Expected::Endpoints { endpoints: endpoints.clone(), masquerade: true }, Expected::NoEndpoint];
    if asked.is_from_this_node() {
        expected.reverse();
    }
    if port.external_local() {
        expected.push(Expected::Endpoints { endpoints, masquerade: false });
        expected.push(local(port, choice, false, Expected::Drop));
    }
    expected
}

/// Where a refusal is not reached by every packet.
fn refused(layout: Layout, address: &Address, asked: &Asked<'_>, refusal: Expected) -> Expected {
    match address.kind {
        // KUBE-EXTERNAL-SERVICES stands in INPUT and FORWARD; up to 1.20 in INPUT alone.
        AddressKind::ExternalIp | AddressKind::External if layout == Layout::UpTo121 => Expected::NoEndpoint,
        AddressKind::ExternalIp | AddressKind::External | AddressKind::LoadBalancerIp
            if asked.is_from_this_node() =>
        {
            Expected::NoEndpoint
        }
        _ => refusal,
    }
}

/// Whether the source ranges of a load balancer let the packet in. One that holds the node's address
/// lets in what the node itself sends to the load balancer as well.
fn is_let_in(port: &Port<'_>, asked: &Asked<'_>) -> bool {
    let ranges = port.source_ranges();
    let node = asked.is_from_this_node().then_some(asked.node);
    ranges.is_empty()
        || ranges
            .iter()
            .any(|range| range.contains(asked.source) || node.is_some_and(|node| range.contains(node)))
}
