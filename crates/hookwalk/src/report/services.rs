use serde::Serialize;

use super::walk::RuleRefReport;
use crate::kube::inventory::{AddressEntry, AddressKind, EndpointEntry, Inventory, NoEndpoints, PortEntry};
use crate::kube::objects::TrafficPolicy;
use crate::kube::settings::Settings;
use crate::kube::vantage::{Answer, Part, Prober, Vantage, Way};

/// The Services of a node's rules, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct ServicesReport {
    /// 1
    pub schema: u32,
    /// kube-proxy's settings, for each family.
    pub settings: Vec<SettingsReport>,
    /// Every Service port.
    pub services: Vec<ServiceReport>,
}

/// kube-proxy's settings as its rules show them.
#[derive(Clone, Debug, Serialize)]
pub struct SettingsReport {
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The versions that lay rules out so.
    pub version: Option<String>,
    /// How Pods' traffic is told.
    pub detector: Option<String>,
    /// Whether all traffic to cluster IPs is masqueraded.
    pub masquerade_all: bool,
    /// Where node ports are served.
    pub node_ports: String,
    /// The mark that asks for masquerading.
    pub masquerade_mark: Option<u32>,
}

/// One port of one Service.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceReport {
    /// The namespace; null where nothing tells it, as name and port name.
    pub namespace: Option<String>,
    /// The Service's name.
    pub name: Option<String>,
    /// The port's name; empty when it has none.
    pub port_name: Option<String>,
    /// `tcp`, `udp` or `sctp`.
    pub proto: String,
    /// Its cluster IPs, of both families.
    pub cluster_ips: Vec<String>,
    /// The port at every address but the node's.
    pub port: Option<u16>,
    /// The port at the node's addresses.
    pub node_port: Option<u16>,
    /// Addresses of load balancers.
    pub load_balancer_ips: Vec<String>,
    /// External IPs, and addresses of which the rules do not tell whether they are load balancers'.
    pub external_ips: Vec<String>,
    /// Who may come to load-balancer addresses; empty for everybody.
    pub source_ranges: Vec<String>,
    /// Seconds that a client stays with its endpoint.
    pub affinity_seconds: Option<u32>,
    /// `Cluster`, `Local` or null.
    pub external_policy: Option<&'static str>,
    /// `Cluster`, `Local` or null.
    pub internal_policy: Option<&'static str>,
    /// The port where load balancers ask for this node's health.
    pub health_check_node_port: Option<u16>,
    /// Its endpoints, of both families; the shares of each family sum to 1.
    pub endpoints: Vec<EndpointReport>,
    /// What happens for want of endpoints.
    pub no_endpoints: Option<&'static str>,
    /// The hash in the names of its chains.
    pub hash: Option<String>,
    /// What becomes of packets to each address.
    pub reach: Vec<ReachReport>,
}

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointReport {
    /// Its address.
    pub ip: String,
    /// Its port.
    pub port: u16,
    /// Its exact share among all endpoints, or where only those of this node are used, among them.
    pub share: Option<String>,
    /// The same as a number.
    pub p: Option<f64>,
    /// Its share where a policy `Local` holds.
    pub local_share: Option<String>,
    /// Whether it is on this node; null where the rules do not tell.
    pub local: Option<bool>,
    /// The line of the rule that sends to it.
    pub line: Option<u32>,
    /// The index of that line's dump.
    pub dump: usize,
}

/// What becomes of packets to one address.
#[derive(Clone, Debug, Serialize)]
pub struct ReachReport {
    /// The address; null for a node port.
    pub ip: Option<String>,
    /// The port.
    pub port: u16,
    /// `cluster-ip`, `external-ip`, `load-balancer-ip`, `external` (one of the two) or `node-port`.
    pub kind: &'static str,
    /// The rule that serves it.
    pub rule: RuleRefReport,
    /// What it does for want of endpoints.
    pub no_endpoints: Option<&'static str>,
    /// From each of the four kinds of senders.
    pub from: Vec<FromReport>,
}

/// What becomes of packets from one kind of sender.
#[derive(Clone, Debug, Serialize)]
pub struct FromReport {
    /// `pod`, `this-node`, `other-node` or `outside`.
    pub vantage: &'static str,
    /// The source that was walked from.
    pub src: String,
    /// The destination.
    pub dst: String,
    /// The interface it came by; null for a process of this node.
    #[serde(rename = "in")]
    pub in_iface: Option<String>,
    /// Exactly one where nothing unknown makes a difference.
    pub ways: Vec<WayReport>,
    /// Whether a limit was reached.
    pub truncated: bool,
}

/// One way it can turn out.
#[derive(Clone, Debug, Serialize)]
pub struct WayReport {
    /// What is assumed.
    pub assume: Vec<super::AssumptionReport>,
    /// What happens then.
    pub parts: Vec<PartReport>,
}

/// One thing that happens.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// The endpoint; null when the destination stays.
    pub ip: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// As in a walk.
    pub verdict: &'static str,
    /// How likely, as a fraction.
    pub probability: String,
    /// The same as a number.
    pub p: f64,
    /// Whether the source is masqueraded.
    pub masquerade: bool,
    /// The rule that serves the address or ends the packet.
    pub rule: Option<RuleRefReport>,
    /// The rule that marks it for masquerading.
    pub masquerade_rule: Option<RuleRefReport>,
}

