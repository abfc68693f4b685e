//! What becomes of packets.

use std::net::IpAddr;

use hookwalk_testkit::Family;
use hookwalk_testkit::kernel::{At, Hook, Injection, Observation, Place, ReplyKind, Verdict};
use hookwalk_testkit::packets::{PacketSpec, flag, icmp, proto};

use crate::{SERVICE, dropped, ends, forwarded, local_to, on_nodes, send, to};

#[test]
fn dnat_is_forwarded_and_masqueraded() {
    on_nodes(SERVICE, |node, backend| {
        let seen = send(node, &to([10, 96, 0, 10]));
        assert_eq!(seen.verdict, forwarded("tun2"));
        assert_eq!(ends(&seen), "10.2.0.1:40000 > 10.2.0.7:8080");
        assert_eq!(seen.decoded().unwrap().ttl, 63);
        assert_eq!(
            (seen.mark, seen.hooks.as_slice()),
            (0, &[Hook::Prerouting, Hook::Forward, Hook::Postrouting][..])
        );
        let rules = [
            "nat/PREROUTING/1",
            "nat/SERVICES/1",
            "nat/SEP/1",
            "nat/MARK-MASQ/1",
            "nat/SEP/2",
            "nat/POSTROUTING/2",
            "nat/POSTROUTING/3",
        ];
        assert_eq!(seen.matched_rules(backend), rules);
        let marks: Vec<u32> =
            seen.steps.iter().filter(|step| step.rule().is_some()).map(|step| step.mark).collect();
        assert_eq!(marks, [0, 0, 0, 0x4000, 0x4000, 0, 0]);
        let connection = seen.connection.unwrap();
        assert!(connection.dnat && connection.snat);
        assert_eq!((connection.reply.src, connection.reply.sport), (IpAddr::from([10, 2, 0, 7]), 8080));
    });
}

#[test]
fn masquerade_takes_the_address_beside_the_next_hop() {
    let rules = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n";
    on_nodes(rules, |node, _| {
        let source = |dst| send(node, &to(dst)).decoded().unwrap().src.to_string();
        assert_eq!(source([203, 0, 113, 9]), "10.0.0.1");
        assert_eq!(source([192, 0, 2, 9]), "192.0.2.1");
        assert_eq!(source([10, 3, 4, 5]), "10.2.0.1");
    });
}

#[test]
fn policies_drop() {
    let rules = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\nCOMMIT\n";
    on_nodes(rules, |node, backend| {
        for (packet, hook) in [
            (to([10, 2, 0, 7]), Hook::Forward),
            (to([10, 2, 0, 1]), Hook::Input),
            (local_to([10, 2, 0, 7]), Hook::Output),
        ] {
            let seen = send(node, &packet);
            assert_eq!(seen.verdict, dropped(hook), "{packet}");
            let step = seen.decided_by().unwrap();
            assert_eq!((step.chain.as_str(), step.at), (hook.name(), At::Policy));
            assert_eq!(seen.counts(backend).policies.values().sum::<u64>(), 1);
            assert_eq!(seen.refused.is_some(), hook == Hook::Output);
        }
    });
}

#[test]
fn rejections_are_told_apart() {
    let rules = "*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -p udp -j REJECT --reject-with icmp-admin-prohibited
-A OUTPUT -p udp -j REJECT
-A OUTPUT -d 10.1.0.5/32 -p icmp -m icmp --icmp-type 3
COMMIT
";
    on_nodes(rules, |node, backend| {
        let at = |hook| Verdict::Rejected { place: Place::Hook(hook) };
        let reply = |seen: &Observation| (seen.replies[0].kind, seen.replies[0].left_by.clone());
        let icmp = |icmp_code| ReplyKind::Icmp { icmp_type: icmp::UNREACHABLE, icmp_code };

        let tcp = send(node, &to([10, 2, 0, 7]));
        assert_eq!(
            (&tcp.verdict, reply(&tcp)),
            (&at(Hook::Forward), (ReplyKind::TcpReset, Some("tun1".into())))
        );
        let udp = send(node, &PacketSpec { proto: proto::UDP, ..to([10, 2, 0, 7]) });
        assert_eq!((&udp.verdict, reply(&udp)), (&at(Hook::Forward), (icmp(13), Some("tun1".into()))));
        assert_eq!(udp.matched_rules(backend), ["filter/FORWARD/2"], "not the rule that only the reply met");
        let sent = send(node, &PacketSpec { proto: proto::UDP, ..local_to([10, 2, 0, 7]) });
        assert_eq!((&sent.verdict, reply(&sent)), (&at(Hook::Output), (icmp(3), Some("lo".into()))));
        let looped = send(node, &local_to([10, 2, 0, 1]));
        assert_eq!(
            (&looped.verdict, reply(&looped)),
            (&at(Hook::Input), (ReplyKind::TcpReset, Some("lo".into())))
        );
        let reset = send(node, &PacketSpec { flags: flag::RST, ..to([10, 2, 0, 7]) });
        assert_eq!(
            (&reset.verdict, reset.replies.len()),
            (&dropped(Hook::Forward), 0),
            "no RST answers a RST"
        );
    });
}

