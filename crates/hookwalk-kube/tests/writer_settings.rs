//! What settings and versions change in the rules; syncs from one set of rules to the next.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop where it is wrong"
)]

use hookwalk_kube::objects::{
    Endpoint, EndpointPort, EndpointSlice, IpMode, LoadBalancerIngress, Service, ServicePort, ServiceType,
    TrafficPolicy,
};
use hookwalk_kube::writer::{Config, KubeProxy, KubeRules, LocalDetector, Version};
use hookwalk_parser::types::{Family, Protocol};
use hookwalk_parser::{Backend, Reader};

/// A Service with everything, `shop/web:http` at 10.96.0.20, and its slice: node-a and node-b.
fn web() -> (Service, EndpointSlice) {
    let service = Service {
        service_type: ServiceType::LoadBalancer,
        cluster_ips: vec!["10.96.0.20".parse().unwrap(), "fd00:96::20".parse().unwrap()],
        ports: vec![ServicePort {
            name: "http".into(),
            node_port: Some(30080),
            ..ServicePort::new(Protocol::TCP, 80)
        }],
        external_ips: vec!["198.51.100.20".parse().unwrap()],
        load_balancer: vec![
            LoadBalancerIngress { ip: "203.0.113.20".parse().unwrap(), mode: IpMode::Vip },
            LoadBalancerIngress { ip: "203.0.113.21".parse().unwrap(), mode: IpMode::Proxy },
        ],
        source_ranges: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/64".parse().unwrap()],
        ..Service::new("shop", "web")
    };
    (service, slice("web", &[("10.0.1.2", "node-a"), ("10.0.2.2", "node-b")]))
}

fn slice(service: &str, endpoints: &[(&str, &str)]) -> EndpointSlice {
    EndpointSlice {
        namespace: "shop".into(),
        name: format!("{service}-x"),
        service: service.into(),
        ports: vec![EndpointPort { name: "http".into(), ..EndpointPort::new(Protocol::TCP, 8080) }],
        endpoints: endpoints.iter().map(|(ip, node)| Endpoint::new(ip.parse().unwrap()).on(*node)).collect(),
        ..EndpointSlice::default()
    }
}

fn config(version: Version) -> Config {
    let mut config = Config::new(version);
    config.node_ip = "192.0.2.10".parse().ok();
    config.local_detector = LocalDetector::Cidr("10.0.0.0/8".parse().unwrap());
    config
}

fn rules(config: Config, service: &Service, slice: &EndpointSlice) -> String {
    KubeProxy::new(config).rules(std::slice::from_ref(service), std::slice::from_ref(slice)).save()
}

/// The rules of the Service with everything under a setting.
fn with(version: Version, set: impl Fn(&mut Config)) -> String {
    let mut config = config(version);
    set(&mut config);
    let (service, slice) = web();
    rules(config, &service, &slice)
}

fn count(text: &str, what: &str) -> usize {
    text.lines().filter(|line| line.contains(what)).count()
}

#[test]
fn versions_differ_as_their_sources_do() {
    // Which versions have a rule or a chain: from, to, and a part of its line.
    let facts = [
        (22, 33, ":KUBE-FW-"),
        (24, 33, ":KUBE-EXT-"),
        (22, 22, "forwarding conntrack pod source rule"),
        (23, 33, "forwarding conntrack rule"),
        (24, 33, "\"shop/web:http -> 10.0.1.2:8080\""),
        (22, 24, "-j KUBE-MARK-DROP"),
        (25, 33, "traffic not accepted by KUBE-FW-"),
        (25, 33, "-j KUBE-PROXY-FIREWALL"),
        (27, 33, "other traffic to shop/web:http will be dropped by KUBE-PROXY-FIREWALL"),
        (22, 26, ":KUBE-MARK-DROP"),
        (22, 26, ":KUBE-KUBELET-CANARY"),
        (22, 33, "block incoming localnet connections"),
        (22, 33, "--ctstate INVALID -j DROP"),
    ];
    for (at, version) in Version::ALL.into_iter().enumerate() {
        let text = with(version, |_| ());
        for (from, to, part) in facts {
            let expected = (from..=to).contains(&(at + 22));
            assert_eq!(text.contains(part), expected, "{version}: {part}");
        }
        assert!(Reader::new().parse(text).diagnostics().is_empty(), "{version}");
    }
}

