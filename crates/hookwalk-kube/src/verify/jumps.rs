//! The jumps from built-in chains, without which nothing else is reached.

use hookwalk_parser::types::Family;

use super::at_chain;
use crate::finding::{Finding, Severity};
use crate::rules::{self, Tables};
use crate::settings::{Layout, Settings};
use crate::vantage::Vantage;

/// What is broken for all Services alike: told once, and not for each again.
#[derive(Debug, Default)]
pub(super) struct Broken {
    arriving: bool,
    sent_here: bool,
    pub(super) node_ports: bool,
    pub(super) marks: bool,
}

impl Broken {
    /// Whether packets of this kind are broken for all.
    pub(super) fn skips(&self, vantage: Vantage) -> bool {
        if vantage == Vantage::ThisNode { self.sent_here } else { self.arriving }
    }
}

/// Table, built-in chain, chain, and the first and last layout that have the jump.
type Jump = (&'static str, &'static str, &'static str, Layout, Layout);

const JUMPS: &[Jump] = {
    use Layout::{From122, From125, UpTo121};
    &[
        ("nat", "PREROUTING", "KUBE-SERVICES", UpTo121, From125),
        ("nat", "OUTPUT", "KUBE-SERVICES", UpTo121, From125),
        ("nat", "POSTROUTING", "KUBE-POSTROUTING", UpTo121, From125),
        ("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", UpTo121, From125),
        ("filter", "INPUT", "KUBE-NODEPORTS", From122, From125),
        ("filter", "INPUT", "KUBE-PROXY-FIREWALL", From125, From125),
        ("filter", "FORWARD", "KUBE-FORWARD", UpTo121, From125),
        ("filter", "FORWARD", "KUBE-SERVICES", From122, From125),
        ("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", From122, From125),
        ("filter", "FORWARD", "KUBE-PROXY-FIREWALL", From125, From125),
        ("filter", "OUTPUT", "KUBE-SERVICES", UpTo121, From125),
        ("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", From125, From125),
        // The kubelet's up to 1.26: drops by mark, and what comes to 127.0.0.0/8 from elsewhere.
        ("filter", "INPUT", "KUBE-FIREWALL", UpTo121, From125),
        ("filter", "OUTPUT", "KUBE-FIREWALL", UpTo121, From125),
    ]
};

/// Tells the jumps that are missing.
pub(super) fn check(
    tables: &Tables<'_>,
    settings: &Settings,
    has_node_ports: bool,
    findings: &mut Vec<Finding>,
) -> Broken {
    let mut broken = Broken::default();
    let Some(layout) = settings.layout else { return broken };
    for (table, from, to, first, last) in JUMPS {
        if layout < *first || layout > *last || !is_missing(tables, settings.family, table, from, to) {
            continue;
        }
        match (*table, *from) {
            ("nat", "PREROUTING") => broken.arriving = true,
            ("nat", "OUTPUT") => broken.sent_here = true,
            ("nat", _) => broken.marks = true,
            _ => {}
        }
        let message = format!("nothing in {from} of table {table} jumps to {to}");
        let finding = Finding::new("jump-missing", Severity::Error, message);
        findings.push(at_chain(tables, settings.family, table, from, finding));
    }
    // Up to 1.20, which have no health checks in filter; nothing that INPUT sees goes to a cluster IP there.
    let has_health_checks = || {
        tables
            .named("filter")
            .any(|view| view.family == settings.family && view.chain(b"KUBE-NODEPORTS").is_some())
    };
    if layout == Layout::UpTo121
        && !has_health_checks()
        && is_missing(tables, settings.family, "filter", "INPUT", "KUBE-SERVICES")
    {
        let message = "nothing in INPUT of table filter jumps to KUBE-SERVICES; that does no harm while no cluster IP is \
                       an address of this node";
        let finding = Finding::new("jump-missing", Severity::Info, message);
        findings.push(at_chain(tables, settings.family, "filter", "INPUT", finding));
    }
    if has_node_ports && !settings.node_ports.served {
        broken.node_ports = true;
        let message = "nothing in KUBE-SERVICES of table nat jumps to KUBE-NODEPORTS: no node port is served";
        let finding = Finding::new("jump-missing", Severity::Error, message);
        findings.push(at_chain(tables, settings.family, "nat", "KUBE-SERVICES", finding));
    }
    broken
}

/// Whether the chain is there, the built-in one is told, and nothing leads from it to the other.
fn is_missing(tables: &Tables<'_>, family: Family, table: &'static str, from: &str, to: &str) -> bool {
    let mut views =
        tables.named(table).filter(|view| view.family == family && view.chain(to.as_bytes()).is_some());
    views.any(|view| {
        let Some(built_in) = view.chain(from.as_bytes()) else { return false };
        if !built_in.gaps.is_empty() || built_in.line.is_none() {
            return false;
        }
        // Through a chain between: some hosts sort their rules so.
        let mut seen: Vec<&[u8]> = vec![from.as_bytes()];
        let mut next = 0;
        while let Some(chain) = seen.get(next).copied() {
            next += 1;
            for (_, rule) in view.rules(chain) {
                match rules::jump(rule) {
                    Some(target) if target == to.as_bytes() => return false,
                    Some(target) if !seen.contains(&target) && rules::service_chain(target).is_none() => {
                        seen.push(target);
                    }
                    _ => {}
                }
            }
        }
        true
    })
}