#[test]
fn a_reply_that_rules_stop_is_still_a_rejection() {
    let rules = "*filter\n:FORWARD ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n-A FORWARD -j REJECT\nCOMMIT\n";
    on_nodes(rules, |node, backend| {
        let seen = send(node, &to([10, 2, 0, 7]));
        assert_eq!(seen.verdict, Verdict::Rejected { place: Place::Hook(Hook::Forward) });
        assert_eq!(seen.replies[0].left_by, None);
        assert!(seen.counts(backend).policies.is_empty());
        assert_eq!(
            node.save_counters(backend, Family::V4).unwrap().policies.len(),
            1,
            "the counters do not know whose it was"
        );
    });
}

#[test]
fn local_delivery_of_any_protocol() {
    let rules = "*mangle\n:INPUT ACCEPT [0:0]\n-A INPUT -j MARK --set-xmark 0x7/0xff\nCOMMIT\n";
    on_nodes(rules, |node, backend| {
        for proto in [proto::TCP, proto::UDP, proto::ICMP, 47] {
            let seen = send(node, &PacketSpec { proto, ..to([192, 0, 2, 1]) });
            assert_eq!(seen.verdict, Verdict::Local { interface: "tun1".into() });
            assert_eq!((seen.mark, seen.replies.len()), (7, 0));
            assert_eq!(seen.matched_rules(backend), ["mangle/INPUT/1"]);
            assert!(seen.connection.is_some());
        }
        let seen = send(node, &local_to([192, 0, 2, 1]));
        assert_eq!(seen.verdict, Verdict::Local { interface: "lo".into() });
        assert_eq!(seen.hooks, [Hook::Output, Hook::Postrouting, Hook::Prerouting, Hook::Input]);
    });
}

#[test]
fn output_filter_sees_the_new_destination_and_the_old_interface() {
    let rules = "*nat
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A OUTPUT -d 10.96.0.10/32 -j DNAT --to-destination 10.2.0.7
-A POSTROUTING -o tun2
COMMIT
*filter
:OUTPUT ACCEPT [0:0]
-A OUTPUT -d 10.2.0.7/32 -o tun0
-A OUTPUT -o tun2
COMMIT
";
    on_nodes(rules, |node, backend| {
        let seen = send(node, &local_to([10, 96, 0, 10]));
        assert_eq!(seen.verdict, Verdict::Sent { interface: "tun2".into() });
        assert_eq!(ends(&seen), "10.1.0.1:40000 > 10.2.0.7:80");
        assert_eq!(seen.matched_rules(backend), ["nat/OUTPUT/1", "filter/OUTPUT/1", "nat/POSTROUTING/1"]);
    });
}

#[test]
fn jumps_gotos_and_returns_count() {
    let rules = "*filter
:FORWARD ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
:C:1 - [0:0]
-A FORWARD -j A
-A FORWARD
-A FORWARD -j RETURN
-A FORWARD -j DROP
-A A -g B
-A A -j DROP
-A B -j C:1
-A B -j C:1
-A B -j RETURN
-A B -j DROP
-A C:1 -d 10.2.0.7/32
COMMIT
";
    on_nodes(rules, |node, backend| {
        let before = node.save_counters(backend, Family::V4).unwrap();
        let seen = send(node, &to([10, 2, 0, 7]));
        assert_eq!(seen.verdict, forwarded("tun2"));
        let chains = ["FORWARD/1", "A/1", "B/1", "C:1/1", "B/2", "C:1/1", "B/3", "FORWARD/2", "FORWARD/3"];
        assert_eq!(seen.matched_rules(backend), chains.map(|rule| format!("filter/{rule}")));
        assert_eq!(seen.steps.last().map(|step| step.at), Some(At::Policy));
        assert_eq!(node.save_counters(backend, Family::V4).unwrap().since(&before), seen.counts(backend));
    });
}

#[test]
fn routing_is_a_place_of_its_own() {
    let rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.10/32 -j DNAT --to-destination 127.0.0.1\nCOMMIT\n";
    on_nodes(rules, |node, backend| {
        let lost = Verdict::Dropped { place: Place::Routing };
        let martian = send(node, &to([10, 96, 0, 10]));
        assert_eq!(
            (&martian.verdict, martian.matched_rules(backend)),
            (&lost, vec!["nat/PREROUTING/1".into()])
        );
        assert_eq!(send(node, &to([10, 66, 0, 9])).verdict, lost);
        assert_eq!(send(node, &PacketSpec { src: [127, 0, 0, 1].into(), ..to([10, 2, 0, 7]) }).verdict, lost);
        let old = send(node, &PacketSpec { ttl: 1, ..to([10, 2, 0, 7]) });
        assert_eq!(old.verdict, Verdict::Rejected { place: Place::Routing });
        assert_eq!(old.replies[0].kind, ReplyKind::Icmp { icmp_type: 11, icmp_code: 0 });
        let sent = send(node, &local_to([10, 66, 0, 9]));
        assert_eq!((&sent.verdict, sent.hooks.len(), sent.refused.is_some()), (&lost, 0, true));
        let mut damaged = to([10, 2, 0, 7]).to_bytes();
        damaged[10] ^= 1;
        let seen = node.send(Injection::Arrives { interface: "tun1".into(), packet: damaged }).unwrap();
        assert_eq!(seen.verdict, Verdict::Dropped { place: Place::Receive });

        node.sysctl("net.ipv4.conf.tun1.route_localnet", "1").unwrap();
        assert_eq!(send(node, &to([10, 96, 0, 10])).verdict, Verdict::Local { interface: "tun1".into() });
    });
}
