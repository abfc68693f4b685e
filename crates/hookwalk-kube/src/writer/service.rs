//! The rules of one service port, from 1.24 on.

use super::balance::{choose, comment, endpoints};
use super::external;
use super::ports::{Backend, ServicePort};
use super::rules::Tables;
use super::{Config, Version};

/// The names of a port's chains, and which of them take its traffic.
pub(super) struct Ways {
    pub(super) svc: String,
    pub(super) svl: String,
    pub(super) ext: String,
    pub(super) wall: String,
    /// Some node has an endpoint.
    pub(super) has_any: bool,
    /// Traffic to the cluster IP has an endpoint here.
    pub(super) has_internal: bool,
    /// Traffic from outside has one.
    pub(super) has_external: bool,
    /// Only some sources reach the load balancer's addresses.
    pub(super) is_walled: bool,
}

impl Ways {
    pub(super) fn inside(&self, port: &ServicePort) -> &str {
        if port.internal_local { &self.svl } else { &self.svc }
    }

    pub(super) fn outside(&self, port: &ServicePort) -> &str {
        if port.external_local { &self.svl } else { &self.svc }
    }
}

/// `-m tcp -p tcp -d IP --dport PORT`
pub(super) fn at(port: &ServicePort, ip: std::net::IpAddr) -> String {
    let protocol = port.protocol;
    format!("-m {protocol} -p {protocol} -d {ip} --dport {}", port.port)
}

pub(super) fn write(port: &ServicePort, config: &Config, out: &mut Tables) {
    let chosen = port.categories(config);
    let by_mark = config.version.drops_by_mark();
    let (has_any, has_local) = (chosen.has_any, !chosen.local.is_empty());
    let ways = Ways {
        svc: format!("KUBE-SVC-{}", port.hash),
        svl: format!("KUBE-SVL-{}", port.hash),
        ext: format!("KUBE-EXT-{}", port.hash),
        wall: format!("KUBE-FW-{}", port.hash),
        has_any,
        // Up to 1.24 the chain of the local endpoints is there without any, and drops.
        has_internal: has_any && (!port.internal_local || has_local || by_mark),
        has_external: has_any && (!port.external_local || has_local || by_mark),
        is_walled: has_any && !port.balancers.is_empty() && !port.source_ranges.is_empty(),
    };

    capture(port, config, &ways, out);
    if ways.has_internal {
        masquerade(port, config, &ways, out);
    }
    if has_any && port.is_external() {
        external::write(port, config, &ways, out);
    }
    if ways.is_walled {
        external::wall(port, config, &ways, out);
    }
    let say = |spn: &str, endpoint: &Backend| comment(&format!("{spn} -> {}", endpoint.text));
    let is_large = out.is_large;
    let say = |_: Option<usize>, endpoint: &Backend| {
        if is_large { String::new() } else { say(&port.name, endpoint) }
    };
    if port.uses_cluster() && !chosen.cluster.is_empty() {
        choose(port, &ways.svc, &chosen.cluster, say, out);
    }
    if port.uses_local() && has_local {
        choose(port, &ways.svl, &chosen.local, say, out);
    } else if port.uses_local() && has_any && by_mark {
        out.nat(
            &ways.svl,
            format!("{}-j KUBE-MARK-DROP", comment(&format!("{} has no local endpoints", port.name))),
        );
    }
    endpoints(port, &chosen.reachable, out);
}