impl ServicesReport {
    /// The report of an inventory, with a walk to each address from each place.
    pub fn new(inventory: &Inventory, prober: &Prober) -> Self {
        ServicesReport {
            schema: 1,
            settings: inventory.settings.iter().map(SettingsReport::new).collect(),
            services: inventory.services.iter().map(|entry| ServiceReport::new(entry, prober)).collect(),
        }
    }
}

impl SettingsReport {
    /// The settings of one family.
    pub fn new(settings: &Settings) -> Self {
        SettingsReport {
            family: settings.family.to_string(),
            version: settings.layout.map(|layout| layout.to_string()),
            detector: settings.detector.map(|detector| detector.to_string()),
            masquerade_all: settings.masquerade_all,
            node_ports: settings.node_ports.to_string(),
            masquerade_mark: settings.masquerade_mark,
        }
    }
}

impl ServiceReport {
    fn new(entry: &PortEntry, prober: &Prober) -> Self {
        let ips = |kinds: &[AddressKind]| -> Vec<String> {
            let of_kind = entry.addresses.iter().filter(|address| kinds.contains(&address.kind));
            of_kind.filter_map(|address| address.ip).map(|ip| ip.to_string()).collect()
        };
        let is_node_port = |address: &&AddressEntry| address.kind == AddressKind::NodePort;
        let name = entry.name.as_ref();
        ServiceReport {
            namespace: name.map(|name| name.namespace.clone()),
            name: name.map(|name| name.name.clone()),
            port_name: name.map(|name| name.port.clone()),
            proto: entry.protocol.to_string(),
            cluster_ips: ips(&[AddressKind::ClusterIp]),
            port: entry.addresses.iter().find(|address| !is_node_port(address)).map(|address| address.port),
            node_port: entry.addresses.iter().find(is_node_port).map(|address| address.port),
            load_balancer_ips: ips(&[AddressKind::LoadBalancerIp]),
            external_ips: ips(&[AddressKind::ExternalIp, AddressKind::External]),
            source_ranges: entry.source_ranges.iter().map(ToString::to_string).collect(),
            affinity_seconds: entry.affinity_seconds,
            external_policy: entry.external_policy.map(TrafficPolicy::as_str),
            internal_policy: entry.internal_policy.map(TrafficPolicy::as_str),
            health_check_node_port: entry.health_check_node_port,
            endpoints: entry.endpoints.iter().map(EndpointReport::new).collect(),
            no_endpoints: entry.no_endpoints.map(NoEndpoints::as_str),
            hash: entry.hash.clone(),
            reach: entry.addresses.iter().map(|address| ReachReport::new(entry, address, prober)).collect(),
        }
    }
}

impl EndpointReport {
    fn new(endpoint: &EndpointEntry) -> Self {
        let share = endpoint.share.as_ref().or(endpoint.local_share.as_ref());
        EndpointReport {
            ip: endpoint.address.ip().to_string(),
            port: endpoint.address.port(),
            share: share.map(ToString::to_string),
            p: share.map(crate::Probability::to_f64),
            local_share: endpoint.local_share.as_ref().map(ToString::to_string),
            local: endpoint.local,
            line: endpoint.rule.line,
            dump: endpoint.rule.dump,
        }
    }
}

impl ReachReport {
    fn new(entry: &PortEntry, address: &AddressEntry, prober: &Prober) -> Self {
        let from = Vantage::ALL.into_iter().map(|vantage| prober.ask(address, entry.protocol, vantage));
        ReachReport {
            ip: address.ip.map(|ip| ip.to_string()),
            port: address.port,
            kind: match address.kind {
                AddressKind::ClusterIp => "cluster-ip",
                AddressKind::ExternalIp => "external-ip",
                AddressKind::LoadBalancerIp => "load-balancer-ip",
                AddressKind::External => "external",
                AddressKind::NodePort => "node-port",
            },
            rule: RuleRefReport::new(&address.rule),
            no_endpoints: address.no_endpoints.map(NoEndpoints::as_str),
            from: from.map(|answer| FromReport::new(&answer)).collect(),
        }
    }
}

impl FromReport {
    fn new(answer: &Answer) -> Self {
        FromReport {
            vantage: match answer.vantage {
                Vantage::Pod => "pod",
                Vantage::ThisNode => "this-node",
                Vantage::OtherNode => "other-node",
                Vantage::Outside => "outside",
            },
            src: answer.packet.src.to_string(),
            dst: answer.packet.dst.to_string(),
            in_iface: answer.packet.in_interface.map(|name| name.to_string()),
            ways: answer.ways.iter().map(WayReport::new).collect(),
            truncated: answer.truncated,
        }
    }
}

impl WayReport {
    fn new(way: &Way) -> Self {
        WayReport {
            assume: way.assume.iter().map(super::AssumptionReport::new).collect(),
            parts: way.parts.iter().map(PartReport::new).collect(),
        }
    }
}

impl PartReport {
    fn new(part: &Part) -> Self {
        PartReport {
            ip: part.endpoint.map(|endpoint| endpoint.ip().to_string()),
            port: part.endpoint.map(|endpoint| endpoint.port()),
            verdict: part.verdict.as_str(),
            probability: part.share.to_string(),
            p: part.share.to_f64(),
            masquerade: part.masquerade,
            rule: part.rule.as_ref().map(RuleRefReport::new),
            masquerade_rule: part.masquerade_rule.as_ref().map(RuleRefReport::new),
        }
    }
}
