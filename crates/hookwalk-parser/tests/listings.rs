//! `iptables -L -n -v -x --line-numbers` against `iptables-save` of the same rules in the same kernel
//! (`testdata/parse/saved/listed.tsv`): what the listing tells is read as the save tells it, and what
//! it leaves out is unknown, never wrong.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop where it is wrong"
)]

use std::path::Path;

use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::types::Family;
use hookwalk_parser::{Dump, Reader, Rule};

fn rules(dump: &Dump, chain: &str) -> Vec<Rule> {
    let chains = dump.tables().iter().flat_map(|t| &t.chains).filter(|c| c.name == *chain);
    chains.flat_map(|c| c.rules.clone()).collect()
}

#[test]
fn listings_tell_what_the_save_tells() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parse/saved/listed.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut wrong, mut same, mut unknown) = (Vec::new(), 0, Vec::new());
    for line in text.lines() {
        let [family, _, table, chain, saved, listed] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let family = if family == "4" { Family::V4 } else { Family::V6 };
        let reader = Reader::new().family(family).table(table);
        let saved_text =
            format!("*{table}\n:X - [0:0]\n:Y - [0:0]\n{}\nCOMMIT\n", saved.replace(" ;; ", "\n"));
        let from_save = rules(&reader.parse(saved_text), chain);
        let head =
            "num      pkts      bytes target     prot opt in     out     source               destination";
        let other = if chain == "Y" { "X" } else { "Y" };
        let listing = format!(
            "Chain {other} (1 references)\n{head}\n\nChain {chain} (1 references)\n{head}\n{}\n",
            listed.replace(" ;; ", "\n")
        );
        let from_listing = rules(&reader.parse(listing), chain);
        if from_save.len() != from_listing.len() {
            wrong.push(format!("{saved}\n  {listed}\n  {} rules", from_listing.len()));
            continue;
        }
        for (save, list) in from_save.iter().zip(&from_listing) {
            // The listing shows nothing at all of `-m eui64`.
            if save.matches.iter().any(|m| matches!(m, Match::Eui64(_))) {
                continue;
            }
            let is_unknown = list.unknown_parts().next().is_some();
            let told_right = save.base == list.base
                && list.matches.iter().all(|m| matches!(m, Match::Unknown(_)) || save.matches.contains(m))
                && (is_unknown || save.matches.len() == list.matches.len())
                && (matches!(list.target, Target::Unknown(_)) || list.target == save.target);
            if told_right && is_unknown {
                unknown.push(saved);
            } else if told_right {
                same += 1;
            } else {
                wrong.push(format!("{saved}\n  {listed}\n  {save:?}\n  {list:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    if std::env::var_os("SHOW_UNKNOWN").is_some() {
        eprintln!("{same} read whole, {} unknown:\n{}", unknown.len(), unknown.join("\n"));
    }
    assert!(same >= 440, "{same} were read whole and {} not", unknown.len());
}
