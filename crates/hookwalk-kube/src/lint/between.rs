//! What differs between the dumps of several nodes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use hookwalk_engine::{RuleRef, TableName};
use hookwalk_parser::Dump;
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::Family;

use super::{Check, jump};
use crate::find::{Goal, service_goals};
use crate::finding::Finding;
use crate::reach::{ChainAt, Tables};

/// The endpoints of each Service on one node, by the name of its chain.
type Services = BTreeMap<Vec<u8>, Service>;

struct Service {
    endpoints: BTreeMap<String, RuleRef>,
    chain: Option<RuleRef>,
    name: Option<String>,
}

pub(super) fn check(dumps: &[Dump], nodes: &[Vec<usize>], findings: &mut Vec<Finding>) {
    for family in [Family::V4, Family::V6] {
        let tables: Vec<Tables<'_>> = nodes.iter().map(|node| Tables::of(dumps, node, family)).collect();
        let with_rules: Vec<&Tables<'_>> =
            tables.iter().filter(|tables| !service_goals(tables).is_empty()).collect();
        if with_rules.len() < 2 {
            continue;
        }
        endpoints(&with_rules, findings);
        services(&with_rules, findings);
    }
}

fn dump_of(tables: &Tables<'_>) -> usize {
    tables.named(TableName::Nat).next().map_or(0, |(dump, _, _)| dump)
}

/// KUBE-SVC chains alone: those of local endpoints differ between nodes as they should.
fn read(tables: &Tables<'_>) -> Services {
    let mut services = Services::new();
    for (dump, at, table) in tables.named(TableName::Nat) {
        for (number, chain) in table.chains.iter().enumerate() {
            if !chain.name.as_bytes().starts_with(b"KUBE-SVC-") {
                continue;
            }
            let here = ChainAt { dump, table: at, chain: number };
            let place = |rule| RuleRef::new(tables.dumps(), dump, at, number, rule);
            let mut service = Service { endpoints: BTreeMap::new(), chain: place(None), name: None };
            for (rule_number, rule) in chain.rules.iter().enumerate() {
                let Some(to) = jump(rule).and_then(|to| tables.beside(here, to)) else { continue };
                let endpoint = tables.rules(to).iter().find_map(|rule| match &rule.target {
                    Target::Dnat(t) => Some(t.to.to_string()),
                    _ => None,
                });
                let comment = rule.comments().next().map(|comment| comment.to_str().into_owned());
                let named = comment.and_then(|text| Some(text.split(' ').next()?.to_owned()));
                service.name = service.name.take().or(named.filter(|name| name.contains('/')));
                if let (Some(endpoint), Some(place)) = (endpoint, place(Some(rule_number))) {
                    service.endpoints.entry(endpoint).or_insert(place);
                }
            }
            services.insert(chain.name.as_bytes().to_vec(), service);
        }
    }
    services
}

/// Of two nodes nobody can say which is behind; of more the fewer are likelier to be.
fn majority(nodes: usize, lacking: &[String]) -> String {
    let with = nodes - lacking.len();
    match with.cmp(&lacking.len()) {
        _ if nodes < 3 => String::new(),
        Ordering::Equal => String::new(),
        Ordering::Greater => format!(
            " (a hint, no proof: {with} of {nodes} have it, so that {} may be behind)",
            lacking.join(", ")
        ),
        Ordering::Less => format!(
            " (a hint, no proof: {} of {nodes} do not have it, so that this one may be behind)",
            lacking.len()
        ),
    }
}

fn endpoints(nodes: &[&Tables<'_>], findings: &mut Vec<Finding>) {
    let read: Vec<(usize, Services)> = nodes.iter().map(|tables| (dump_of(tables), read(tables))).collect();
    let chains: BTreeSet<&Vec<u8>> = read.iter().flat_map(|(_, services)| services.keys()).collect();
    for chain in chains {
        let with: Vec<(usize, &Service)> =
            read.iter().filter_map(|(dump, services)| Some((*dump, services.get(chain)?))).collect();
        let all: BTreeSet<&String> = with.iter().flat_map(|(_, service)| service.endpoints.keys()).collect();
        for endpoint in all {
            let lacking: Vec<String> = with
                .iter()
                .filter(|(_, service)| !service.endpoints.contains_key(endpoint))
                .map(|(dump, _)| format!("dump {}", dump + 1))
                .collect();
            let has = with.iter().find_map(|(_, service)| Some((service, service.endpoints.get(endpoint)?)));
            let (false, Some((service, place))) = (lacking.is_empty(), has) else { continue };
            let check = Check::EndpointsDiffer;
            let hint = majority(with.len(), &lacking);
            let message =
                format!("`{endpoint}` is an endpoint here, and not in {}{hint}", lacking.join(", "));
            let mut finding = Finding::new(check.code(), check.severity(), message).at(place.clone());
            finding.object = service.name.as_ref().map(|name| format!("service {name}"));
            finding.object = finding.object.or(service.chain.as_ref().map(|chain| chain.chain.to_string()));
            findings.push(finding);
        }
    }
}

fn services(nodes: &[&Tables<'_>], findings: &mut Vec<Finding>) {
    let read: Vec<(usize, Vec<Goal>)> =
        nodes.iter().map(|tables| (dump_of(tables), service_goals(tables))).collect();
    let key = |goal: &Goal| (goal.address, goal.port, goal.protocol);
    let mut told = BTreeSet::new();
    for (dump, goals) in &read {
        for goal in goals {
            let lacking: Vec<String> = read
                .iter()
                .filter(|(_, others)| !others.iter().any(|other| key(other) == key(goal)))
                .map(|(other, _)| format!("dump {}", other + 1))
                .collect();
            if lacking.is_empty() || !told.insert(goal.to_string()) {
                continue;
            }
            let check = Check::ServicesDiffer;
            let hint = majority(read.len(), &lacking);
            let message = format!("{goal} is here, and not in {}{hint}", lacking.join(", "));
            let mut finding = Finding::new(check.code(), check.severity(), message);
            finding.object = goal.service.as_ref().map(|name| format!("service {name}"));
            finding.dump = *dump;
            findings.push(finding);
        }
    }
}
