//! Which rules a class of packets can meet: destination, port and the like as a set, everything else
//! open.
//!
//! A walk of the engine answers for one packet; this answers for all that agree with a question such as
//! "to 10.96.0.10". A [`Class`] goes through hooks, tables and routing in the kernel's order and is split
//! by each rule into those that match and the others. Where nothing tells (a set, an owner, chance), the
//! class goes both ways, so that no rule is left out that a packet could meet. The split is exact for
//! addresses, protocol and ports, interfaces, marks, states of connection tracking and address types.

mod class;
mod interfaces;
mod judge;
mod spans;
mod stage;
mod tables;
mod target;
mod upper;
mod walk;

pub(crate) use class::{Bits, Class, States, Types, address, all_addresses, network, number};
pub(crate) use interfaces::Interfaces;
pub(crate) use judge::{Condition, conditions};
pub(crate) use spans::Spans;
pub(crate) use stage::{Met, Stage};
pub(crate) use tables::{ChainAt, TABLES, Tables};
pub(crate) use upper::{Protocols, Upper};
pub(crate) use walk::{Reach, Start, new_packets, pass, reach};
