//! The readers of context files over the repository's nodes, and over other people's where they are
//! at hand: those are not published, and the tests say so where they are absent.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test says what is wrong by failing")]

use std::fs;
use std::path::PathBuf;

use hookwalk::{Host, InterfaceAddress, RouteKind, RouteTableId, RoutingAction, context};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn node(name: &str) -> String {
    fs::read_to_string(root().join("testdata").join(name)).unwrap()
}

/// A file beside a real dump; none where they are not at hand.
fn companion(name: &str) -> Option<String> {
    let text = fs::read_to_string(root().join("../shared/corpus").join(name)).ok();
    if text.is_none() {
        eprintln!("skipped: {name} is not here");
    }
    text
}

#[test]
fn text_and_json_of_one_node_are_equal() {
    for folder in ["docker-ee", "context"] {
        let read = |name: &str| node(&format!("{folder}/{name}"));
        let (text, errors) = context::addresses(&read("ip-addr.txt"));
        assert_eq!(errors, []);
        assert!(!text.is_empty());
        assert_eq!((text, errors), context::addresses(&read("ip-addr.json")));

        let (text, json) = (context::routes(&read("ip-route.txt")), context::routes(&read("ip-route.json")));
        assert!(!text.0.is_empty());
        assert_eq!(text.0, json.0);
        assert_eq!(text.1.len(), json.1.len());

        let (text, json) = (context::rules(&read("ip-rule.txt")), context::rules(&read("ip-rule.json")));
        assert!(!text.0.is_empty());
        assert_eq!(text.0, json.0);
        assert_eq!(text.1.len(), json.1.len());

        let (save, list) = (context::ipsets(&read("ipset.txt")), context::ipsets(&read("ipset-list.txt")));
        assert_eq!(save.0.len(), list.0.len());
        for ((name, save), (listed, list)) in save.0.iter().zip(&list.0) {
            assert_eq!((name, format!("{save:?}")), (listed, format!("{list:?}")));
        }
    }
}

#[test]
fn the_node_of_the_article() {
    let read = |name: &str| node(&format!("docker-ee/{name}"));
    let (addresses, _) = context::addresses(&read("ip-addr.txt"));
    let (routes, errors) = context::routes(&read("ip-route.txt"));
    assert_eq!(errors, []);
    assert_eq!(routes.iter().filter(|route| route.kind == RouteKind::Blackhole).count(), 1);
    assert!(routes.iter().any(|route| route.table == RouteTableId::LOCAL));
    let (rules, errors) = context::rules(&read("ip-rule.txt"));
    assert_eq!(errors, []);
    assert_eq!(rules.iter().map(|rule| rule.priority).collect::<Vec<_>>(), [0, 32766, 32767]);
    let (sets, errors) = context::ipsets(&read("ipset.txt"));
    assert_eq!((sets.len(), errors.len()), (5, 0));
    let (sysctls, errors) = context::sysctls(&read("sysctl.txt"));
    assert_eq!(errors, []);
    let eth0 = "eth0".parse().unwrap();
    assert!(sysctls.forwarding4(eth0) && sysctls.route_localnet(eth0));

    let by_addresses = Host::default().with_interface_addresses(addresses);
    let by_routes = Host::default().with_routes(routes).with_routing_rules(rules);
    for address in ["172.30.4.42", "127.0.0.1", "192.168.200.128", "172.17.255.255", "10.96.0.10", "::1"] {
        let address = address.parse().unwrap();
        assert_eq!(by_addresses.is_local(address), by_routes.is_local(address), "{address}");
    }
    let pools = &sets.iter().find(|(name, _)| *name == "cali40all-ipam-pools").unwrap().1;
    assert!(
        pools.contains("192.168.237.9".parse().unwrap()) && !pools.contains("172.30.4.42".parse().unwrap())
    );
}

#[test]
fn the_nodes_of_kube_proxy() {
    for family in ["4", "6"] {
        let (addresses, errors) =
            context::addresses(&node(&format!("kube-proxy/showcase{family}.ip-addr.txt")));
        assert_eq!(errors, []);
        assert!(addresses.iter().any(|own| own.interface.as_bytes() == b"cni0"));
        let text = node(&format!("kube-proxy/showcase{family}.ip-route.txt"));
        let (routes, errors) = context::routes(&text);
        assert_eq!(errors, []);
        // All lines are routes but the further interfaces of one IPv6 prefix, `fe80::/64`.
        let links = text.lines().filter(|line| line.starts_with("fe80::/64")).count();
        assert_eq!(routes.len(), text.lines().filter(|line| !line.trim().is_empty()).count() - (links - 1));
    }
}