#[test]
fn load_balancer_addresses_of_mode_proxy_are_left_out_from_1_30_on() {
    assert!(with(Version::V1_29, |_| ()).contains("203.0.113.21"));
    assert!(!with(Version::V1_30, |_| ()).contains("203.0.113.21"));
}

#[test]
fn the_local_detector_says_what_is_masqueraded() {
    let detectors = [
        (LocalDetector::Cidr("10.0.0.0/8".parse().unwrap()), "! -s 10.0.0.0/8 -d 10.96.0.20/32 -p tcp"),
        (LocalDetector::Bridge("cni0".into()), "-d 10.96.0.20/32 ! -i cni0 -p tcp"),
        (LocalDetector::InterfacePrefix("veth".into()), "-d 10.96.0.20/32 ! -i veth+ -p tcp"),
    ];
    for (detector, matches) in detectors {
        let text = with(Version::V1_30, |config| config.local_detector = detector.clone());
        assert_eq!(count(&text, matches), 1, "{detector:?}: {text}");
    }
    let none = with(Version::V1_30, |config| config.local_detector = LocalDetector::None);
    assert_eq!(count(&none, "cluster IP\" -m tcp --dport 80 -j KUBE-MARK-MASQ"), 0);
    let all = with(Version::V1_30, |config| config.masquerade_all = true);
    assert_eq!(count(&all, " -d 10.96.0.20/32 -p tcp"), 2);
    assert_eq!(count(&all, "! -s 10.0.0.0/8"), 0);
}

#[test]
fn local_pods_of_each_detector_go_to_all_endpoints() {
    let (mut service, slice) = web();
    service.external_policy = TrafficPolicy::Local;
    for (detector, matches) in [
        (LocalDetector::Bridge("cni0".into()), Some("-i cni0 -m comment --comment \"pod traffic")),
        (LocalDetector::InterfacePrefix("veth".into()), Some("-i veth+ -m comment --comment \"pod traffic")),
        (LocalDetector::None, None),
    ] {
        let mut config = config(Version::V1_30);
        config.local_detector = detector;
        let text = rules(config, &service, &slice);
        assert_eq!(count(&text, "pod traffic"), usize::from(matches.is_some()));
        assert!(matches.is_none_or(|matches| text.contains(matches)), "{text}");
    }
}

