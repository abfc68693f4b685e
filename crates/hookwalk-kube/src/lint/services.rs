//! Whether packets come to KUBE-SERVICES, and what they find there.

use std::collections::BTreeSet;

use hookwalk_engine::{Hook, Host, TableName};
use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::{Dump, TableEnd};

use super::{Check, Lint, jump};
use crate::explain;
use crate::find::{Goal, service_goals};
use crate::finding::Finding;
use crate::inventory::Inventory;
use crate::reach::{self, ChainAt, Class, Start, States, Types};

/// So many classes are walked together: past a limit they would be taken together and lose what tells
/// them apart.
const CHUNK: usize = 64;

pub(super) fn check(lint: &mut Lint<'_, '_>) {
    duplicates(lint);
    let goals = service_goals(lint.tables);
    let tables: Vec<_> = lint.tables.named(TableName::Nat).collect();
    for (dump, at, table) in tables {
        let chain = |name: &str| {
            let number = table.chains.iter().position(|chain| chain.name == name)?;
            Some(ChainAt { dump, table: at, chain: number })
        };
        let Some(services) = chain("KUBE-SERVICES") else { continue };
        node_ports_last(lint, services);
        if lint.tables.rules(services).is_empty() || table.end != TableEnd::Commit {
            continue;
        }
        for (name, hook, whose) in [
            ("PREROUTING", Hook::Prerouting, "from Pods and other hosts"),
            ("OUTPUT", Hook::Output, "from this node"),
        ] {
            // What restores into a kernel names only the chains that it changes.
            let Some(base) = chain(name) else { continue };
            let rules = lint.tables.rules(base);
            if !lint.tables.leads_to(base, services) {
                let message =
                    format!("nat {name} does not lead to KUBE-SERVICES: packets {whose} reach no Service");
                lint.tell(Check::ServicesJumpMissing, base, None, message);
                continue;
            }
            let leads = |to: &hookwalk_parser::types::Text| {
                let to = lint.tables.beside(base, to);
                to.is_some_and(|to| to == services || lint.tables.leads_to(to, services))
            };
            let Some(at) = rules.iter().position(|rule| jump(rule).is_some_and(leads)) else { continue };
            before_services(lint, base, hook, at, whose, &goals);
        }
    }
}

/// New packets to the addresses and ports of Services.
fn to_services(lint: &Lint<'_, '_>, hook: Hook, goals: &[Goal]) -> Vec<Class> {
    let start = if hook == Hook::Output { Start::Sent } else { Start::Arriving };
    let class = |goal: &Goal| {
        // An address of a Service is no address of a node, but for node ports.
        let types = if goal.address.is_some() { Types::UNICAST } else { Types::LOCAL };
        let class =
            reach::new_packets(goal.destinations(lint.family), types, goal.upper(), lint.family, start);
        let out_interface =
            if hook == Hook::Output { reach::Interfaces::any() } else { class.out_interface.clone() };
        Class { states: States::NEW, out_interface, ..class }
    };
    goals.iter().filter(|goal| goal.is_of(lint.family)).map(class).collect()
}

/// What stands before the jump to KUBE-SERVICES.
fn before_services(
    lint: &mut Lint<'_, '_>,
    base: ChainAt,
    hook: Hook,
    until: usize,
    whose: &str,
    goals: &[Goal],
) {
    if until == 0 || goals.is_empty() {
        return;
    }
    let host = Host::default();
    let mut culprits: BTreeSet<(ChainAt, usize)> = BTreeSet::new();
    let mut reached = false;
    for goals in goals.chunks(CHUNK) {
        let classes = to_services(lint, hook, goals);
        let stages =
            reach::pass(lint.tables, lint.family, &host, TableName::Nat, hook, classes, Some((base, until)));
        for stage in stages.iter().filter(|stage| stage.base == base) {
            reached |= !stage.ended.is_empty();
            let ends = |&&(chain, number): &&(ChainAt, usize)| {
                let target = lint.tables.rules(chain).get(number).map(|rule| &rule.target);
                matches!(
                    target,
                    Some(Target::Dnat(_) | Target::Redirect(_) | Target::Netmap(_) | Target::Accept)
                )
            };
            culprits.extend(stage.met.keys().filter(ends));
        }
    }
    if !reached {
        let message = format!("rules before this jump take every packet {whose} to a Service");
        lint.tell(Check::ServicesJumpNotReached, base, Some(until), message);
    }
    for (chain, number) in culprits {
        let Some(rule) = lint.tables.rules(chain).get(number) else { continue };
        let does = explain::target(&rule.target);
        let message = format!(
            "before KUBE-SERVICES is asked about a packet {whose} to a Service's address, this {does}"
        );
        lint.tell(Check::DnatBeforeServices, chain, Some(number), message);
    }
}

