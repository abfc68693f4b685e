//! The walk is what Linux does: random rulesets through a real kernel and through the engine.
//!
//! Every step in order with its mark, verdict, place, rewritten packet and out interface have to be equal, for
//! both families and both backends. Of what chance decides the kernel does one thing, which has to be among the
//! engine's. Settings, as environment variables: `HOOKWALK_SEED` (the first), `HOOKWALK_RULESETS` (for each
//! family), `HOOKWALK_PACKETS` (for each ruleset).

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing, and what it did by printing")]

#[path = "../common/mod.rs"]
mod common;

mod one_node;
mod random;
mod real;
mod sessions;
mod time;
