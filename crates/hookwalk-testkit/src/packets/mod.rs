//! Packets: as fields, as bytes, and aimed at the edges of a ruleset.

mod aim;
mod bytes;
mod spec;

pub use aim::aimed_at;
pub use spec::{Fragment, PacketSpec, flag, icmp, proto};
