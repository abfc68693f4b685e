//! The writer's rules are those of real kube-proxies, chain by chain.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong, and says when it is skipped"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hookwalk_kube::objects::Objects;
use hookwalk_kube::writer::{Config, KubeProxy, KubeRules, LocalDetector, Version};
use hookwalk_parser::types::Family;
use hookwalk_parser::{Backend, Reader};

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// A file of the folder of shared dumps; without it a test is skipped, but not where everything must run.
fn shared(name: &str) -> Option<String> {
    let path = here("../shared/kube-proxy").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(_) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no {}", path.display());
            eprintln!("skipped: there is no {}", path.display());
            None
        }
    }
}

fn written(config: &Config, objects: &str) -> KubeRules {
    let (objects, errors) = Objects::read(objects);
    assert_eq!(errors, []);
    KubeProxy::new(config.clone()).rules(&objects.services, &objects.slices)
}

/// A dump as it can be compared: table and chain to the rules, by the Service they name where the
/// chain holds all Services, whose order is by chance.
fn by_chain(save: &str) -> BTreeMap<String, Vec<String>> {
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = "";
    for line in save.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(declared) = line.strip_prefix(':') {
            let (name, policy) = declared.split_once(' ').unwrap();
            chains.entry(format!("{table}/{name}")).or_default().push(policy.into());
        } else if let Some(rule) = line.strip_prefix("-A ") {
            let (chain, rule) = rule.split_once(' ').unwrap();
            let service = match chain {
                "KUBE-SERVICES" | "KUBE-NODEPORTS" | "KUBE-EXTERNAL-SERVICES" | "KUBE-PROXY-FIREWALL" => {
                    rule.split_once("--comment \"").unwrap().1.split([' ', '"']).next().unwrap()
                }
                _ => "",
            };
            chains.entry(format!("{table}/{chain} {service}")).or_default().push(rule.into());
        }
    }
    chains
}

fn assert_same(name: &str, ours: &str, real: &str) {
    let (mut ours, real) = (by_chain(ours), by_chain(real));
    for (chain, rules) in &real {
        assert_eq!(ours.remove(chain).as_ref(), Some(rules), "{name}: {chain}");
    }
    assert!(ours.is_empty(), "{name}: not in the real one: {ours:#?}");
}

/// The node whose dumps are shared.
fn node_a(version: Version) -> Config {
    let mut config = Config::new(version);
    config.node_ip = "192.168.50.10".parse().ok();
    config.local_detector = LocalDetector::Cidr("10.0.0.0/8".parse().unwrap());
    config
}

#[test]
fn real_dumps_are_reproduced() {
    let dumps = [
        (Version::V1_24, "k8s-1.24-legacy-showcase-v4.save"),
        (Version::V1_27, "k8s-1.27-legacy-showcase-v4.save"),
        (Version::V1_30, "k8s-1.30.3-legacy-showcase-v4.save"),
        (Version::V1_22, "k8s-1.22-legacy-showcase-v4.save"),
    ];
    for (version, dump) in dumps {
        let (Some(objects), Some(real)) = (shared("showcase4.json"), shared(dump)) else { return };
        assert_same(dump, &written(&node_a(version), &objects).save(), &real);
    }
    let nft = "k8s-1.30.3-nft-showcase-v4.save";
    let ours = written(&node_a(Version::V1_30), &shared("showcase4.json").unwrap()).save_of(Backend::Nft);
    assert_same(nft, &ours, &shared(nft).unwrap());
    let rich = "k8s-1.30.3-legacy-rich100-v4.save";
    let ours = written(&node_a(Version::V1_30), &shared("rich4.json").unwrap()).save();
    assert_same(rich, &ours, &shared(rich).unwrap());
}

#[test]
fn real_dump_of_ipv6_is_reproduced() {
    let dump = "k8s-1.30.3-legacy-showcase-v6.save";
    let (Some(objects), Some(real)) = (shared("showcase6.json"), shared(dump)) else { return };
    let mut config = Config::new(Version::V1_30);
    config.family = Family::V6;
    config.node_ip = "fd00:50::10".parse().ok();
    config.local_detector = LocalDetector::Cidr("fd00:10::/64".parse().unwrap());
    assert_same(dump, &written(&config, &objects).save(), &real);
}

/// The order of chains, of tables and of the built-in jumps, which the comparison by chain leaves open.
#[test]
fn all_but_the_order_of_services_stands_where_iptables_save_puts_it() {
    let (Some(objects), Some(real)) =
        (shared("showcase4.json"), shared("k8s-1.30.3-legacy-showcase-v4.save"))
    else {
        return;
    };
    let ours = written(&node_a(Version::V1_30), &objects).save();
    let skeleton = |text: &str| -> Vec<String> {
        let chain_of = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = text.lines().filter(|l| !l.starts_with('#')).map(chain_of).collect();
        lines.dedup();
        lines
    };
    assert_eq!(skeleton(&ours), skeleton(&real));
}

#[test]
fn the_published_showcase_is_reproduced() {
    for (family, node_ip, cidr) in [(4, "192.0.2.10", "10.64.0.0/16"), (6, "2001:db8::10", "fd00:64::/48")] {
        let objects =
            std::fs::read_to_string(here(&format!("testdata/kube-proxy/showcase{family}-objects.json")));
        let rules =
            std::fs::read_to_string(here(&format!("testdata/kube-proxy/showcase{family}.rules"))).unwrap();
        let mut config = Config::new(Version::V1_30);
        config.node_name = "node-1".into();
        config.node_ip = node_ip.parse().ok();
        config.local_detector = LocalDetector::Cidr(cidr.parse().unwrap());
        config.family = if family == 4 { Family::V4 } else { Family::V6 };
        let ours = written(&config, &objects.unwrap());
        let dump = Reader::new().family(config.family).backend(Backend::Legacy).parse(rules);
        assert_same("showcase", &ours.save(), &String::from_utf8(dump.canonical()).unwrap());
    }
}
