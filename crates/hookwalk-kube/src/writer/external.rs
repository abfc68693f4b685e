//! `KUBE-EXT-*` and `KUBE-FW-*`: traffic to a Service's external addresses, from 1.24 on.

use super::Config;
use super::balance::comment;
use super::ports::ServicePort;
use super::rules::Tables;
use super::service::{Ways, has_last_word};

/// `KUBE-EXT-*`
pub(super) fn write(port: &ServicePort, config: &Config, ways: &Ways, out: &mut Tables) {
    let Ways { ext, svc, .. } = ways;
    let there = format!("traffic for {} external destinations", port.name);
    if port.external_local {
        // Pods and the node itself are not outside: all endpoints serve them.
        if config.local_detector.is_there() {
            let said = comment(&format!("pod {there}"));
            let from = config.local_detector.local();
            out.nat(ext, format!("{said}{} -j {svc}", from.trim_start()));
        }
        let local = "-m addrtype --src-type LOCAL";
        out.nat(ext, format!("{}{local} -j KUBE-MARK-MASQ", comment(&format!("masquerade LOCAL {there}"))));
        out.nat(ext, format!("{}{local} -j {svc}", comment(&format!("route LOCAL {there}"))));
    } else {
        out.nat(ext, format!("{}-j KUBE-MARK-MASQ", comment(&format!("masquerade {there}"))));
    }
    if ways.has_external {
        out.nat(ext, format!("-j {}", ways.outside(port)));
    }
}

/// `KUBE-FW-*`: which sources may go on to `KUBE-EXT-*`.
pub(super) fn wall(port: &ServicePort, config: &Config, ways: &Ways, out: &mut Tables) {
    let Ways { wall, ext, .. } = ways;
    let said = comment(&format!("{} loadbalancer IP", port.name));
    // Traffic of the node to a balancer's address that the node holds comes from that very address.
    let node = config.node_ip.is_some_and(|ip| port.source_ranges.iter().any(|range| range.contains(ip)));
    let rounds = if config.version.drops_by_mark() {
        // Up to 1.24 the chain is written once for each address, drops in the middle included.
        port.balancers.iter().map(std::slice::from_ref).collect()
    } else {
        vec![port.balancers.as_slice()]
    };
    for balancers in rounds {
        for range in &port.source_ranges {
            out.nat(wall, format!("{said}-s {range} -j {ext}"));
        }
        for ip in balancers.iter().filter(|_| node) {
            out.nat(wall, format!("{said}-s {ip} -j {ext}"));
        }
        if config.version.drops_by_mark() {
            out.nat(wall, format!("{said}-j KUBE-MARK-DROP"));
        }
    }
    if has_last_word(config) {
        let last = format!("other traffic to {} will be dropped by KUBE-PROXY-FIREWALL", port.name);
        out.nat(wall, comment(&last).trim_end().to_owned());
    }
}
