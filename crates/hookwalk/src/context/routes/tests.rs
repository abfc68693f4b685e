use super::*;

fn list(text: &str) -> (Vec<String>, Vec<String>) {
    let (routes, errors) = routes(text);
    let hop = |hop: &NextHop| {
        let via = hop.via.map(|via| format!(" via {via}")).unwrap_or_default();
        via + &hop.interface.map(|name| format!(" dev {name}")).unwrap_or_default()
    };
    let show = |route: &Route| {
        let hops = route.next_hops.iter().map(hop).collect::<Vec<_>>().join(",");
        // The destination has no accessor: its Debug form is `10.0.0.0/8`.
        let shown = format!("{route:?}");
        let destination =
            shown.split("destination: ").nth(1).and_then(|rest| rest.split(", ").next()).unwrap();
        format!("{} {:?} {destination} {}{hops}", route.table.0, route.kind, route.metric)
    };
    (routes.iter().map(show).collect(), errors.iter().map(ToString::to_string).collect())
}

#[test]
fn attributes() {
    let text = "\
blackhole default table 77 metric 50
throw 10.10.0.0/16 table 100
10.0.0.2 dev d0  proto kernel  scope link  src 10.0.0.1
10.6.0.0/16 via inet6 fe80::1 dev d0
unreachable 10.7.0.0/16 metric 7
prohibit 10.8.0.0/16
10.20.0.0/16 via 10.1.0.254 dev d0 mtu lock 1400 advmss 1300 onlink
10.30.0.0/16 nhid 7
10.40.0.0/16  encap ip id 100 src 0.0.0.0 dst 10.9.0.4 ttl 0 tos 0 dev d1 scope link linkdown
multicast 224.5.0.0/16 dev d0 scope link
unicast 10.50.0.0/16 dev d0 table main proto boot scope global
5 ff00::/8 dev d0 table 255 proto 2 metric 256 pref medium
unreachable default dev lo table unspec proto kernel metric -1 error -101
local ::1 via :: dev lo table local proto none metric 0
";
    let (routes, errors) = list(text);
    assert_eq!(errors, [""; 0]);
    assert_eq!(
        routes,
        [
            "77 Blackhole 0.0.0.0/0 50",
            "100 Throw 10.10.0.0/16 0",
            "254 Unicast 10.0.0.2/32 0 dev d0",
            "254 Unicast 10.6.0.0/16 0 via fe80::1 dev d0",
            "254 Unreachable 10.7.0.0/16 7",
            "254 Prohibit 10.8.0.0/16 0",
            "254 Unicast 10.20.0.0/16 0 via 10.1.0.254 dev d0",
            "254 Unicast 10.30.0.0/16 0",
            "254 Unicast 10.40.0.0/16 0 dev d1",
            "254 Multicast 224.5.0.0/16 0 dev d0",
            "254 Unicast 10.50.0.0/16 0 dev d0",
            "255 Multicast ff00::/8 256 dev d0",
            "0 Unreachable ::/0 4294967295 dev lo",
            "255 Local ::1/128 0 dev lo",
        ]
    );
}

#[test]
fn next_hops() {
    let text = "\
10.5.0.0/16
	nexthop via 10.1.0.7 dev d0 weight 3
	nexthop via 10.9.0.9 dev d1 weight 1 linkdown
	nexthop via 10.9.0.8 dev d1 weight 1 dead linkdown
10.6.0.0/16 \\	nexthop via 10.1.0.7 dev d0 weight 1\\	nexthop dev d1 weight 1 dead
10.7.0.0/16 via 10.1.0.7 dev d0 dead linkdown
10.8.0.0/16
	nexthop via 10.1.0.7 dev d0 dead
fd00:77::/64 metric 1024 pref medium
	nexthop via fd00::7 dev d0 weight 1
	nexthop via fd00::8 dev d0 weight 4
fd00:78::/64 via fd00::7 dev d0 metric 1024
fd00:78::/64 via fd00::8 dev d0 metric 1024
fd00:79::1 via fd00::8 dev d0 metric 0
    cache  mtu 1400
";
    let (routes, errors) = list(text);
    assert_eq!(errors, [""; 0]);
    assert_eq!(
        routes,
        [
            "254 Unicast 10.5.0.0/16 0 via 10.1.0.7 dev d0, via 10.9.0.9 dev d1",
            "254 Unicast 10.6.0.0/16 0 via 10.1.0.7 dev d0",
            "254 Unicast fd00:77::/64 1024 via fd00::7 dev d0, via fd00::8 dev d0",
            "254 Unicast fd00:78::/64 1024 via fd00::7 dev d0, via fd00::8 dev d0",
        ]
    );
}

