//! Packets: as fields, as bytes, and aimed at the edges of a ruleset.

mod aim;
mod fit;
mod spec;

pub use aim::{Aim, aimed_at};
pub use spec::{PacketSpec, flag, icmp, proto};
