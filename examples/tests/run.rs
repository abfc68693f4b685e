//! Each example runs and says what it says it would.
#![allow(clippy::unwrap_used, reason = "a test may stop where it is wrong")]

use std::process::Command;

fn run(program: &str) -> String {
    let output = Command::new(program).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn property_test_finds_the_bug_and_shrinks_it() {
    let said = run(env!("CARGO_BIN_EXE_property_test"));
    assert!(said.contains("shares: service"), "{said}");
    assert!(said.contains("gets 0.444444444, not 1/3") || said.contains("not 1/3"), "{said}");
    assert!(said.contains("in a cluster with a Service of 1 port and 3 endpoints"), "{said}");
    assert!(said.lines().count() < 24, "{said}");
    let lines = include_str!("../src/bin/property_test.rs").lines().count();
    assert!(lines < 100, "{lines} lines");
}

#[test]
fn embed_tells_the_endpoints() {
    let said = run(env!("CARGO_BIN_EXE_embed"));
    assert_eq!(said.matches(" % to 10.64.").count(), 3, "{said}");
    assert!(said.contains("33.33 % to 10.64.0.3:8080"), "{said}");
}

#[test]
fn forensics_names_the_stale_node() {
    let said = run(env!("CARGO_BIN_EXE_forensics"));
    assert!(said.contains("node-a, node-b"), "{said}");
    let stale = said.lines().find(|line| line.trim_start().starts_with("node-c")).unwrap();
    assert_eq!(stale.matches("forwarded").count(), 3, "{said}");
    assert!(said.ends_with("1 addresses differ between 3 nodes\n"), "{said}");
}
