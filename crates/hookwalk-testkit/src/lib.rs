//! Tests of iptables rules, with the real Linux kernel as arbiter.
//!
//! * [`topology`]: the node that both sides talk about: its interfaces, addresses and routes.
//! * [`ruleset`]: small random rulesets from a seed, as `iptables-restore` text.
//! * [`packets`]: packets aimed at the edges of a ruleset, and packets to and from bytes.
//! * [`KubeProxy`]: the rules that kube-proxy writes for [`objects`] of the API.
//! * `kernel` (Linux only): a network namespace that is such a node, and what its kernel does with
//!   a packet: where it went, which rules counted it, in which order.
//!
//! * [`arbiter`]: the trait by which kernel and engine answer the same questions.
//!
//! Everything random comes from a seed, so a failure is reproduced by its number.

#![forbid(unsafe_code)]

pub mod arbiter;
pub mod cluster;
pub mod dice;
pub mod invariants;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod mutate;
pub mod packets;
pub mod ruleset;
pub mod topology;

pub use hookwalk_kube::objects;
pub use hookwalk_kube::writer::{self, KubeProxy};
pub use hookwalk_parser::types::Family;