/// The rules in the chains that all Services share: which addresses are the port's.
fn capture(port: &ServicePort, config: &Config, ways: &Ways, out: &mut Tables) {
    let spn = &port.name;
    let inside = comment(&format!("{spn} cluster IP"));
    if ways.has_internal {
        let target = ways.inside(port);
        out.nat("KUBE-SERVICES", format!("{inside}{} -j {target}", at(port, port.cluster_ip)));
    } else {
        refuse(port, ways, "KUBE-SERVICES", &at(port, port.cluster_ip), out);
    }
    for &ip in &port.external_ips {
        if ways.has_any {
            let said = comment(&format!("{spn} external IP"));
            out.nat("KUBE-SERVICES", format!("{said}{} -j {}", at(port, ip), ways.ext));
        }
        if !ways.has_external {
            refuse(port, ways, "KUBE-EXTERNAL-SERVICES", &at(port, ip), out);
        }
    }
    for &ip in &port.balancers {
        if ways.has_any {
            let said = comment(&format!("{spn} loadbalancer IP"));
            let target = if ways.is_walled { &ways.wall } else { &ways.ext };
            out.nat("KUBE-SERVICES", format!("{said}{} -j {target}", at(port, ip)));
        }
        if ways.is_walled && config.version.has_proxy_firewall() {
            let said = comment(&format!("{spn} traffic not accepted by {}", ways.wall));
            out.filter("KUBE-PROXY-FIREWALL", format!("{said}{} -j DROP", at(port, ip)));
        }
    }
    if !ways.has_external {
        for &ip in &port.balancers {
            refuse(port, ways, "KUBE-EXTERNAL-SERVICES", &at(port, ip), out);
        }
    }
    if let Some(node_port) = port.node_port {
        node_port_rules(port, node_port, config, ways, out);
    }
    if let Some(health) = port.health_check {
        let said = comment(&format!("{spn} health check node port"));
        out.filter("KUBE-NODEPORTS", format!("{said}-m tcp -p tcp --dport {health} -j ACCEPT"));
    }
}

fn node_port_rules(port: &ServicePort, node_port: u16, config: &Config, ways: &Ways, out: &mut Tables) {
    let (said, protocol) = (comment(&port.name), port.protocol);
    let matches = format!("-m {protocol} -p {protocol} --dport {node_port}");
    if ways.has_any {
        let is_v4 = config.family == hookwalk_parser::types::Family::V4;
        if super::layout::counts(config) && is_v4 && config.localhost_nodeports {
            out.nat(
                "KUBE-NODEPORTS",
                format!(
                    "{said}{matches} -d 127.0.0.0/8 -m nfacct --nfacct-name localhost_nps_accepted_pkts -j {}",
                    ways.ext
                ),
            );
        }
        out.nat("KUBE-NODEPORTS", format!("{said}{matches} -j {}", ways.ext));
    }
    if !ways.has_external {
        let matches = format!("-m addrtype --dst-type LOCAL {matches}");
        refuse(port, ways, "KUBE-EXTERNAL-SERVICES", &matches, out);
    }
}

/// No endpoint anywhere is an error that the client is told; none on this node is for others to serve.
fn refuse(port: &ServicePort, ways: &Ways, chain: &str, matches: &str, out: &mut Tables) {
    let (why, verdict) =
        if ways.has_any { ("has no local endpoints", "DROP") } else { ("has no endpoints", "REJECT") };
    let said = comment(&format!("{} {why}", port.name));
    out.filter(chain, format!("{said}{matches} -j {verdict}"));
}

/// What comes to the cluster IP from outside the cluster must come back through this node.
fn masquerade(port: &ServicePort, config: &Config, ways: &Ways, out: &mut Tables) {
    let said = comment(&format!("{} cluster IP", port.name));
    let there = at(port, port.cluster_ip);
    let chain = ways.inside(port);
    if config.masquerade_all {
        out.nat(chain, format!("{said}{there} -j KUBE-MARK-MASQ"));
    } else if config.local_detector.is_there() {
        let from = config.local_detector.not_local();
        out.nat(chain, format!("{said}{there}{from} -j KUBE-MARK-MASQ"));
    } else {
        out.chain(super::rules::TableName::Nat, chain);
    }
}

/// Whether the rule that ends a `KUBE-FW` chain stands there without a target.
pub(super) fn has_last_word(config: &Config) -> bool {
    config.version >= Version::V1_27
}
