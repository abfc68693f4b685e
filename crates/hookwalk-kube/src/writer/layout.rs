//! The chains and rules that are there without any Service, and the jumps from built-in chains.

use std::net::IpAddr;

use hookwalk_parser::types::Family;

use super::rules::{TableName, Tables};
use super::{Config, Version};
use TableName::{Filter, Mangle, Nat};

const NEW: &str = "-m conntrack --ctstate NEW ";
const PORTALS: &str = "-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";
const EXTERNAL: &str =
    "-m comment --comment \"kubernetes externally-visible service portals\" -j KUBE-EXTERNAL-SERVICES";
const WALL: &str = "-m comment --comment \"kubernetes load balancer firewall\" -j KUBE-PROXY-FIREWALL";
const HEALTH: &str = "-m comment --comment \"kubernetes health check service ports\" -j KUBE-NODEPORTS";
const FORWARD: &str = "-m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD";

/// What stands before the Services' own rules.
pub(super) fn head(config: &Config, out: &mut Tables) {
    jumps(config, out);
    for chain in ["NODEPORTS", "SERVICES", "EXTERNAL-SERVICES", "FORWARD"] {
        out.chain(Filter, &format!("KUBE-{chain}"));
    }
    if config.version.has_proxy_firewall() {
        out.chain(Filter, "KUBE-PROXY-FIREWALL");
    }
    for chain in ["NODEPORTS", "SERVICES", "POSTROUTING", "MARK-MASQ"] {
        out.chain(Nat, &format!("KUBE-{chain}"));
    }
    for table in [Filter, Nat, Mangle] {
        out.chain(table, "KUBE-PROXY-CANARY");
    }
    firewall(config, out);
    forward(config, out);
    masquerade(config, out);
}

fn jumps(config: &Config, out: &mut Tables) {
    let (own, walls) = (config.version.has_own_firewall(), config.version.has_proxy_firewall());
    let kubelet = config.kubelet && !own;
    let wall = format!("{NEW}{WALL}");
    let (portals, external) = (format!("{NEW}{PORTALS}"), format!("{NEW}{EXTERNAL}"));
    let lists: [(&'static str, &[(bool, &str)]); 3] = [
        (
            "INPUT",
            &[
                (own, "-j KUBE-FIREWALL"),
                (walls, &wall),
                (true, HEALTH),
                (true, &external),
                (kubelet, "-j KUBE-FIREWALL"),
            ],
        ),
        ("FORWARD", &[(walls, &wall), (true, FORWARD), (true, &portals), (true, &external)]),
        (
            "OUTPUT",
            &[(own, "-j KUBE-FIREWALL"), (walls, &wall), (true, &portals), (kubelet, "-j KUBE-FIREWALL")],
        ),
    ];
    for (chain, list) in lists {
        for (_, rule) in list.iter().filter(|(is_there, _)| *is_there) {
            out.jump(Filter, chain, rule);
        }
    }
    out.jump(Nat, "PREROUTING", PORTALS);
    out.jump(Nat, "OUTPUT", PORTALS);
    out.jump(Nat, "POSTROUTING", "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING");
}

/// `KUBE-FIREWALL` is the kubelet's up to 1.26 and holds its drop by mark as well.
fn firewall(config: &Config, out: &mut Tables) {
    let kubelet = config.kubelet && !config.version.has_own_firewall();
    if kubelet {
        for table in [Filter, Nat, Mangle] {
            out.chain(table, "KUBE-KUBELET-CANARY");
        }
        out.nat("KUBE-MARK-DROP", "-j MARK --or-mark 0x00008000".into());
        out.filter(
            "KUBE-FIREWALL",
            "-m comment --comment \"kubernetes firewall for dropping marked packets\" -m mark \
             --mark 0x00008000/0x00008000 -j DROP"
                .into(),
        );
    } else if config.version.drops_by_mark() {
        out.chain(Nat, "KUBE-MARK-DROP");
    }
    let own = config.version.has_own_firewall();
    if own {
        out.chain(Filter, "KUBE-FIREWALL");
    }
    if config.family == Family::V4 && (kubelet || (own && config.localhost_nodeports)) {
        out.filter(
            "KUBE-FIREWALL",
            "-m comment --comment \"block incoming localnet connections\" -d 127.0.0.0/8 ! -s 127.0.0.0/8 \
             -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
                .into(),
        );
    }
}

fn forward(config: &Config, out: &mut Tables) {
    let mark = config.masquerade_mark();
    if !(config.conntrack_tcp_liberal && config.version.knows_liberal_tcp()) {
        let count =
            if counts(config) { " -m nfacct --nfacct-name ct_state_invalid_dropped_pkts" } else { "" };
        out.filter("KUBE-FORWARD", format!("-m conntrack --ctstate INVALID{count} -j DROP"));
    }
    out.filter(
        "KUBE-FORWARD",
        format!(
            "-m comment --comment \"kubernetes forwarding rules\" -m mark --mark {mark}/{mark} -j ACCEPT"
        ),
    );
    let names: &[&str] = if config.version == Version::V1_22 {
        &["conntrack pod source rule", "conntrack pod destination rule"]
    } else {
        &["conntrack rule"]
    };
    for name in names {
        out.filter(
            "KUBE-FORWARD",
            format!(
                "-m comment --comment \"kubernetes forwarding {name}\" -m conntrack \
                 --ctstate RELATED,ESTABLISHED -j ACCEPT"
            ),
        );
    }
}

fn masquerade(config: &Config, out: &mut Tables) {
    let mark = config.masquerade_mark();
    let random = if config.random_fully { " --random-fully" } else { "" };
    out.nat("KUBE-POSTROUTING", format!("-m mark ! --mark {mark}/{mark} -j RETURN"));
    out.nat("KUBE-POSTROUTING", format!("-j MARK --xor-mark {mark}"));
    out.nat(
        "KUBE-POSTROUTING",
        format!("-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE{random}"),
    );
    out.nat("KUBE-MARK-MASQ", format!("-j MARK --or-mark {mark}"));
}

/// Whether rules count by nfacct.
pub(super) fn counts(config: &Config) -> bool {
    config.nfacct && config.version.knows_nfacct()
}

/// What stands behind the Services' own rules: the way to the node ports.
pub(super) fn tail(config: &Config, out: &mut Tables) {
    let mut add = |destination: String| {
        out.nat(
            "KUBE-SERVICES",
            format!(
                "-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this \
                 chain\" {destination} -j KUBE-NODEPORTS"
            ),
        );
    };
    let Some(addresses) = &config.nodeport_addresses else {
        let except = match config.family {
            _ if !config.version.excepts_localhost() => "",
            Family::V6 => " ! -d ::1/128",
            Family::V4 if !config.localhost_nodeports => " ! -d 127.0.0.0/8",
            Family::V4 => "",
        };
        return add(format!("-m addrtype --dst-type LOCAL{except}"));
    };
    let is_written = |ip: &&IpAddr| {
        let on_localhost = config.family == Family::V4 && config.localhost_nodeports;
        Family::of(**ip) == config.family
            && (!ip.is_loopback() || on_localhost || !config.version.excepts_localhost())
    };
    for ip in addresses.iter().filter(is_written) {
        add(format!("-d {ip}"));
    }
}