#[test]
fn flags_change_the_rules_that_are_theirs() {
    let tail = |text: &str| {
        let line = text.lines().find(|line| line.contains("NOTE: this must be the last rule")).unwrap();
        line.replace("-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" ", "")
    };
    let off = |config: &mut Config| config.localhost_nodeports = false;
    let text = with(Version::V1_30, off);
    assert_eq!(
        tail(&text),
        "-A KUBE-SERVICES ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
    );
    assert!(!text.contains("block incoming localnet"));
    assert_eq!(
        tail(&with(Version::V1_25, off)),
        "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
    );

    let text = with(Version::V1_30, |config| {
        config.nodeport_addresses = Some(vec![
            "192.0.2.10".parse().unwrap(),
            "127.0.0.1".parse().unwrap(),
            "fd00::1".parse().unwrap(),
        ]);
    });
    assert_eq!(count(&text, "this must be the last rule"), 2);
    assert!(text.contains("-A KUBE-SERVICES -d 127.0.0.1/32 -m comment"));
    assert!(!text.contains("--dst-type"));

    let text = with(Version::V1_30, |config| {
        (config.masquerade_bit, config.random_fully) = (20, false);
    });
    assert!(text.contains("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x100000/0x100000"));
    assert!(text.contains("-A KUBE-POSTROUTING -j MARK --set-xmark 0x100000/0x0"));
    assert!(text.contains("requiring SNAT\" -j MASQUERADE\n"));

    let liberal = |config: &mut Config| config.conntrack_tcp_liberal = true;
    assert!(!with(Version::V1_29, liberal).contains("INVALID"));
    assert!(with(Version::V1_28, liberal).contains("INVALID"), "1.28 does not look");

    let counted = |config: &mut Config| config.nfacct = true;
    let text = with(Version::V1_33, counted);
    assert!(text.contains(
        "-m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP"
    ));
    assert!(text.contains(
        "-A KUBE-NODEPORTS -d 127.0.0.0/8 -p tcp -m comment --comment \"shop/web:http\" -m tcp --dport 30080 \
         -m nfacct --nfacct-name  localhost_nps_accepted_pkts -j KUBE-EXT-"
    ));
    assert!(!with(Version::V1_30, counted).contains("nfacct"));

    let bare = with(Version::V1_24, |config| config.kubelet = false);
    assert!(bare.contains(":KUBE-MARK-DROP") && !bare.contains("-A KUBE-MARK-DROP"), "{bare}");
}

#[test]
fn large_clusters_have_fewer_comments() {
    let text = with(Version::V1_30, |config| config.large_cluster_endpoints = 1);
    assert_eq!(count(&text, "->"), 0);
    assert!(text.contains(" -s 10.0.1.2/32 -j KUBE-MARK-MASQ"));
    assert!(text.contains("shop/web:http cluster IP"));
    assert!(with(Version::V1_30, |config| config.large_cluster_endpoints = 2).contains("->"));
}

#[test]
fn terminating_endpoints_serve_when_none_is_ready() {
    let (mut service, mut slice) = web();
    slice.endpoints = vec![
        Endpoint::new("10.0.1.2".parse().unwrap()).on("node-a").terminating(true),
        Endpoint::new("10.0.1.3".parse().unwrap()).on("node-a").terminating(false),
        Endpoint::new("10.0.2.2".parse().unwrap()).on("node-b"),
    ];
    let text = rules(config(Version::V1_30), &service, &slice);
    assert!(!text.contains("10.0.1.2") && text.contains("-> 10.0.2.2:8080"));
    service.external_policy = TrafficPolicy::Local;
    let text = rules(config(Version::V1_30), &service, &slice);
    assert!(text.contains("KUBE-SVL-") && text.contains("-> 10.0.1.2:8080") && !text.contains("10.0.1.3"));
    slice.endpoints.pop();
    let text = rules(config(Version::V1_30), &service, &slice);
    assert_eq!(count(&text, "REJECT"), 0);
    let text = rules(config(Version::V1_25), &service, &slice);
    assert_eq!(count(&text, "REJECT"), 5, "1.25 knows ready endpoints alone, and two balancer addresses");
}

#[test]
fn endpoint_hashes_are_of_the_address_as_written_up_to_1_32() {
    let (service, mut slice) = web();
    slice.endpoints[0].written = Some("010.0.01.2".into());
    let chains = |version| {
        let text = rules(config(version), &service, &slice);
        assert!(text.contains("--to-destination 10.0.1.2:8080"), "{text}");
        text.lines().filter(|l| l.starts_with(":KUBE-SEP")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (_, plain) = web();
    let canonical = rules(config(Version::V1_33), &service, &plain);
    assert!(chains(Version::V1_33).iter().all(|chain| canonical.contains(chain)));
    assert!(chains(Version::V1_32).iter().any(|chain| !canonical.contains(chain)));
}

#[test]
fn endpoints_of_two_slices_and_services_of_two_kinds_count_once() {
    let (service, slice) = web();
    let proxy = KubeProxy::new(config(Version::V1_30));
    let once = proxy.rules(std::slice::from_ref(&service), std::slice::from_ref(&slice)).save();
    let twice = proxy.rules(&[service.clone(), service], &[slice.clone(), slice]).save();
    assert_eq!(once, twice);
}

#[test]
fn ipv6_takes_what_is_ipv6() {
    let (service, _) = web();
    let mut v6 = config(Version::V1_30);
    v6.family = Family::V6;
    v6.local_detector = LocalDetector::Cidr("fd00:10::/64".parse().unwrap());
    let mut slice = slice("web", &[("fd00:10::2", "node-a")]);
    slice.address_type = hookwalk_kube::objects::AddressType::Ipv6;
    let text = rules(v6, &service, &slice);
    assert!(text.contains("--to-destination [fd00:10::2]:8080"), "{text}");
    assert!(text.contains("! -d ::1/128 -m comment"));
    assert!(!text.contains("203.0.113"));
    assert!(!text.contains("127.0.0.0"));
}

/// The second of two sets of objects: a Service is gone, one has other endpoints, one is new.
fn before_and_after(version: Version) -> (KubeRules, KubeRules) {
    let proxy = KubeProxy::new(config(version));
    let (web, slice_of_web) = web();
    let named = |name: &str, ip: &str| Service {
        cluster_ips: vec![ip.parse().unwrap()],
        ports: vec![ServicePort { name: "http".into(), ..ServicePort::new(Protocol::TCP, 80) }],
        ..Service::new("shop", name)
    };
    let (old, same, new) = (named("old", "10.96.0.1"), named("same", "10.96.0.2"), named("new", "10.96.0.3"));
    let before = proxy.rules(
        &[web.clone(), old, same.clone()],
        &[
            slice_of_web,
            slice("old", &[("10.0.1.7", "node-a")]),
            slice("same", &[("10.0.1.8", "node-a"), ("10.0.2.8", "node-b")]),
        ],
    );
    let after = proxy.rules(
        &[new, web, same],
        &[
            slice("web", &[("10.0.1.3", "node-a"), ("10.0.2.2", "node-b"), ("10.0.3.3", "node-c")]),
            slice("same", &[("10.0.1.8", "node-a"), ("10.0.2.8", "node-b")]),
            slice("new", &[("10.0.1.9", "node-a")]),
        ],
    );
    (before, after)
}

/// What is loaded after `iptables-restore --noflush` took one text after the other.
fn loaded(texts: &[&str]) -> String {
    let dump = Reader::new().family(Family::V4).backend(Backend::Legacy).noflush(true).parse(texts.concat());
    assert_eq!(dump.diagnostics(), []);
    String::from_utf8(dump.canonical()).unwrap()
}

#[test]
fn a_sync_leads_to_the_rules_of_a_fresh_start() {
    for version in Version::ALL {
        let (before, after) = before_and_after(version);
        let full = loaded(&[&before.restore(), &after.full_sync(Some(&before))]);
        assert_eq!(full, after.save(), "{version}");
        let partial = after.partial_sync(&before);
        assert_eq!(loaded(&[&before.restore(), &partial]), full, "{version}");
        assert!(!partial.contains("10.0.1.8"), "what did not change is left alone");
        assert!(partial.contains("-X KUBE-SVC-"), "{partial}");
        assert_eq!(loaded(&[&after.restore(), &after.full_sync(Some(&after))]), full, "{version}");
    }
}

#[test]
fn in_a_large_cluster_stale_chains_stay() {
    let mut large = config(Version::V1_30);
    large.large_cluster_endpoints = 0;
    let proxy = KubeProxy::new(large);
    let (service, slice) = web();
    let before = proxy.rules(std::slice::from_ref(&service), std::slice::from_ref(&slice));
    let (other, other_slice) =
        (Service { name: "other".into(), ..service }, EndpointSlice { service: "other".into(), ..slice });
    let after = proxy.rules(&[other], &[other_slice]);
    assert!(!after.partial_sync(&before).contains("-X"));
}

#[test]
fn jumps_are_made_from_the_last_to_the_first() {
    let (before, _) = before_and_after(Version::V1_30);
    let commands = before.jump_commands();
    assert_eq!(commands.len(), 14);
    assert_eq!(commands.last().unwrap(), "iptables -t filter -I INPUT -j KUBE-FIREWALL");
    let mut made = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n".to_owned();
    for command in commands.iter().filter_map(|command| command.strip_prefix("iptables -t filter ")) {
        made += command;
        made.push('\n');
    }
    made += "COMMIT\n";
    let made = String::from_utf8(Reader::new().parse(made).canonical()).unwrap();
    let whole = before.save();
    for line in made.lines().filter(|line| line.starts_with("-A")) {
        assert!(whole.contains(line), "{line}");
    }
    let jumps = |text: &str| -> Vec<String> {
        text.lines().filter(|l| l.starts_with("-A FORWARD")).map(str::to_owned).collect()
    };
    assert_eq!(jumps(&made), jumps(&whole));
}