#[test]
fn json_says_the_same() {
    let text = "\
default via 10.1.0.254 dev d0 metric 100
10.5.0.0/16
	nexthop via 10.1.0.7 dev d0 weight 3
	nexthop via 10.9.0.9 dev d1 weight 1 dead
10.6.0.0/16 via inet6 fe80::1 dev d0
10.40.0.0/16  encap ip id 100 src 0.0.0.0 dst 10.9.0.4 ttl 0 tos 0 dev d1 scope link linkdown
unreachable fd00:66::/64 dev lo table uplink metric 1024 pref medium
default dev d1 metric 1024 pref medium
";
    let json = r#"[{"dst":"default","gateway":"10.1.0.254","dev":"d0","metric":100,"flags":[]},
{"dst":"10.5.0.0/16","flags":[],"nexthops":[{"gateway":"10.1.0.7","dev":"d0","weight":3,"flags":[]},
 {"gateway":"10.9.0.9","dev":"d1","weight":1,"flags":["dead"]}]},
{"dst":"10.6.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"d0","flags":[]},
{"dst":"10.40.0.0/16","encap":"ip","id":100,"src":"0.0.0.0","dst":"10.9.0.4","ttl":0,"tos":0,"dev":"d1","flags":["linkdown"]},
{"type":"unreachable","dst":"fd00:66::/64","dev":"lo","table":"uplink","metric":1024,"flags":[],"pref":"medium"},
{"dst":"default","dev":"d1","metric":1024,"flags":[],"pref":"medium"},{}]"#;
    assert_eq!(routes(text), routes(json));
    assert_eq!(routes(text).0.len(), 6);
}

#[test]
fn the_family_of_default() {
    let of =
        |text: &str| list(text).0.iter().filter(|route| route.contains("/0 ")).cloned().collect::<Vec<_>>();
    assert_eq!(of("default dev ppp0"), ["254 Unicast 0.0.0.0/0 0 dev ppp0"]);
    assert_eq!(of("default dev ppp0\nfd00::/8 dev ppp0"), ["254 Unicast ::/0 0 dev ppp0"]);
    assert_eq!(of("fd00::/8 dev d0\ndefault dev ppp0 scope link"), ["254 Unicast 0.0.0.0/0 0 dev ppp0"]);
    assert_eq!(of("10.0.0.0/8 dev d0\nfd00::/8 dev d0\ndefault dev ppp0"), ["254 Unicast ::/0 0 dev ppp0"]);
    assert_eq!(of("default via inet6 fe80::1 dev d0"), ["254 Unicast 0.0.0.0/0 0 via fe80::1 dev d0"]);
    assert_eq!(of("$ ip -6 route\ndefault dev ppp0"), ["254 Unicast ::/0 0 dev ppp0"]);
}

#[test]
fn the_table_of_a_command_above() {
    let text = "# ip route\n10.1.0.0/16 dev a\n# ip route show table 101\n10.2.0.0/16 dev a\nlocal 10.0.0.1 dev lo proto kernel scope host\n\
                # ip route show table all\n10.3.0.0/16 dev a\nlocal 10.0.0.2 dev lo proto kernel scope host src 10.0.0.2\n";
    let (routes, errors) = list(text);
    assert_eq!(errors, [""; 0]);
    let tables: Vec<&str> = routes.iter().filter_map(|route| route.split(' ').next()).collect();
    assert_eq!(tables, ["254", "101", "101", "254", "255"]);
}

#[test]
fn what_is_not_understood_leaves_the_way_unknown() {
    let text = "\
default tos 0x10 via 10.1.0.254 dev d0
fd00:55::/64 from fd00:4::/64 via fd00::7 dev d0 metric 1024
10.1.0.0/16 via x dev d0
10.2.0.0/16 dev d0 frobnicate 5
10.3.0.0/16 dev a-name-that-is-too-long
10.4.0.0/16 dev
	nexthop dev d1
junk
	nexthop dev d0
10.5.0.0/16 dev d0
";
    let (routes, errors) = list(text);
    assert_eq!(
        routes,
        [
            "254 Unicast 0.0.0.0/0 0",
            "254 Unicast fd00:55::/64 1024",
            "254 Unicast 10.1.0.0/16 0",
            "254 Unicast 10.2.0.0/16 0",
            "254 Unicast 10.3.0.0/16 0",
            "254 Unicast 10.4.0.0/16 0",
            "254 Unicast 10.5.0.0/16 0 dev d0",
        ]
    );
    assert_eq!(
        errors,
        [
            "1:9: `tos` of a route is not supported: where it sends is taken for unknown",
            "2:14: `from` of a route is not supported: where it sends is taken for unknown",
            "3:17: `x` is not an address such as 10.0.0.1",
            "4:20: `frobnicate` is not a known part of a route: where it sends is taken for unknown",
            "4:31: `5` is not a known part of a route: where it sends is taken for unknown",
            "5:17: `a-name-that-is-too-long` is not an interface name of at most 15 bytes",
            "6:13: `dev` stands alone, expected a value behind it",
            "8:1: `junk` is not the destination of a route such as `default` or 10.0.0.0/8",
            "9:2: `nexthop` stands behind no route",
        ]
    );
}
