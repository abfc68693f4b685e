//! Packets: as fields, as bytes, and aimed at the edges of a ruleset.

mod aim;
#[cfg(feature = "arbitrary1")]
mod arbitrary;
mod bytes;
mod shrink;
mod spec;
#[cfg(feature = "proptest1")]
mod strategy;

pub use aim::aimed_at;
pub use spec::{Fragment, PacketSpec, flag, icmp, proto};
#[cfg(feature = "proptest1")]
pub use strategy::{packets, packets_at};
