//! What a node keeps from one packet to the next, and what it starts with.

use hookwalk_testkit::Family;
use hookwalk_testkit::kernel::{Backend, Counters, Error, Hook, Injection, Namespace};
use hookwalk_testkit::packets::{PacketSpec, flag};
use hookwalk_testkit::topology::{Interface, Topology};

use crate::{SERVICE, dropped, ends, forwarded, has_kernel, on_nodes, on_nodes_like, send, to};

#[test]
fn connections_stay_within_a_session_only() {
    on_nodes(SERVICE, |node, backend| {
        let first = Injection::of(&to([10, 96, 0, 10]));
        for _ in 0..2 {
            let seen = node.send(first.clone()).unwrap();
            assert_eq!(seen.matched_rules(backend).len(), 7, "new each time");
        }
        assert!(node.send_within_session(first.clone()).unwrap().connection.is_some());
        let second = node.send_within_session(first.clone()).unwrap();
        assert_eq!(
            (second.matched_rules(backend).len(), second.connection),
            (0, None),
            "nat is for the first packet"
        );
        assert_eq!(ends(&second), "10.2.0.1:40000 > 10.2.0.7:8080");
        let answer = PacketSpec {
            in_iface: Some("tun2".into()),
            src: [10, 2, 0, 7].into(),
            dst: [10, 2, 0, 1].into(),
            sport: 8080,
            dport: 40000,
            flags: flag::SYN | flag::ACK,
            ..Default::default()
        };
        let answer = node.send_within_session(Injection::of(&answer)).unwrap();
        assert_eq!(answer.verdict, forwarded("tun1"));
        assert_eq!(ends(&answer), "10.96.0.10:80 > 10.1.0.5:40000");
        node.forget_connections().unwrap();
        assert!(node.send(first.clone()).unwrap().connection.is_some());
    });
}

#[test]
fn nat_without_tracked_connections_is_not_consulted() {
    let rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp\nCOMMIT\n";
    let untracked = Topology { track_connections: false, ..Topology::default() };
    on_nodes_like(&untracked, rules, |node, backend| {
        assert!(send(node, &to([10, 2, 0, 7])).steps.is_empty());
        let asking = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m conntrack --ctstate INVALID\nCOMMIT\n";
        node.load(backend, Family::V4, &format!("{rules}{asking}")).unwrap();
        assert_eq!(send(node, &to([10, 2, 0, 7])).matched_rules(backend), ["nat/PREROUTING/1"]);
    });
    on_nodes(rules, |node, backend| {
        assert_eq!(send(node, &to([10, 2, 0, 7])).matched_rules(backend), ["nat/PREROUTING/1"]);
    });
}

#[test]
fn loading_replaces_everything_of_the_backend() {
    on_nodes(SERVICE, |node, backend| {
        assert_eq!(send(node, &to([10, 96, 0, 10])).verdict, forwarded("tun2"));
        node.load(backend, Family::V4, "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n").unwrap();
        let seen = send(node, &to([10, 96, 0, 10]));
        assert_eq!((&seen.verdict, seen.matched_rules(backend).len()), (&dropped(Hook::Forward), 0));
        assert_eq!(seen.counts(backend), node.save_counters(backend, Family::V4).unwrap());
        let error = node.load(backend, Family::V4, "*filter\n-A FORWARD -j NOWHERE\nCOMMIT\n").unwrap_err();
        assert!(matches!(error, Error::Command { .. }), "{error}");
    });
}

#[test]
fn both_backends_on_one_node() {
    on_nodes("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp\nCOMMIT\n", |node, backend| {
        let other = if backend == Backend::Nft { Backend::Legacy } else { Backend::Nft };
        node.load(
            other,
            Family::V4,
            "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD\n-A FORWARD -d 10.2.0.7/32\nCOMMIT\n",
        )
        .unwrap();
        let seen = send(node, &to([10, 2, 0, 7]));
        assert_eq!(seen.matched_rules(backend), ["filter/FORWARD/1"]);
        assert_eq!(seen.matched_rules(other), ["filter/FORWARD/1", "filter/FORWARD/2"]);
        let order: Vec<Backend> = seen.steps.iter().map(|step| step.backend).collect();
        assert_eq!(order.first(), Some(&other), "of equal priorities the one registered last runs first");
    });
}

#[test]
fn a_node_has_the_interfaces_it_was_given() {
    if !has_kernel() {
        return;
    }
    let subnet = Topology::default().subnets(Family::V4).next().unwrap();
    let interfaces = vec![Interface { name: "cali0123456789a".into(), addresses: vec![subnet] }];
    let node = Namespace::open(&Topology { interfaces, routes: vec![], ..Topology::default() }).unwrap();
    assert!(node.command("ip", &["-o", "addr"]).unwrap().contains("cali0123456789a"));
    let nowhere = Injection::Arrives { interface: "eth9".into(), packet: to([10, 0, 0, 9]).to_bytes() };
    assert!(matches!(node.send(nowhere), Err(Error::NoInterface(name)) if name == "eth9"));
    let short = Injection::Sent { packet: vec![0x45], mark: 0 };
    assert!(matches!(node.send(short), Err(Error::NotIp(_))));
    assert!(matches!(node.command("false", &[]), Err(Error::Command { .. })));
    assert_eq!(node.save_counters(Backend::Nft, Family::V4).unwrap(), Counters::default());
    assert_eq!(node.run(|| 6 * 7).unwrap(), 42);
}
