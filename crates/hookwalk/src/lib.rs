//! Where does this packet go? Answered from a saved `iptables-save` dump, with no root and no kernel.
//!
//! A dump becomes typed rules, the rules an [`Engine`], and a packet walked through it a [`Walk`]:
//! every outcome with its exact probability, the rules on the way with their lines, and cases where
//! the dump alone cannot tell.
//!
//! ```
//! use hookwalk::{Engine, Host, Packet, Verdict, context, parse, report::WalkReport};
//!
//! // Two endpoints behind a cluster IP, chosen by chance, as kube-proxy writes them.
//! let dump = parse("\
//! *filter
//! :INPUT ACCEPT [0:0]
//! :FORWARD ACCEPT [0:0]
//! :OUTPUT ACCEPT [0:0]
//! COMMIT
//! *nat
//! :PREROUTING ACCEPT [0:0]
//! :INPUT ACCEPT [0:0]
//! :OUTPUT ACCEPT [0:0]
//! :POSTROUTING ACCEPT [0:0]
//! :KUBE-MARK-MASQ - [0:0]
//! :KUBE-SVC-X - [0:0]
//! -A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-X
//! -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
//! -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
//! -A KUBE-SVC-X ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
//! -A KUBE-SVC-X -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.1.2:53
//! -A KUBE-SVC-X -j DNAT --to-destination 10.0.2.2:53
//! COMMIT
//! ");
//! assert!(dump.diagnostics().is_empty());
//!
//! // What the dump does not hold: which addresses are this node's.
//! let host = Host::default().with_node_address("192.168.50.10".parse()?);
//! let engine = Engine::new(vec![dump], host);
//!
//! let query = Packet::new("10.0.0.5".parse()?, "10.96.0.10".parse()?)
//!     .arriving_by("cni0".parse()?)
//!     .protocol("udp".parse()?)
//!     .destination_port(53);
//! let walk = engine.walk(&query)?;
//!
//! // Nothing was unknown, so there is one case; each endpoint is one outcome.
//! let [case] = walk.cases.as_slice() else { panic!("one case") };
//! for outcome in &case.outcomes {
//!     assert_eq!(outcome.verdict, Verdict::Forwarded);
//!     assert_eq!(outcome.probability.to_string(), "1073741824/2147483648");
//!     assert!(!outcome.masquerade);
//! }
//! assert_eq!(case.outcomes[1].dst.to_string(), "10.0.2.2");
//! assert_eq!(case.outcomes[1].matched_rules.as_ref().unwrap()[1].to_string(), "nat/KUBE-SVC-X/3");
//!
//! // Reports are the stable form: they serialize to the JSON that `hookwalk trace --json` prints.
//! let report = WalkReport::new(&walk);
//! assert_eq!(report.cases[0].outcomes[0].dst, "10.0.1.2");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Packets one after the other on one host are a session ([`Simulator`]): connections, `recent` lists and
//! other memories carry over, time comes with the packets, chance from a seed.
//!
//! ```
//! use hookwalk::{Engine, Host, Packet, Simulator, parse};
//!
//! // ClientIP affinity: who was seen at an endpoint in the last three hours goes there again.
//! let dump = parse("\
//! *nat
//! :PREROUTING ACCEPT [0:0]
//! :SVC - [0:0]
//! :SEP-A - [0:0]
//! :SEP-B - [0:0]
//! -A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j SVC
//! -A SVC -m recent --rcheck --seconds 10800 --reap --name A --rsource -j SEP-A
//! -A SVC -m recent --rcheck --seconds 10800 --reap --name B --rsource -j SEP-B
//! -A SVC -m statistic --mode random --probability 0.50000000000 -j SEP-A
//! -A SVC -j SEP-B
//! -A SEP-A -p tcp -m recent --set --name A --rsource -m tcp -j DNAT --to-destination 10.0.1.2:8080
//! -A SEP-B -p tcp -m recent --set --name B --rsource -m tcp -j DNAT --to-destination 10.0.2.2:8080
//! COMMIT
//! ");
//! let engine = Engine::new(vec![dump], Host::default().with_node_address("192.168.50.10".parse()?));
//! let mut session = Simulator::new(&engine, 7);
//! let mut endpoints = Vec::new();
//! for connection in 0..20_u16 {
//!     let mut syn = Packet::new("10.0.0.5".parse()?, "10.96.0.10".parse()?)
//!         .arriving_by("cni0".parse()?)
//!         .source_port(40_000 + connection)
//!         .destination_port(80);
//!     syn.at = Some(u64::from(connection) * 3_600);
//!     endpoints.push(session.walk(&syn)?.cases[0].outcomes[0].dst);
//! }
//! assert!(endpoints.iter().all(|endpoint| *endpoint == endpoints[0]));
//! assert_eq!(session.connections().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here reads files, clocks or randomness: text, context and packets come in as values, and
//! the crates build for `wasm32`. The stages can be used alone: `hookwalk-parser` for typed rules,
//! `hookwalk-engine` for walks; this crate re-exports what embedders need of both and adds
//! [`context`] (readers of `ip addr`, `ip route`, `ip rule`, `ipset`, `conntrack`, `sysctl`) and [`report`].
//!
//! With the feature `rayon1` [`Engine::walk_batch`] walks over all cores.
#![forbid(unsafe_code)]

pub mod context;
pub mod report;

pub use hookwalk_kube as kube;

pub use hookwalk_engine::{
    AddressSet, Assumption, BadInterfaceName, Case, CompactOutcome, CompactRule, CompactWalk,
    ConnectionTuple, Engine, Hook, Host, InterfaceAddress, InterfaceName, InterfaceSysctls, IpNetwork, IpSet,
    Limits, MATCH_SUPPORT, NextHop, Outcome, Packet, PacketState, Place, Probability, Problem, ReversePath,
    Route, RouteKind, RouteTableId, RoutingAction, RoutingRule, RuleRef, Scope, SetDimension, SetEntry,
    SetMember, SetPart, Simulator, Site, StepKind, Support, Sysctls, TARGET_SUPPORT, TableName, TcpState,
    Tier, TrackedConnection, Verdict, Walk, WalkError, WalkStep, Walker,
};
pub use hookwalk_parser::{
    Backend, BaseMatches, Chain, Code, Counters, Diagnostic, Dump, Gap, OptionText, OptionValue, PackedBase,
    Policy, Reader, Rule, Severity, Span, Table, TableEnd, extensions, parse, types,
};
