//! The rules of one service port up to 1.23: external masquerading in `KUBE-SVC-*`, Local traffic
//! through `KUBE-XLB-*`, and a `KUBE-FW-*` for every load balancer.

use super::Config;
use super::balance::{choose, comment, endpoints};
use super::config::Version;
use super::ports::{Backend, ServicePort};
use super::rules::{TableName, Tables};
use super::service::at;
use hookwalk_parser::types::Family;

pub(super) fn write(port: &ServicePort, config: &Config, out: &mut Tables) {
    // An internal policy of Local hides every other endpoint, unless the external one is Local too.
    let hides = port.internal_local && !port.external_local;
    let ready: Vec<&Backend> = port.ready().filter(|e| !hides || e.is_local).collect();
    let local: Vec<&Backend> = ready.iter().copied().filter(|e| e.is_local).collect();
    if ready.is_empty() {
        refuse(port, out);
        health_check(port, out);
        return;
    }
    let chains = [
        format!("KUBE-SVC-{}", port.hash),
        format!("KUBE-XLB-{}", port.hash),
        format!("KUBE-FW-{}", port.hash),
    ];
    out.chain(TableName::Nat, &chains[0]);
    capture(port, config, &chains, out);
    health_check(port, out);

    let [svc, xlb, _] = &chains;
    let is_large = out.is_large;
    let plain = |_: Option<usize>, _: &Backend| if is_large { String::new() } else { comment(&port.name) };
    choose(port, svc, &ready, plain, out);
    endpoints(port, &ready, out);
    if port.external_local {
        local_policy(port, config, xlb, svc, &local, out);
    }
}

fn capture(port: &ServicePort, config: &Config, [svc, xlb, wall]: &[String; 3], out: &mut Tables) {
    let spn = &port.name;
    let detector = &config.local_detector;
    let outside = if port.external_local { xlb } else { svc };
    let inside = format!("{}{}", comment(&format!("{spn} cluster IP")), at(port, port.cluster_ip));
    if config.masquerade_all {
        out.nat(svc, format!("{inside} -j KUBE-MARK-MASQ"));
    } else if detector.is_there() {
        out.nat(svc, format!("{inside}{} -j KUBE-MARK-MASQ", detector.not_local()));
    }
    out.nat("KUBE-SERVICES", format!("{inside} -j {svc}"));
    for &ip in &port.external_ips {
        let there = format!("{}{}", comment(&format!("{spn} external IP")), at(port, ip));
        if !port.external_local {
            out.nat(svc, format!("{there}{} -j KUBE-MARK-MASQ", detector.not_local()));
        }
        out.nat("KUBE-SERVICES", format!("{there} -j {outside}"));
    }
    for &ip in &port.balancers {
        let said = comment(&format!("{spn} loadbalancer IP"));
        out.nat("KUBE-SERVICES", format!("{said}{} -j {wall}", at(port, ip)));
        if !port.external_local {
            out.nat(wall, format!("{said}-j KUBE-MARK-MASQ"));
        }
        if port.source_ranges.is_empty() {
            out.nat(wall, format!("{said}-j {outside}"));
        }
        for range in &port.source_ranges {
            out.nat(wall, format!("{said}-s {range} -j {outside}"));
        }
        if config.node_ip.is_some_and(|node| port.source_ranges.iter().any(|range| range.contains(node))) {
            out.nat(wall, format!("{said}-s {ip} -j {outside}"));
        }
        out.nat(wall, format!("{said}-j KUBE-MARK-DROP"));
    }
    if let Some(node_port) = port.node_port {
        let protocol = port.protocol;
        let there = format!("{}-m {protocol} -p {protocol} --dport {node_port}", comment(spn));
        if port.external_local {
            let localhost = if config.family == Family::V4 { "127.0.0.0/8" } else { "::1/128" };
            out.nat("KUBE-NODEPORTS", format!("{there} -s {localhost} -j KUBE-MARK-MASQ"));
        } else {
            out.nat(svc, format!("{there} -j KUBE-MARK-MASQ"));
        }
        out.nat("KUBE-NODEPORTS", format!("{there} -j {outside}"));
    }
}

fn refuse(port: &ServicePort, out: &mut Tables) {
    let said = comment(&format!("{} has no endpoints", port.name));
    let mut add = |chain: &str, matches: String| out.filter(chain, format!("{said}{matches} -j REJECT"));
    add("KUBE-SERVICES", at(port, port.cluster_ip));
    for &ip in port.external_ips.iter().chain(&port.balancers) {
        add("KUBE-EXTERNAL-SERVICES", at(port, ip));
    }
    if let Some(node_port) = port.node_port {
        let protocol = port.protocol;
        let matches = format!("-m addrtype --dst-type LOCAL -m {protocol} -p {protocol} --dport {node_port}");
        add("KUBE-EXTERNAL-SERVICES", matches);
    }
}

fn health_check(port: &ServicePort, out: &mut Tables) {
    if let Some(health) = port.health_check {
        let said = comment(&format!("{} health check node port", port.name));
        out.filter("KUBE-NODEPORTS", format!("{said}-m tcp -p tcp --dport {health} -j ACCEPT"));
    }
}

/// `KUBE-XLB-*`
fn local_policy(
    port: &ServicePort,
    config: &Config,
    xlb: &str,
    svc: &str,
    local: &[&Backend],
    out: &mut Tables,
) {
    let spn = &port.name;
    if config.local_detector.is_there() {
        let said = comment("Redirect pods trying to reach external loadbalancer VIP to clusterIP");
        out.nat(xlb, format!("{said}{} -j {svc}", config.local_detector.local().trim_start()));
    }
    let from_node = "-m addrtype --src-type LOCAL";
    let said = comment(&format!("masquerade LOCAL traffic for {spn} LB IP"));
    out.nat(xlb, format!("{said}{from_node} -j KUBE-MARK-MASQ"));
    let said = comment(&format!("route LOCAL traffic for {spn} LB IP to service chain"));
    out.nat(xlb, format!("{said}{from_node} -j {svc}"));
    if local.is_empty() {
        out.nat(xlb, format!("{}-j KUBE-MARK-DROP", comment(&format!("{spn} has no local endpoints"))));
        return;
    }
    let is_large = out.is_large;
    let is_numbered = config.version == Version::V1_22;
    let say = |at: Option<usize>, _: &Backend| match at.filter(|_| is_numbered) {
        Some(at) => comment(&format!("Balancing rule {at} for {spn}")),
        None if is_large => String::new(),
        None => comment(spn),
    };
    choose(port, xlb, local, say, out);
}
