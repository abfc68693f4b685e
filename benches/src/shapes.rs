//! Rulesets that grow in one direction, for benches over sizes: none may make a walk grow faster than n log n.

use std::fmt::Write;

use hookwalk::{
    AddressSet, Engine, Host, InterfaceAddress, InterfaceName, NextHop, Packet, Route, SetEntry, parse,
};

use crate::kube_dump;

/// A ruleset and a packet whose walk grows with one number.
pub struct Shape {
    /// What grows.
    pub name: &'static str,
    /// Sizes to measure.
    pub sizes: &'static [usize],
    /// The ruleset of a size, its host, and a packet that meets the most of it.
    pub build: fn(usize) -> (String, Host, Packet),
}

/// Every shape.
pub const SHAPES: &[Shape] = &[
    Shape { name: "rules-of-mixed-shapes", sizes: &[1_000, 10_000, 100_000], build: mixed },
    Shape { name: "jumps-deep", sizes: &[50, 500], build: deep },
    Shape { name: "endpoints-of-a-service", sizes: &[10, 100, 1_000], build: endpoints },
    Shape { name: "ipset-members", sizes: &[100, 1_000, 10_000], build: members },
    Shape { name: "addresses-of-the-node", sizes: &[10, 100, 1_000, 10_000], build: addresses },
    Shape { name: "routes-of-the-node", sizes: &[100, 1_000, 10_000], build: routes },
    Shape { name: "questions-that-matter", sizes: &[4, 8, 16, 64, 256, 1_024], build: questions },
    Shape { name: "questions-behind-draws", sizes: &[4, 8, 16, 64, 256], build: questions_behind_draws },
    Shape { name: "questions-that-do-not-matter", sizes: &[4, 8, 16, 64, 256, 1_024], build: idle_questions },
];

impl Shape {
    /// The engine of a size, and the packet to walk.
    pub fn engine(&self, size: usize) -> (Engine, Packet) {
        let (text, host, packet) = (self.build)(size);
        (Engine::new(vec![parse(text)], host), packet)
    }
}

const NAT: &str =
    "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n";

const FILTER: &str = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";

fn host() -> Host {
    Host::default().with_node_address([192, 168, 50, 10].into())
}

fn packet() -> Packet {
    let packet = Packet::new([10, 128, 0, 77].into(), [10, 96, 0, 1].into());
    let packet = packet.source_port(40000).destination_port(80);
    InterfaceName::new(b"cni0").map_or(packet, |name| packet.arriving_by(name))
}

fn text(head: &str, rules: impl Iterator<Item = String>) -> String {
    let mut text = head.to_owned();
    for rule in rules {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{rule}");
    }
    text + "COMMIT\n"
}

fn mixed(size: usize) -> (String, Host, Packet) {
    let address = |n: usize| format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250 + 1);
    let rule = |n: usize| match n % 8 {
        0 => format!("-A FORWARD -d {}/32 -p tcp -m tcp --dport 443 -j DROP", address(n)),
        1 => format!("-A FORWARD -s {}/32 -j DROP", address(n)),
        2 => format!("-A FORWARD -p udp -m udp --dport {} -j DROP", n % 60_000 + 1),
        3 => format!("-A FORWARD -m mark --mark {:#x}/0xffffffff -j DROP", n + 1),
        4 => format!("-A FORWARD -i veth{n} -j DROP"),
        5 => format!("-A FORWARD -d {}/24 ! -s 10.0.0.0/8 -j DROP", address(n)),
        6 => {
            format!("-A FORWARD -p tcp -m multiport --dports {},{} -j DROP", n % 30_000 + 90, n % 30_000 + 91)
        }
        _ => format!("-A FORWARD -s {}/16 -p icmp -j DROP", address(n)),
    };
    (text(FILTER, (0..size).map(rule)), host(), packet())
}

fn deep(size: usize) -> (String, Host, Packet) {
    let declared = (0..size).map(|n| format!(":C{n} - [0:0]"));
    let jumps = (1..size).map(|n| format!("-A C{} -m mark --mark 0 -j C{n}", n - 1));
    let first = std::iter::once("-A FORWARD -j C0".to_owned());
    (text(FILTER, declared.chain(first).chain(jumps)), host(), packet())
}

fn endpoints(size: usize) -> (String, Host, Packet) {
    (kube_dump(1, size), host(), packet())
}

fn members(size: usize) -> (String, Host, Packet) {
    let members = (0..size).filter_map(|n| {
        let [_, second, third, fourth] = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        SetEntry::new([11, second, third, fourth].into(), 32)
    });
    let set = members.collect::<AddressSet>();
    let rules = (0..10).map(|_| "-A FORWARD -m set --match-set members src -j DROP".to_owned());
    (text(FILTER, rules), host().with_set("members".into(), set), packet())
}

fn addresses(size: usize) -> (String, Host, Packet) {
    let own = (0..size).filter_map(|n| {
        let [_, second, third, fourth] = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        InterfaceAddress::new(InterfaceName::new(b"lo")?, [12, second, third, fourth].into(), 32)
    });
    let rules = (0..10).map(|_| "-A FORWARD -m addrtype --dst-type LOCAL -j DROP".to_owned());
    (text(FILTER, rules), Host::default().with_interface_addresses(own.collect()), packet())
}

/// A route of its own for each Pod, as Calico has them, and MASQUERADE behind them.
fn routes(size: usize) -> (String, Host, Packet) {
    let routes = (0..size).filter_map(|n| {
        let [_, second, third, fourth] = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        let interface = InterfaceName::new(format!("cali{n}").as_bytes());
        Route::new([10, second, third, fourth].into(), 32, NextHop { via: None, interface })
    });
    let own = (0..size).filter_map(|n| {
        let [_, second, third, fourth] = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        InterfaceAddress::new(InterfaceName::new(b"eth0")?, [172, second, third, fourth].into(), 32)
    });
    let default = Route::new(
        [0, 0, 0, 0].into(),
        0,
        NextHop { via: Some([172, 0, 0, 9].into()), interface: InterfaceName::new(b"eth0") },
    );
    let host =
        Host::default().with_interface_addresses(own.collect()).with_routes(routes.chain(default).collect());
    (
        text(NAT, std::iter::once("-A POSTROUTING -j MASQUERADE".to_owned())) + FILTER + "COMMIT\n",
        host,
        packet(),
    )
}

fn questions(size: usize) -> (String, Host, Packet) {
    let rules = (0..size).map(|n| {
        format!(
            "-A FORWARD -m set --match-set s{n} src -j MARK --set-xmark {:#x}/{:#x}",
            1 << (n % 32),
            1 << (n % 32)
        )
    });
    (text(FILTER, rules), host(), packet())
}

fn questions_behind_draws(size: usize) -> (String, Host, Packet) {
    let rule = |n: usize| {
        let draw =
            "-A FORWARD -m statistic --mode random --probability 0.5 -j MARK --set-xmark 0x1/0x1".to_owned();
        [
            draw,
            format!(
                "-A FORWARD -m set --match-set s{n} src -j MARK --set-xmark {:#x}/{:#x}",
                2 << (n % 30),
                2 << (n % 30)
            ),
        ]
    };
    (text(FILTER, (0..size).flat_map(rule)), host(), packet())
}

fn idle_questions(size: usize) -> (String, Host, Packet) {
    let rules = (0..size).map(|n| format!("-A FORWARD -m set --match-set s{n} src -j ACCEPT"));
    (text(NAT, std::iter::empty()) + &text(FILTER, rules), host(), packet())
}
