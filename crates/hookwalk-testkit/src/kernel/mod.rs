//! The Linux kernel as arbiter: what it really does with a packet.
//!
//! A [`Namespace`] is a node of its own, with no link to the outside: its interfaces are TUN devices,
//! so a packet "arrives" when the harness writes it, and what leaves is read back. Rules are loaded by
//! the real `iptables-legacy-restore` or `iptables-nft-restore`.
//!
//! ```no_run
//! use hookwalk_testkit::kernel::{Backend, Injection, Namespace};
//! use hookwalk_testkit::packets::PacketSpec;
//! use hookwalk_testkit::topology::Topology;
//! use hookwalk_testkit::Family;
//!
//! # fn main() -> Result<(), hookwalk_testkit::kernel::Error> {
//! let node = Namespace::open(&Topology::default())?;
//! node.load(Backend::Legacy, Family::V4, "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n")?;
//! let packet = PacketSpec { in_iface: Some("tun0".into()), ..PacketSpec::default() };
//! let seen = node.send(Injection::of(&packet))?;
//! println!("{:?} by {:?}", seen.verdict, seen.matched_rules(Backend::Legacy));
//! # Ok(())
//! # }
//! ```
//!
//! # How it sees
//!
//! Per-packet rule counts do not come from counters: reading those starts a process, and what the kernel
//! sends by itself (an ICMP error, a RST) passes OUTPUT and POSTROUTING and is counted there as well.
//! Instead every packet is **traced**, by the flag that `-j TRACE` and `meta nftrace` set. Then both
//! backends tell each rule whose matches all held, in order, which is exactly when its counter rises.
//! The flag is a property of one packet: a reply of the kernel is another packet and does not have it,
//! so rules that met the reply are never attributed to the packet. That counters and traces agree is
//! checked by this crate's tests.
//!
//! The harness has a table of its own in each family, `hookwalk_arbiter` (see `watch.rs`), with a chain before and a
//! chain after everything else in each hook. They set the flag, tell where a packet got to, report the
//! kernel's replies, and swallow in INPUT, after all rules and after the connection is confirmed, what is
//! delivered locally: no socket has to listen, and no protocol of the host answers.
//!
//! After each packet the connections it left are deleted, so the same packet is new again.
//!
//! # What it does not see
//!
//! * ICMP redirects are switched off, rates of ICMP errors unlimited. Interfaces have no link-local address,
//!   and neighbour discovery and multicast reports are passed over. Packets injected as sent belong to user 0.
//! * What a process sends to a broadcast or multicast address comes back to the node as a second packet; the
//!   two are not told apart.
//! * A route that fails is reported to the sender at most about once a second, so such a reply may be missing:
//!   see [`Hop`](crate::topology::Hop).

mod connections;
mod counters;
mod error;
mod events;
mod gathered;
mod inside;
mod namespace;
mod netlink;
mod observation;
mod restore;
mod setup;
mod watch;

pub use crate::arbiter::Backend;
pub use connections::{Connection, Tuple};
pub use counters::{Counters, RuleId};
pub use error::Error;
pub use namespace::Namespace;
pub use observation::{At, Hook, Injection, Observation, Place, Reply, ReplyKind, Step, Verdict};
