use serde::Serialize;

use super::findings::{FindingReport, findings};
use super::walk::{RuleRefReport, WalkReport};
use crate::kube::dns::{Query, Report};

/// Whether a Pod reaches its name servers, as JSON: findings, and the details behind them.
#[derive(Clone, Debug, Serialize)]
pub struct DnsReport {
    /// 1
    pub schema: u32,
    /// What does not work, and what to know.
    pub findings: Vec<FindingReport>,
    /// Each name server by UDP and by TCP.
    pub servers: Vec<DnsServerReport>,
    /// What was assumed because nobody said otherwise.
    pub defaults: Vec<String>,
}

/// Queries to one name server by one protocol.
#[derive(Clone, Debug, Serialize)]
pub struct DnsServerReport {
    /// The name server.
    pub address: String,
    /// 53
    pub port: u16,
    /// `udp` or `tcp`
    pub proto: String,
    /// `works`, `fails`, `fails-partly`, `depends`, `outside` or `unknown`
    pub answer: &'static str,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether the Pod's packets arrive by an interface; not so on the host's network. In `walk` the packet
    /// of an unknown interface has `in` null.
    pub arrives: bool,
    /// The interface they arrive by; null where it is not known.
    pub in_iface: Option<String>,
    /// The Service's port behind the address.
    pub service: Option<String>,
    /// Where queries go, in the first case.
    pub endpoints: Vec<DnsEndpointReport>,
    /// What is worth knowing of the rules on the way.
    pub notes: Vec<String>,
    /// The walk; null where queries do not come to the node.
    pub walk: Option<WalkReport>,
}

/// A place that queries are sent to.
#[derive(Clone, Debug, Serialize)]
pub struct DnsEndpointReport {
    /// The address.
    pub ip: String,
    /// The port.
    pub port: u16,
    /// Its share as a fraction.
    pub share: String,
    /// Its share as a number.
    pub p: f64,
    /// Whether the source address becomes the node's.
    pub masquerade: bool,
    /// Whether queries get there.
    pub reached: bool,
    /// The rule that sends them there.
    pub dnat_by: Option<RuleRefReport>,
}

impl DnsReport {
    /// The report of a check over `dumps` dumps.
    pub fn new(report: &Report, dumps: usize) -> Self {
        DnsReport {
            schema: 1,
            findings: findings(&report.findings, dumps).findings,
            servers: report.queries.iter().map(DnsServerReport::new).collect(),
            defaults: report.assumed.clone(),
        }
    }
}

impl DnsServerReport {
    fn new(query: &Query) -> Self {
        let endpoint = |endpoint: &crate::kube::dns::Endpoint| DnsEndpointReport {
            ip: endpoint.address.ip().to_string(),
            port: endpoint.address.port(),
            share: endpoint.share.to_string(),
            p: endpoint.share.to_f64(),
            masquerade: endpoint.masqueraded,
            reached: endpoint.reached,
            dnat_by: endpoint.by.as_ref().map(RuleRefReport::new),
        };
        DnsServerReport {
            address: query.server.to_string(),
            port: 53,
            proto: query.protocol.to_string(),
            answer: query.answer.as_str(),
            reason: query.reason.clone(),
            arrives: query.arrives,
            in_iface: query.in_interface.map(|name| name.to_string()),
            service: query.service.clone(),
            endpoints: query.endpoints.iter().map(endpoint).collect(),
            notes: query.notes.clone(),
            walk: query.walk.as_ref().map(WalkReport::new),
        }
    }
}
