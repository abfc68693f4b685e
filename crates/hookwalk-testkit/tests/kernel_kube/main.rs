//! kube-proxy's rules in the kernel: random clusters of the writer, and the flows of `testdata/flows`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod clusters;
#[path = "../common/mod.rs"]
mod common;
mod flows;
