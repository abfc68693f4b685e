//! What the Linux kernel does with the rules of a dump: walks packets, all outcomes, exactly.
//!
//! [`Engine::new`] compiles dumps into a chain graph (loops, jumps to nothing) and a flat program;
//! [`Engine::walk`] takes a [`Packet`] through hooks, tables and routing as `docs` of
//! [`walk`](Engine::walk) draw it, and answers with a [`Walk`]: cases for what dump and [`Host`] do
//! not tell, and in each the outcomes with their exact [`Probability`].
//!
//! ```
//! use hookwalk_engine::{Engine, Host, Packet};
//! let dump = hookwalk_parser::parse(
//!     "*nat\n:PREROUTING ACCEPT [0:0]\n:SVC - [0:0]\n\
//!      -A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -j SVC\n\
//!      -A SVC -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.1.2:53\n\
//!      -A SVC -j DNAT --to-destination 10.0.2.2:53\nCOMMIT\n",
//! );
//! let host = Host::default().with_node_address("192.168.50.10".parse().unwrap());
//! let query = Packet::new("10.0.0.5".parse().unwrap(), "10.96.0.10".parse().unwrap())
//!     .arriving_by("cni0".parse().unwrap())
//!     .protocol("udp".parse().unwrap())
//!     .destination_port(53);
//! let walk = Engine::new(vec![dump], host).walk(&query).unwrap();
//! let outcomes = &walk.cases[0].outcomes;
//! assert_eq!(outcomes[0].probability.to_string(), "1073741824/2147483648");
//! assert_eq!(outcomes[0].dst.to_string(), "10.0.1.2");
//! assert_eq!(outcomes[1].dst.to_string(), "10.0.2.2");
//! ```
#![forbid(unsafe_code)]

mod engine;
mod extensions;
mod graph;
mod host;
mod index;
mod outcome;
mod packet;
mod probability;
mod problem;
mod program;
mod question;
mod session;
mod state;
mod support;
mod walk;
mod walker;

pub use engine::{Engine, WalkError};
pub use host::{
    AddressSet, ConnectionTuple, Host, InterfaceAddress, InterfaceSysctls, IpNetwork, IpSet, NextHop,
    ReversePath, Route, RouteKind, RouteTableId, RoutingAction, RoutingRule, Scope, SetDimension, SetEntry,
    SetMember, SetPart, Sysctls, TcpState, TrackedConnection,
};
pub use outcome::{Assumption, Case, HostPart, Outcome, Place, RuleRef, StepKind, Verdict, Walk, WalkStep};
pub use packet::{BadInterfaceName, InterfaceName, Packet, PacketState};
pub use probability::Probability;
pub use problem::{Problem, Site};
pub use program::{Hook, TableName};
pub use session::Simulator;
pub use support::{MATCHES as MATCH_SUPPORT, Support, TARGETS as TARGET_SUPPORT, Tier};
pub use walk::Limits;
pub use walker::{CompactOutcome, CompactRule, CompactWalk, Walker};
