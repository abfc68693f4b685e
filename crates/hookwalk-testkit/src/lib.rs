//! Tests for whoever writes iptables rules, with no root and no kernel; and the real Linux kernel as
//! arbiter for whoever has both.
//!
//! * [`cluster`]: nodes of Kubernetes clusters, from a seed, from proptest or from your own objects,
//!   and packets from every side to every Service.
//! * [`invariants`]: what has to hold for the rules of such a node.
//! * [`diff`]: which packets two sets of rules treat differently, and which rule made the difference.
//! * [`mutate`]: faults put into rules, to see how many your tests catch.
//! * [`KubeProxy`]: the rules that kube-proxy writes for [`objects`] of the API.
//! * [`ruleset`], [`topology`], [`packets`]: random rulesets of any extensions or rules of your own, nodes, and
//!   packets aimed at the edges of a ruleset.
//! * [`shrink`]: what failed, as small as it can be.
//! * [`arbiter`]: the trait by which kernel and engine answer the same questions; `kernel` (feature
//!   `kernel`, Linux only): a network namespace that is a node, and what its kernel does with a packet.
//!
//! Everything random comes from a seed, so a failure is reproduced by its number. Features: `proptest1`
//! (strategies), `arbitrary1` (for fuzzers), `kernel`; without them the crate builds for `wasm32`.

#![forbid(unsafe_code)]

pub mod arbiter;
pub mod cluster;
pub mod dice;
pub mod diff;
pub mod invariants;
#[cfg(all(target_os = "linux", feature = "kernel"))]
pub mod kernel;
pub mod mutate;
pub mod packets;
pub mod ruleset;
pub mod shrink;
pub mod specimen;
#[cfg(feature = "proptest1")]
mod strategy;
pub mod topology;

pub use hookwalk_kube::objects;
pub use hookwalk_kube::writer::{self, KubeProxy};
pub use hookwalk_parser::types::Family;

/// The programs of the guide run.
#[cfg(all(doctest, feature = "proptest1"))]
#[doc = include_str!("../../../docs/test-your-rules.md")]
struct Guide;
