//! Chains that are not there, and chains that nothing leads to.

use std::collections::BTreeSet;

use hookwalk_parser::{Table, TableEnd};

use super::{Check, Lint, jump};
use crate::reach::{ChainAt, TABLES};

/// Chains that stand alone on purpose: marks of being there, and what kubelet makes for others to use.
const ALONE: [&str; 5] =
    ["KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-MARK-DROP", "KUBE-MARK-MASQ"];

pub(super) fn check(lint: &mut Lint<'_, '_>) {
    for name in TABLES {
        let tables: Vec<(usize, usize, &Table)> = lint.tables.named(name).collect();
        for (dump, at, table) in tables {
            if table.end != TableEnd::Fragment {
                one(lint, dump, at, table);
            }
        }
    }
}

fn one(lint: &mut Lint<'_, '_>, dump: usize, at: usize, table: &Table) {
    let names: BTreeSet<&[u8]> = table.chains.iter().map(|chain| chain.name.as_bytes()).collect();
    let has_builtin = table.chains.iter().any(|chain| chain.policy.is_some());
    let mut led_to: BTreeSet<&[u8]> = BTreeSet::new();
    for (number, chain) in table.chains.iter().enumerate() {
        let here = ChainAt { dump, table: at, chain: number };
        for (rule, to) in chain.rules.iter().enumerate().filter_map(|(n, rule)| Some((n, jump(rule)?))) {
            led_to.insert(to.as_bytes());
            // Restore input names the chains that it changes, and jumps to others.
            if has_builtin && !names.contains(to.as_bytes()) {
                let message = format!("it jumps to `{to}`, which table `{}` does not have", table.name);
                lint.tell(Check::MissingChain, here, Some(rule), message);
            }
        }
    }
    if !has_builtin || table.end != TableEnd::Commit {
        return;
    }
    for (number, chain) in table.chains.iter().enumerate() {
        // Calico keeps chains that no policy of the moment uses.
        let alone =
            ALONE.iter().any(|name| chain.name == *name) || chain.name.as_bytes().starts_with(b"cali-");
        if chain.policy.is_none()
            && !chain.rules.is_empty()
            && !alone
            && !led_to.contains(chain.name.as_bytes())
        {
            let here = ChainAt { dump, table: at, chain: number };
            let message = format!("nothing jumps to `{}`, which has rules", chain.name);
            lint.tell(Check::UnreferencedChain, here, None, message);
        }
    }
}
