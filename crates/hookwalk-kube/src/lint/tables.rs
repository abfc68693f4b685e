//! What tables as a whole hold: canaries, both backends, parts that are missing.

use hookwalk_engine::TableName;
use hookwalk_parser::{Backend, Table, TableEnd};

use super::{Check, Lint};
use crate::reach::ChainAt;

pub(super) fn check(lint: &mut Lint<'_, '_>) {
    canaries(lint);
    two_backends(lint);
    missing(lint);
}

/// Whether a table holds chains of kube-proxy with rules.
fn has_kube_rules(table: &Table) -> bool {
    table.chains.iter().any(|chain| {
        let name = chain.name.as_bytes();
        !chain.rules.is_empty()
            && (name == b"KUBE-SERVICES" || name.starts_with(b"KUBE-SVC-") || name.starts_with(b"KUBE-SEP-"))
    })
}

fn canaries(lint: &mut Lint<'_, '_>) {
    for backend in [None, Some(Backend::Legacy), Some(Backend::Nft)] {
        let of_backend: Vec<(usize, usize, &Table)> = [TableName::Mangle, TableName::Nat, TableName::Filter]
            .into_iter()
            .flat_map(|name| lint.tables.named(name))
            .filter(|(_, _, table)| table.backend == backend && table.end == TableEnd::Commit)
            .collect();
        let nat = of_backend.iter().find(|(_, _, table)| table.name == "nat" && has_kube_rules(table));
        let Some(&(dump, at, nat)) = nat.filter(|_| of_backend.len() == 3) else { continue };
        let lacks: Vec<&str> = of_backend
            .iter()
            .filter(|(_, _, table)| table.chain("KUBE-PROXY-CANARY").is_none())
            .filter_map(|(_, _, table)| {
                ["mangle", "nat", "filter"].into_iter().find(|name| table.name == *name)
            })
            .collect();
        let Some(services) = nat.chains.iter().position(|chain| chain.name == "KUBE-SERVICES") else {
            continue;
        };
        let here = ChainAt { dump, table: at, chain: services };
        match lacks.as_slice() {
            [] => {}
            [_, _, _] => {
                let message =
                    "no table has KUBE-PROXY-CANARY, which kube-proxy from 1.17 on makes".to_owned();
                lint.tell(Check::CanaryMissing, here, None, message);
            }
            some => {
                let message = format!(
                    "KUBE-PROXY-CANARY is gone from table {}: something has flushed it",
                    some.join(" and table ")
                );
                lint.tell(Check::CanaryLost, here, None, message);
            }
        }
    }
}

fn two_backends(lint: &mut Lint<'_, '_>) {
    let with_rules: Vec<(usize, usize, &Table)> =
        lint.tables.named(TableName::Nat).filter(|(_, _, table)| has_kube_rules(table)).collect();
    let of =
        |nft: bool| with_rules.iter().find(move |(_, _, table)| (table.backend == Some(Backend::Nft)) == nft);
    let (Some(&(other, _, _)), Some(&(dump, at, table))) = (of(false), of(true)) else { return };
    let Some(services) = table.chains.iter().position(|chain| chain.name == "KUBE-SERVICES") else { return };
    let words = if other == dump { "this dump".to_owned() } else { format!("dump {}", other + 1) };
    let message = format!("the nft tables hold rules of kube-proxy, and the legacy ones of {words} do too");
    lint.tell(Check::TwoBackends, ChainAt { dump, table: at, chain: services }, None, message);
}

/// Checks that could not be made.
fn missing(lint: &mut Lint<'_, '_>) {
    let Some((dump, _, _)) = lint.tables.named(TableName::Nat).find(|(_, _, table)| has_kube_rules(table))
    else {
        return;
    };
    for (name, what) in [
        (TableName::Nat, "jumps to KUBE-SERVICES, masquerade and shares"),
        (TableName::Filter, "the way through FORWARD and dropped marks"),
    ] {
        if lint.tables.may_lack(name) {
            let message =
                format!("table {} is not or not wholly in the dump: {what} are not checked", name.name());
            lint.tell_of_dump(Check::NotChecked, dump, message);
        }
    }
}
