//! The harness itself: known facts about the kernel come out of it as they should, with both backends.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod facts;
mod node;
mod random;

use hookwalk_testkit::Family;
use hookwalk_testkit::kernel::{Backend, Hook, Injection, Namespace, Observation, Place, Verdict};
use hookwalk_testkit::packets::PacketSpec;
use hookwalk_testkit::topology::Topology;

/// Whether there is a kernel to ask. Where there is none the test is skipped, but not in continuous integration.
pub(crate) fn has_kernel() -> bool {
    let Some(reason) = Namespace::missing() else { return true };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot ask the kernel: {reason}");
    #[expect(clippy::print_stdout, reason = "that is how a test says it did nothing")]
    {
        println!("skipped: {reason}");
    }
    false
}

/// Runs the test on a fresh node for each backend, with these rules.
pub(crate) fn on_nodes(rules: &str, test: impl Fn(&Namespace, Backend)) {
    on_nodes_like(&Topology::default(), rules, test);
}

/// The same on nodes of another kind.
pub(crate) fn on_nodes_like(topology: &Topology, rules: &str, test: impl Fn(&Namespace, Backend)) {
    if !has_kernel() {
        return;
    }
    for backend in Backend::ALL {
        let node = Namespace::open(topology).unwrap();
        node.load(backend, Family::V4, rules).unwrap();
        test(&node, backend);
    }
}

/// A SYN of 10.1.0.5:40000, arriving by `tun1`, to port 80.
pub(crate) fn to(dst: [u8; 4]) -> PacketSpec {
    PacketSpec {
        in_iface: Some("tun1".into()),
        src: [10, 1, 0, 5].into(),
        dst: dst.into(),
        ..Default::default()
    }
}

/// The same, sent by the node from its address on `tun1`.
pub(crate) fn local_to(dst: [u8; 4]) -> PacketSpec {
    PacketSpec { in_iface: None, src: [10, 1, 0, 1].into(), ..to(dst) }
}

pub(crate) fn send(node: &Namespace, packet: &PacketSpec) -> Observation {
    node.send(Injection::of(packet)).unwrap()
}

/// The packet as it was seen last: `10.1.0.5:40000 > 10.2.0.7:8080`.
pub(crate) fn ends(seen: &Observation) -> String {
    let packet = seen.decoded().unwrap();
    format!("{}:{} > {}:{}", packet.src, packet.sport, packet.dst, packet.dport)
}

pub(crate) fn forwarded(interface: &str) -> Verdict {
    Verdict::Forwarded { interface: interface.into() }
}

pub(crate) fn dropped(hook: Hook) -> Verdict {
    Verdict::Dropped { place: Place::Hook(hook) }
}

/// A service as kube-proxy writes one: DNAT, and masquerading by mark.
pub(crate) const SERVICE: &str = "*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:SERVICES - [0:0]
:MARK-MASQ - [0:0]
:SEP - [0:0]
-A PREROUTING -j SERVICES
-A OUTPUT -j SERVICES
-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A POSTROUTING -j MASQUERADE
-A SERVICES -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SEP
-A MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A SEP -j MARK-MASQ
-A SEP -p tcp -m tcp -j DNAT --to-destination 10.2.0.7:8080
COMMIT
";
