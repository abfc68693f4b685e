//! What routing makes of sources and settings: found by asking Linux 6.18, packets put into a TUN device of
//! a namespace with t0 10.0.0.1/24 and t1 10.1.0.1/24, all other settings off but forwarding.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::net::IpAddr;

use hookwalk_engine::{
    Engine, Host, InterfaceAddress, InterfaceSysctls, NextHop, Packet, ReversePath, Route, RouteTableId,
    Verdict,
};
use hookwalk_parser::types::{Family, Protocol};

/// Settings, source, destination, and what became of the packet.
const ASKED: [(&str, &str, &str, &str); 26] = [
    ("", "10.1.0.5", "10.1.0.9", "forwarded"),
    ("t0.rp_filter=1", "10.1.0.5", "10.1.0.9", "dropped"),
    ("all.rp_filter=1", "10.1.0.5", "10.1.0.9", "dropped"),
    ("all.rp_filter=1 t0.rp_filter=2", "10.1.0.5", "10.1.0.9", "forwarded"),
    ("all.rp_filter=2 t0.rp_filter=1", "10.1.0.5", "10.1.0.9", "forwarded"),
    ("t0.rp_filter=1", "10.0.0.5", "10.1.0.9", "forwarded"),
    ("t0.rp_filter=2", "172.16.0.1", "10.1.0.9", "dropped"),
    ("", "172.16.0.1", "10.1.0.9", "forwarded"),
    ("t0.forwarding=0", "10.0.0.5", "10.1.0.9", "dropped"),
    ("", "10.1.0.1", "10.1.0.9", "dropped"),
    ("t0.accept_local=1", "10.1.0.1", "10.1.0.9", "forwarded"),
    ("t0.accept_local=1 t0.rp_filter=1", "10.1.0.1", "10.1.0.9", "dropped"),
    ("t0.accept_local=1 t0.rp_filter=1", "10.0.0.1", "10.1.0.9", "forwarded"),
    ("t0.accept_local=1 t0.rp_filter=2", "10.1.0.1", "10.1.0.9", "forwarded"),
    ("", "10.1.0.255", "10.1.0.9", "forwarded"),
    ("t0.accept_local=1", "10.1.0.255", "10.1.0.9", "forwarded"),
    ("", "10.0.0.5", "127.0.0.1", "dropped"),
    ("t0.route_localnet=1", "10.0.0.5", "127.0.0.1", "local"),
    ("t1.route_localnet=1", "10.0.0.5", "127.0.0.1", "dropped"),
    ("t0.route_localnet=1", "127.0.0.5", "10.1.0.9", "forwarded"),
    ("t0.route_localnet=1 t0.accept_local=1", "127.0.0.5", "10.1.0.9", "forwarded"),
    ("", "0.0.0.0", "255.255.255.255", "local"),
    ("t0.rp_filter=1", "0.0.0.0", "255.255.255.255", "local"),
    ("", "0.0.0.0", "224.0.0.1", "local"),
    ("", "10.0.0.5", "224.0.0.1", "local"),
    ("", "255.255.255.255", "10.1.0.9", "dropped"),
];

fn set(of: &mut InterfaceSysctls, name: &str, value: &str) {
    let on = Some(value != "0");
    match name {
        "rp_filter" => {
            of.reverse_path = Some(if value == "1" { ReversePath::Strict } else { ReversePath::Loose });
        }
        "forwarding" => of.forwarding = on,
        "accept_local" => of.accept_local = on,
        _ => of.route_localnet = on,
    }
}

fn host(settings: &str) -> Host {
    let (mut addresses, mut routes) = (Vec::new(), Vec::new());
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    for (name, own, net) in [("t0", "10.0.0.1", "10.0.0.0"), ("t1", "10.1.0.1", "10.1.0.0")] {
        let name = name.parse().unwrap();
        addresses.push(InterfaceAddress::new(name, address(own), 24).unwrap());
        routes.push(Route::new(address(net), 24, NextHop { via: None, interface: Some(name) }).unwrap());
        let mut local = Route::new(address(own), 32, NextHop { via: None, interface: Some(name) }).unwrap();
        (local.table, local.kind) = (RouteTableId::LOCAL, hookwalk_engine::RouteKind::Local);
        routes.push(local);
        let broadcast = net.replace(".0.0", ".0.255");
        let mut broadcast =
            Route::new(address(&broadcast), 32, NextHop { via: None, interface: Some(name) }).unwrap();
        (broadcast.table, broadcast.kind) = (RouteTableId::LOCAL, hookwalk_engine::RouteKind::Broadcast);
        routes.push(broadcast);
    }
    let mut host = Host::default().with_interface_addresses(addresses).with_routes(routes);
    for setting in settings.split_ascii_whitespace() {
        let (key, value) = setting.split_once('=').unwrap();
        let (interface, name) = key.split_once('.').unwrap();
        let of = match interface {
            "all" => host.sysctls.all_mut(Family::V4),
            name => host.sysctls.interface_mut(Family::V4, name.parse().unwrap()),
        };
        set(of, name, value);
    }
    host
}

#[test]
fn routing_is_the_kernels() {
    for (settings, src, dst, expected) in ASKED {
        let packet = Packet::new(src.parse().unwrap(), dst.parse().unwrap())
            .arriving_by("t0".parse().unwrap())
            .protocol(Protocol::UDP)
            .source_port(1000)
            .destination_port(2000);
        let dump = hookwalk_parser::parse(
            "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n",
        );
        let walk = Engine::new(vec![dump], host(settings)).walk(&packet).unwrap();
        let verdicts: Vec<Verdict> = walk.cases.iter().map(|case| case.outcomes[0].verdict).collect();
        assert_eq!(verdicts.len(), 1, "{settings} {src} {dst}: {walk:?}");
        assert_eq!(verdicts[0].as_str(), expected, "{settings} {src} {dst}");
    }
}
