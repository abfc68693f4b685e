//! The cases of testdata/kernel: what the kernel once did and the engine did not say. Needs no kernel; where there
//! is one it is asked again.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing, and what it did by printing")]

#[path = "common/mod.rs"]
mod common;

use common::case;
use hookwalk_testkit::arbiter::{Answer, Arbiter as _, KernelArbiter, Shot};
use hookwalk_testkit::packets::PacketSpec;

#[test]
fn the_engine_says_what_the_kernel_did() {
    let mut failures = Vec::new();
    let cases = case::all();
    for (name, case) in &cases {
        let differences = case.differences().map_err(|error| format!("{name}: {error}")).unwrap();
        failures.extend(differences.into_iter().map(|why| format!("{name}: {why}")));
    }
    assert!(!cases.is_empty());
    assert!(failures.is_empty(), "{} packets differ:\n{}", failures.len(), failures.join("\n"));
}

/// So that no case holds what a kernel would not do. `HOOKWALK_WRITE=1` writes down what it does: of a new case
/// node, rules and packets are enough.
#[test]
fn the_kernel_still_does_it() {
    if !common::has_kernel() {
        return;
    }
    let mut failures = Vec::new();
    for (name, case) in case::all() {
        let scene = case.scene();
        let shots: Vec<Shot> = case.packet.iter().map(case::Asked::shot).collect();
        // Connections that were there before are not put back.
        if !scene.context.conntrack.is_empty() {
            continue;
        }
        let mut kernel = KernelArbiter::new();
        kernel.place(&scene).unwrap();
        let saved = kernel.saved(&scene).unwrap();
        let seen: Vec<Answer> = if case.session {
            let packets: Vec<PacketSpec> = shots.iter().map(|shot| shot.first.clone()).collect();
            kernel.answer_session(&scene, &packets).unwrap()
        } else {
            shots.iter().map(|shot| kernel.answer(shot).unwrap().possible.pop().unwrap()).collect()
        };
        if std::env::var("HOOKWALK_WRITE").is_ok() {
            let written = case::Case::new(&case.about, &saved, &shots, &seen, case.session);
            case::write(&name, &case::Case { unknown: case.unknown, ..written });
            continue;
        }
        for (seen, asked) in seen.iter().zip(&case.packet) {
            if let Some(why) = asked.seen.answer().differs(seen) {
                failures.push(format!("{name}: {why}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} packets differ:\n{}", failures.len(), failures.join("\n"));
}
