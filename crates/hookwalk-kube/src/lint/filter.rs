//! Whether table filter lets through what the Services send on.

use hookwalk_engine::{Hook, Host, TableName};
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::{Family, InterfacePattern, Protocol};
use hookwalk_parser::{Policy, TableEnd};

use super::{Check, Lint, jump};
use crate::reach::{self, Bits, ChainAt, Class, Interfaces, Protocols, Spans, Start, States, Types, Upper};

pub(super) fn check(lint: &mut Lint<'_, '_>) {
    let endpoints = endpoints(lint);
    if endpoints.is_empty() {
        return;
    }
    let tables: Vec<_> = lint.tables.named(TableName::Filter).collect();
    for (dump, at, table) in tables {
        if table.end != TableEnd::Commit {
            continue;
        }
        let Some(number) = table.chains.iter().position(|chain| chain.name == "FORWARD") else { continue };
        let base = ChainAt { dump, table: at, chain: number };
        // A table that was never used drops nothing, and one side of two backends may be such.
        drops_pods(lint, base, &endpoints);
        host_first(lint, base, &endpoints);
    }
}

/// Where the rules of kube-proxy send packets.
fn endpoints(lint: &Lint<'_, '_>) -> Spans {
    let mut all = Vec::new();
    for (_, _, table) in lint.tables.named(TableName::Nat) {
        let chains = table.chains.iter().filter(|chain| chain.name.as_bytes().starts_with(b"KUBE-SEP-"));
        for rule in chains.flat_map(|chain| &chain.rules) {
            if let Target::Dnat(t) = &rule.target
                && let Some(range) = t.to.addresses.filter(|range| Family::of(range.first) == lint.family)
            {
                all.push((reach::number(range.first), reach::number(range.last)));
            }
        }
    }
    Spans::new(all)
}

/// Packets from one endpoint to another, behind the rewrite, by any interface that may lead there.
fn between_pods(lint: &Lint<'_, '_>, endpoints: &Spans) -> Class {
    let tcp = Upper::any().split_protocols(Protocols::one(Protocol::TCP)).0;
    let class = reach::new_packets(endpoints.clone(), Types::UNICAST, tcp, lint.family, Start::Arriving);
    let mut interfaces = Interfaces::any();
    for other in elsewhere(lint, endpoints) {
        interfaces = interfaces.split(&other).1.unwrap_or(Interfaces::None);
    }
    Class {
        src: endpoints.clone(),
        in_interface: interfaces.clone(),
        out_interface: interfaces,
        states: States::NEW,
        dnat: true,
        ..class
    }
}

/// Interfaces behind which no endpoint is: `-s NET ! -o IFACE -j MASQUERADE` says which network is there.
fn elsewhere(lint: &Lint<'_, '_>, endpoints: &Spans) -> Vec<InterfacePattern> {
    let mut found = Vec::new();
    for (_, _, table) in lint.tables.named(TableName::Nat) {
        for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
            let (Some(source), Some(out)) = (rule.base.source(), rule.base.out_interface()) else { continue };
            if source.negated || !out.negated || !matches!(rule.target, Target::Masquerade(_)) {
                continue;
            }
            let Some(network) = reach::network(&source.value) else { continue };
            if network.intersection(endpoints).is_empty() {
                found.push(out.value);
            }
        }
    }
    found
}

/// Nothing accepts a new packet to an endpoint.
fn drops_pods(lint: &mut Lint<'_, '_>, base: ChainAt, endpoints: &Spans) {
    let class = between_pods(lint, endpoints);
    let host = Host::default();
    let stages =
        reach::pass(lint.tables, lint.family, &host, TableName::Filter, Hook::Forward, vec![class], None);
    let Some(stage) = stages.iter().find(|stage| stage.base == base) else { return };
    if !stage.passed.is_empty() {
        return;
    }
    let is_policy = stage.policy.is_some()
        && lint.tables.chain(base).and_then(|chain| chain.policy) == Some(Policy::Drop);
    let culprit = stage.met.keys().rev().find(|(chain, number)| {
        let target = lint.tables.rules(*chain).get(*number).map(|rule| &rule.target);
        matches!(target, Some(Target::Drop | Target::Reject(_)))
    });
    let why = "no rule accepts new packets to endpoints that are not marked for masquerade";
    match (is_policy, culprit) {
        (false, Some(&(chain, rule))) => {
            lint.tell(Check::ForwardDropsPods, chain, Some(rule), format!("{why}, and this one drops them"));
        }
        _ => lint.tell(Check::ForwardDropsPods, base, None, format!("{why}, and the policy drops them")),
    }
}

/// Chains of programs that decide about Pods: a drop there is meant.
const POLICIES: [&str; 14] = [
    "KUBE-",
    "cali-",
    "WEAVE-",
    "AZURE-NPM",
    "CILIUM",
    "ANTREA",
    "DOCKER",
    "FLANNEL",
    "CNI-",
    "ISTIO",
    "felix-",
    "ROMANA",
    "OPENSHIFT",
    "MULTI-",
];

/// A rule of the host's own firewall that takes packets before KUBE-FORWARD is asked.
fn host_first(lint: &mut Lint<'_, '_>, base: ChainAt, endpoints: &Spans) {
    let rules = lint.tables.rules(base);
    let Some(until) = rules.iter().position(|rule| jump(rule).is_some_and(|to| *to == "KUBE-FORWARD")) else {
        return;
    };
    if until == 0 {
        return;
    }
    let host = Host::default();
    let class = between_pods(lint, endpoints);
    // What KUBE-FORWARD accepts: packets marked for masquerade, and later ones of any connection.
    let later = Class { states: States::LATER, ..class.clone() };
    let marked = Class { mark: Bits { value: 0x4000, known: u32::MAX }, ..class };
    let stages = reach::pass(
        lint.tables,
        lint.family,
        &host,
        TableName::Filter,
        Hook::Forward,
        vec![marked, later],
        Some((base, until)),
    );
    let Some(stage) = stages.iter().find(|stage| stage.base == base) else { return };
    let mut told = Vec::new();
    for (&(chain, number), met) in &stage.met {
        let Some(rule) = lint.tables.rules(chain).get(number) else { continue };
        let name = lint.tables.chain(chain).map(|chain| chain.name.to_string()).unwrap_or_default();
        let of_policies = POLICIES.iter().any(|prefix| name.starts_with(prefix));
        let unconditional = met.decides.iter().all(|decides| !decides);
        if matches!(rule.target, Target::Drop | Target::Reject(_)) && unconditional && !of_policies {
            told.push((chain, number));
        }
    }
    for (chain, number) in told {
        let message = "it drops packets to endpoints before KUBE-FORWARD is asked".to_owned();
        lint.tell(Check::HostFirewallFirst, chain, Some(number), message);
    }
}
