use super::*;

fn shown(text: &str) -> Vec<String> {
    let (addresses, errors) = addresses(text);
    let show = |a: InterfaceAddress| {
        let secondary = if a.secondary { " secondary" } else { "" };
        let broadcast = a.broadcast.map(|b| format!(" brd {b}")).unwrap_or_default();
        format!("{} {}/{}{broadcast} {:?}{secondary}", a.interface, a.address(), a.prefix_len(), a.scope)
    };
    addresses.into_iter().map(show).chain(errors.iter().map(ContextError::to_string)).collect()
}

#[test]
fn text() {
    let text = "\
# ip a
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host noprefixroute
3: d0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500
    altname enp3s0
    inet 10.0.0.1 peer 10.0.0.2/32 scope global d0
    inet 10.3.0.1 peer 10.3.0.2/24 scope global d0
    inet 10.1.0.2/24 metric 100 brd 10.1.0.255 scope global secondary dynamic d0:x
    inet6 2001:db8::9/64 scope global temporary deprecated dynamic
    inet6 fec0::5/64 scope site tentative
    inet6 fe80::1/64 scope link proto kernel_ll
4: d1    inet 10.9.0.2/24 scope 253 d1\\       valid_lft forever preferred_lft forever
";
    assert_eq!(
        shown(text),
        [
            "lo 127.0.0.1/8 Host",
            "lo ::1/128 Host",
            "d0 10.0.0.1/32 Global",
            "d0 10.3.0.1/24 Global",
            "d0 10.1.0.2/24 brd 10.1.0.255 Global secondary",
            "d0 2001:db8::9/64 Global",
            "d0 fec0::5/64 Site",
            "d0 fe80::1/64 Link",
            "d1 10.9.0.2/24 Link",
        ]
    );
}

#[test]
fn json() {
    let text = r#"[{},{"ifname":"d0","addr_info":[
        {"family":"inet","local":"10.0.0.1","address":"10.9.0.2","prefixlen":24,"scope":"global"},
        {"family":"inet","local":"10.1.0.2","prefixlen":24,"broadcast":"10.1.0.255","secondary":true},{}]},
        {"ifname":"d1","addr_info":[{"local":"10.1.0.2","prefixlen":33},{"local":"x"},{"local":"::1","scope":"y"}]},
        {"addr_info":[]}]"#;
    assert_eq!(
        shown(text),
        [
            "d0 10.0.0.1/32 Global",
            "d0 10.1.0.2/24 brd 10.1.0.255 Global secondary",
            "d1 ::1/128 Global",
            "4:9: `10.1.0.2/33` is not an address or prefix such as 10.0.0.0/8",
            "4:9: `local` `x` is not an address such as 10.0.0.1",
            "4:9: `y` is not a scope such as `global`",
            "5:9: an interface without `ifname`",
        ]
    );
}

#[test]
fn bad_lines_lose_only_themselves() {
    let text = "    inet 10.0.0.1/8\nhello there\n2: eth0: <UP>\n inet [HIDDEN] scope global\n inet 10.0.0.1/24 brd x\n3:\n inet6 10.0.0.1/8";
    assert_eq!(
        shown(text),
        [
            "eth0 10.0.0.1/24 Global",
            "1:10: `10.0.0.1` belongs to no interface",
            "2:1: `hello` is not the start of an interface such as `2: eth0: <UP>`",
            "4:7: `[HIDDEN]` is not an address or prefix such as 10.0.0.0/8",
            "5:23: `x` is not an address such as 10.0.0.1",
            "6:1: `3:` stands alone, expected an interface behind it",
            "7:8: `10.0.0.1/8` is not an address or prefix such as 10.0.0.0/8",
        ]
    );
}