/// Everything that `ip` can be made to print of these: other tables, dead and several next hops,
/// encapsulations, selectors.
#[test]
fn the_node_with_a_bit_of_everything() {
    let (routes, errors) = context::routes(&node("context/ip-route.txt"));
    let unread = ["`tos` of a route", "`from` of a route"];
    assert_eq!(errors.len(), unread.len(), "{errors:?}");
    assert!(errors.iter().zip(unread).all(|(error, start)| error.message.starts_with(start)), "{errors:?}");
    assert!(routes.iter().any(|route| route.table == RouteTableId(77) && route.kind == RouteKind::Blackhole));
    assert!(routes.iter().any(|route| route.next_hops.len() == 2));
    let (rules, errors) = context::rules(&node("context/ip-rule.txt"));
    let unknown = rules.iter().filter(|rule| rule.action == RoutingAction::Unknown).count();
    assert_eq!((rules.len(), unknown, errors.len()), (16, 7, 8), "{errors:?}");
    let (sets, errors) = context::ipsets(&node("context/ipset-list.txt"));
    let names: Vec<String> = sets.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f", "h", "i", "j k", "m"], "{errors:?}");
}

/// How many addresses, and how many lines were not understood.
fn counted(read: &(Vec<InterfaceAddress>, Vec<context::ContextError>)) -> (usize, usize) {
    (read.0.len(), read.1.len())
}

#[test]
fn addresses_of_other_nodes() {
    for (name, expected) in [
        ("host/companions/psa-2016-07.ip-4as.txt", (0, 0)),
        ("host/companions/ugent.ip-4as.txt", (0, 0)),
        ("host/companions/stettenstr.ip-addr.txt", (0, 0)),
        ("iptables-S/companions/eks-awsvpccni.ip-a.txt", (0, 0)),
        ("huge/companions/tum-ip-addr-2016-06-27_16-29-01.txt", (0, 0)),
        ("huge/companions/tum-ip6-addr-2016-06-27_16-29-01.txt", (0, 0)),
        // One address is masked in each.
        ("host/companions/home-user.ip-addr.txt", (0, 1)),
        ("host/companions/synology-2016.ip-addr.txt", (0, 1)),
    ] {
        let Some(text) = companion(name) else { continue };
        let lines = text.lines().filter(|line| line.trim_start().starts_with("inet")).count();
        let read = context::addresses(&text);
        assert_eq!(counted(&read), (lines - expected.1, expected.1), "{name}: {:?}", read.1);
    }
}

#[test]
fn routes_of_other_nodes() {
    for name in [
        "host/companions/stettenstr.ip-route.txt",
        "host/companions/synology-2016.ip-route.txt",
        "iptables-S/companions/eks-awsvpccni.ip-route.txt",
        "huge/companions/tum-ip-route-2016-06-27_16-29-01.txt",
        "huge/companions/tum-ip-route-500-2016-06-27_16-29-01.txt",
        "huge/companions/tum-ip6-route-2016-06-27_16-29-01.txt",
    ] {
        let Some(text) = companion(name) else { continue };
        let (routes, errors) = context::routes(&text);
        assert_eq!(errors, [], "{name}");
        let lines =
            text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("fe80::/64")).count();
        assert!(routes.len() >= lines, "{name}: {} routes of {lines} lines", routes.len());
    }
}

#[test]
fn rules_of_other_nodes() {
    for (name, expected) in [
        ("host/companions/stettenstr.ip-rule.txt", 6),
        ("huge/companions/tum-ip-rule-2016-06-27_16-29-01.txt", 9),
    ] {
        let Some(text) = companion(name) else { continue };
        let (rules, errors) = context::rules(&text);
        assert_eq!((rules.len(), errors.len()), (expected, 0), "{name}: {errors:?}");
    }
    if let Some(text) = companion("iptables-S/companions/eks-trunk.ip-rule-route.txt") {
        assert_eq!(context::rules(&text).0.len(), 10);
        // The tables are named by the commands above them alone.
        let (routes, _) = context::routes(&text);
        let of = |table: u32| routes.iter().filter(|route| route.table == RouteTableId(table)).count();
        assert_eq!((of(254), of(101), of(102)), (5, 3, 3));
    }
}

#[test]
fn sets_of_other_nodes() {
    let Some(text) = companion("kube-ipvs/companions/calico-vxlan.ipset-list.txt") else { return };
    let (sets, errors) = context::ipsets(&text);
    let listed = text.lines().filter(|line| line.starts_with("Name:")).count();
    assert_eq!(sets.len() + errors.len(), listed, "{errors:?}");
    assert!(errors.iter().all(|error| error.message.contains("is not known")), "{errors:?}");
}