fn node_ports_last(lint: &mut Lint<'_, '_>, services: ChainAt) {
    let rules = lint.tables.rules(services);
    let is_node_ports = |rule: &hookwalk_parser::Rule| jump(rule).is_some_and(|to| *to == "KUBE-NODEPORTS");
    let Some(first) = rules.iter().position(is_node_ports) else { return };
    if let Some(behind) = rules.iter().skip(first).position(|rule| !is_node_ports(rule)) {
        let message = format!(
            "{} rules stand behind this jump to KUBE-NODEPORTS, which must be the last",
            rules.len() - first - behind
        );
        lint.tell(Check::NodePortsNotLast, services, Some(first), message);
    }
}

/// Balancing rules of one Service that lead to one endpoint.
fn duplicates(lint: &mut Lint<'_, '_>) {
    let tables: Vec<_> = lint.tables.named(TableName::Nat).collect();
    for (dump, at, table) in tables {
        for (number, chain) in table.chains.iter().enumerate() {
            let name = chain.name.to_str();
            if !["KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-"].iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let here = ChainAt { dump, table: at, chain: number };
            let mut seen = BTreeSet::new();
            for (rule_number, rule) in chain.rules.iter().enumerate() {
                // With session affinity each endpoint has a rule that remembers, and one that balances.
                let remembers = rule.matches.iter().any(|m| matches!(m, Match::Recent(_)));
                let to = jump(rule).filter(|to| to.as_bytes().starts_with(b"KUBE-SEP-") && !remembers);
                let Some(to) = to.and_then(|to| lint.tables.beside(here, to)) else { continue };
                let endpoint = lint.tables.rules(to).iter().find_map(|rule| match &rule.target {
                    Target::Dnat(t) => Some(t.to.to_string()),
                    _ => None,
                });
                let Some(endpoint) = endpoint else { continue };
                if !seen.insert(endpoint.clone()) {
                    let message =
                        format!("`{endpoint}` is an endpoint of this Service by an earlier rule too");
                    lint.tell(Check::DuplicateEndpoint, here, Some(rule_number), message);
                }
            }
        }
    }
}

/// The shares that endpoints of each Service get.
pub(super) fn shares(dumps: &[Dump], findings: &mut Vec<Finding>) {
    let inventory = Inventory::read(dumps, None);
    for entry in &inventory.services {
        let name = entry.name.as_ref().map(|name| format!("service {name}"));
        let shares: Vec<(f64, _)> = entry
            .endpoints
            .iter()
            .filter_map(|endpoint| Some((endpoint.share.as_ref()?.to_f64(), endpoint)))
            .collect();
        let (Some(least), Some(most)) = (
            shares.iter().min_by(|a, b| a.0.total_cmp(&b.0)),
            shares.iter().max_by(|a, b| a.0.total_cmp(&b.0)),
        ) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "endpoints are not that many")]
        let equal = 1.0 / shares.len() as f64;
        if most.0 > equal * 1.01 || least.0 < equal * 0.99 {
            let check = Check::UnequalShares;
            let message = format!(
                "`{}` gets {:.2}% and `{}` gets {:.2}%, with {} endpoints",
                most.1.address,
                most.0 * 100.0,
                least.1.address,
                least.0 * 100.0,
                shares.len(),
            );
            let mut finding = Finding::new(check.code(), check.severity(), message);
            finding.object = name;
            findings.push(finding.at(least.1.rule.clone()));
        }
    }
}
