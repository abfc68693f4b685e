//! Strategies of proptest 1 for packets.

use hookwalk_parser::types::Family;
use proptest::prelude::{Strategy, any};

use super::aim::Aim;
use super::{PacketSpec, icmp, proto};
use crate::ruleset::{Ruleset, addresses, ports};
use crate::strategy::Drawn;
use crate::topology::Topology;

/// Packets of any addresses, ports, flags and header fields that arrive by one of the node's interfaces or,
/// one in four, are sent by a process of its own. They shrink to a TCP SYN from port 40000 to port 80.
pub fn packets(family: Family, topology: &Topology) -> impl Strategy<Value = PacketSpec> + use<> {
    let names = topology.interfaces.iter().map(|interface| Some(interface.name.clone()));
    let names: Vec<Option<String>> = names.chain([None]).collect();
    let (ping, icmp) = match family {
        Family::V4 => (icmp::ECHO_REQUEST, proto::ICMP),
        Family::V6 => (icmp::ECHO_REQUEST_V6, proto::ICMPV6),
    };
    let protocols = vec![proto::TCP, proto::TCP, proto::UDP, proto::UDP, icmp, proto::SCTP, proto::GRE];
    let header = (any::<u8>(), 1..=255_u8, 0..0x40_u8);
    (
        proptest::sample::select(names),
        (addresses(family), addresses(family)),
        proptest::sample::select(protocols),
        (ports(), ports()),
        header,
    )
        .prop_map(move |(in_iface, (src, dst), proto, (sport, dport), (tos, ttl, flags))| PacketSpec {
            in_iface,
            src,
            dst,
            proto,
            sport,
            dport,
            flags,
            icmp_type: ping,
            tos,
            ttl,
            ..PacketSpec::default()
        })
}

/// Packets aimed at the edges of a ruleset, as [`aimed_at`](super::aimed_at) makes them. They shrink to plain
/// ones.
///
/// ```
/// use hookwalk_engine::{Engine, Host, Verdict};
/// use hookwalk_testkit::packets::packets_at;
/// use hookwalk_testkit::{Family, ruleset::Ruleset, topology::Topology};
/// use proptest::test_runner::{Config, TestRunner};
///
/// let dump = hookwalk_parser::parse("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -p tcp --dport 8000:8009 -j DROP\nCOMMIT\n");
/// let ruleset = Ruleset::of_dump(&dump, Family::V4);
/// let engine = Engine::new(vec![dump], Host::default());
///
/// let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
/// let found = runner.run(&packets_at(ruleset, Topology::default()), |packet| {
///     let walk = engine.walk(&packet.to_packet()).unwrap();
///     let dropped = walk.cases.iter().flat_map(|case| &case.outcomes).any(|o| {
///         o.verdict == Verdict::Dropped && o.decided_by.is_some()
///     });
///     proptest::prop_assert!(!dropped, "{packet} is dropped");
///     Ok(())
/// });
/// // A plain TCP packet to one of the ten ports.
/// let found = found.unwrap_err().to_string();
/// assert!(found.contains(":800") && found.contains(" is dropped"), "{found}");
/// ```
pub fn packets_at(ruleset: Ruleset, topology: Topology) -> impl Strategy<Value = PacketSpec> {
    Drawn(move |dice: &mut _| Aim::at(&ruleset, &topology).packet(dice))
}
