//! Keeps the rooms apart: which crate may depend on which, and how many crates an embedder takes in.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What a library or program of the workspace may depend on. What is not listed may depend on anything.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "hookwalk-parser",
        &["nom", "ipnet", "thiserror", "serde", "memchr", "hashbrown", "rayon", "rustc-hash"],
    ),
    (
        "hookwalk-engine",
        &[
            "hookwalk-parser",
            "petgraph",
            "hashbrown",
            "ipnet",
            "num-bigint",
            "rustc-hash",
            "thiserror",
            "memchr",
            "prefix-trie",
            "rayon",
        ],
    ),
    (
        "hookwalk-kube",
        &["hookwalk-parser", "hookwalk-engine", "hmac-sha256", "rustc-hash", "serde_json", "thiserror"],
    ),
    (
        "hookwalk",
        &["hookwalk-parser", "hookwalk-engine", "hookwalk-kube", "serde", "serde_json", "thiserror", "ipnet"],
    ),
    (
        "hookwalk-cli",
        &[
            "hookwalk",
            "hookwalk-testkit",
            "clap",
            "serde",
            "serde_json",
            "anstream",
            "anstyle",
            "annotate-snippets",
            "flate2",
            "indicatif",
            "lzma-rs",
            "mimalloc",
            "ruzstd",
            "terminal_size",
        ],
    ),
    (
        "hookwalk-testkit",
        &[
            "hookwalk-parser",
            "hookwalk-engine",
            "hookwalk-kube",
            "arbitrary",
            "etherparse",
            "nix",
            "proptest",
            "rustc-hash",
            "socket2",
            "thiserror",
            "tun-rs",
        ],
    ),
    ("hookwalk-fuzz", &["hookwalk", "libfuzzer-sys"]),
    ("hookwalk-benches", &["hookwalk", "mimalloc"]),
    ("hookwalk-examples", &["hookwalk", "hookwalk-testkit", "proptest"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .exec()
        .unwrap()
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = String> + '_ {
    package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.clone())
}

#[test]
fn crates_import_only_what_stands_under_them() {
    let metadata = metadata();
    for (name, allowed) in ROOMS {
        let package = metadata.workspace_packages().into_iter().find(|p| p.name.as_str() == *name);
        let package = package.unwrap_or_else(|| panic!("no crate {name}"));
        let others: Vec<String> =
            normal_dependencies(package).filter(|d| !allowed.contains(&d.as_str())).collect();
        assert!(others.is_empty(), "{name} may not depend on {others:?}");
    }
    for package in metadata.workspace_packages() {
        let names: Vec<String> = package.dependencies.iter().map(|d| d.name.clone()).collect();
        assert!(!names.iter().any(|d| d == "hookwalk-cli"), "{} imports the cli", package.name);
    }
}

#[test]
fn every_version_stands_in_the_workspace_table() {
    let root = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).unwrap();
    let table = root.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for package in metadata().workspace_packages() {
        for dependency in &package.dependencies {
            let listed = table.lines().any(|line| line.starts_with(&format!("{} = ", dependency.name)));
            assert!(listed, "{} of {} is not in the workspace table", dependency.name, package.name);
        }
    }
    let unexplained = |line: &&str| {
        !line.trim().is_empty()
            && !line.starts_with('#')
            && !line.starts_with("hookwalk")
            && !line.contains(" # ")
    };
    let bare: Vec<&str> = table.lines().filter(unexplained).collect();
    assert!(bare.is_empty(), "without a reason: {bare:?}");
}

#[test]
fn an_embedder_takes_in_few_crates() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let hookwalk = metadata.workspace_packages().into_iter().find(|p| p.name.as_str() == "hookwalk").unwrap();
    let mut tree = BTreeSet::new();
    let mut stack = vec![&hookwalk.id];
    while let Some(id) = stack.pop() {
        if tree.insert(id) {
            let normal = nodes[id].deps.iter().filter(|dep| {
                dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal && kind.target.is_none())
            });
            // Build-time crates (derive macros) come with their own tree and into no program.
            stack.extend(normal.map(|dep| &dep.pkg).filter(|id| !is_macro(&metadata[*id])));
        }
    }
    let names: Vec<&str> = tree.iter().map(|id| metadata[*id].name.as_str()).collect();
    assert!(names.len() <= 26, "{} crates: {names:?}", names.len());
}

fn is_macro(package: &Package) -> bool {
    package.targets.iter().any(cargo_metadata::Target::is_proc_macro)
}
