use std::net::IpAddr;

use hookwalk_parser::Rule;
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::{Family, Protocol};
use rustc_hash::FxHashMap;

use super::chains::{self, Balanced};
use super::names::{self, Known, PortName};
use super::{AddressEntry, AddressKind, EndpointEntry, NoEndpoints, PortEntry};
use crate::names::service_hash;
use crate::objects::{Objects, TrafficPolicy};
use crate::rules::{self, At, EXT, FW, SVC, SVL, TableView, Tables, XLB};
use crate::settings::{Layout, Settings};

/// Every Service port of the tables.
pub(super) fn services(
    tables: &Tables<'_>,
    settings: &[Settings],
    objects: Option<&Objects>,
) -> Vec<PortEntry> {
    let known = objects.map(Known::new).unwrap_or_default();
    let mut reading = Reading { tables, settings, known, entries: Vec::new(), by_hash: FxHashMap::default() };
    for nat in tables.named("nat") {
        reading.addresses(nat);
        reading.node_ports(nat);
    }
    for filter in tables.named("filter") {
        reading.refused(filter);
        reading.health_checks(filter);
    }
    for index in 0..reading.entries.len() {
        for nat in tables.named("nat") {
            reading.chains(index, nat);
        }
    }
    if let Some(objects) = objects {
        reading.kinds(objects);
    }
    let mut entries = reading.entries;
    for entry in &mut entries {
        entry.addresses.sort_by_key(|address| address.kind);
    }
    entries.sort_by_cached_key(|entry| {
        (entry.name.is_none(), entry.name.clone(), entry.protocol, entry.hash.clone())
    });
    entries
}

struct Reading<'a, 'd> {
    tables: &'a Tables<'d>,
    settings: &'a [Settings],
    known: Known,
    entries: Vec<PortEntry>,
    by_hash: FxHashMap<String, usize>,
}

impl Reading<'_, '_> {
    /// `KUBE-SERVICES` of nat: which address goes to which chain.
    fn addresses(&mut self, nat: &TableView<'_>) {
        for (at, rule) in nat.rules(b"KUBE-SERVICES") {
            let Some((prefix, hash)) = rules::jump(rule).and_then(rules::service_chain) else { continue };
            let Some((protocol, port)) = rules::port(rule) else { continue };
            let comment = rules::comment(rule);
            let named = comment.as_deref().and_then(names::in_comment);
            let kind = match (prefix, named.map(|(_, ending)| ending)) {
                (FW, _) | (_, Some(" loadbalancer IP")) => AddressKind::LoadBalancerIp,
                (_, Some(" external IP")) => AddressKind::ExternalIp,
                (SVC | SVL, _) => AddressKind::ClusterIp,
                _ => AddressKind::External,
            };
            let entry = self.entry(hash, protocol, named.map(|(name, _)| name));
            // Served at more or less than one address: a Service without one that is told.
            let Some(ip) = rules::host_destination(rule) else { continue };
            self.add_address(entry, kind, Some(ip), nat.family, port, at, None);
            // From 1.24 on the chain of the cluster IP tells its policy.
            let tells = self.layout_of(nat.family) >= Some(Layout::From124);
            let Some(entry) = self.entries.get_mut(entry) else { continue };
            match (kind, prefix) {
                (AddressKind::ClusterIp, SVC) if tells => {
                    entry.internal_policy = Some(TrafficPolicy::Cluster);
                }
                (AddressKind::ClusterIp, SVL) => entry.internal_policy = Some(TrafficPolicy::Local),
                (AddressKind::ClusterIp, _) => {}
                (_, SVC | FW) => {
                    entry.external_policy = entry.external_policy.or(Some(TrafficPolicy::Cluster));
                }
                _ => {}
            }
        }
    }

    /// `KUBE-NODEPORTS` of nat.
    fn node_ports(&mut self, nat: &TableView<'_>) {
        for (at, rule) in nat.rules(b"KUBE-NODEPORTS") {
            let Some((prefix, hash)) = rules::jump(rule).and_then(rules::service_chain) else { continue };
            let Some((protocol, port)) = rules::port(rule) else { continue };
            let comment = rules::comment(rule);
            let named = comment.as_deref().and_then(names::in_comment);
            let entry = self.entry(hash, protocol, named.map(|(name, _)| name));
            self.add_address(entry, AddressKind::NodePort, None, nat.family, port, at, None);
            if let Some(entry) = self.entries.get_mut(entry).filter(|_| prefix == SVC) {
                entry.external_policy = entry.external_policy.or(Some(TrafficPolicy::Cluster));
            }
        }
    }

    /// `KUBE-SERVICES` and `KUBE-EXTERNAL-SERVICES` of filter: addresses without endpoints.
    fn refused(&mut self, filter: &TableView<'_>) {
        for chain in ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"] {
            for (at, rule) in filter.rules(chain.as_bytes()) {
                let no_endpoints = match rule.target {
                    Target::Reject(_) => NoEndpoints::Reject,
                    Target::Drop => NoEndpoints::Drop,
                    _ => continue,
                };
                self.refused_by(filter, chain, at, rule, no_endpoints);
            }
        }
    }

    fn refused_by(
        &mut self,
        filter: &TableView<'_>,
        chain: &str,
        at: At,
        rule: &Rule,
        no_endpoints: NoEndpoints,
    ) {
        let Some((protocol, port)) = rules::port(rule) else { return };
        let ip = rules::host_destination(rule);
        if ip.is_none() && !rules::asks_local_destination(rule) {
            return;
        }
        let comment = rules::comment(rule);
        let named = comment.as_deref().and_then(names::in_comment);
        let entry = match named {
            Some((name, _)) => self.entry(&service_hash(name, protocol), protocol, Some(name)),
            None => self.unnamed(ip, protocol, port),
        };
        let kind = match (chain, ip) {
            (_, None) => AddressKind::NodePort,
            // Up to 1.20 load-balancer addresses stand here as well, behind the cluster IP.
            ("KUBE-SERVICES", _) => {
                let has = self.entries.get(entry).is_some_and(|entry| {
                    let of_family = |a: &AddressEntry| a.family == filter.family && a.ip != ip;
                    entry.addresses_of(AddressKind::ClusterIp).any(of_family)
                });
                if has { AddressKind::External } else { AddressKind::ClusterIp }
            }
            _ => AddressKind::External,
        };
        self.add_address(entry, kind, ip, filter.family, port, at, Some(no_endpoints));
        let Some(entry) = self.entries.get_mut(entry) else { return };
        entry.no_endpoints = match entry.no_endpoints {
            Some(NoEndpoints::Reject) => Some(NoEndpoints::Reject),
            _ => Some(no_endpoints),
        };
        if no_endpoints == NoEndpoints::Drop {
            let policy = if chain == "KUBE-SERVICES" {
                &mut entry.internal_policy
            } else {
                &mut entry.external_policy
            };
            *policy = Some(TrafficPolicy::Local);
        }
    }

    /// `KUBE-NODEPORTS` of filter.
    fn health_checks(&mut self, filter: &TableView<'_>) {
        for (_, rule) in filter.rules(b"KUBE-NODEPORTS") {
            let Some((_, port)) = rules::port(rule).filter(|_| rule.target == Target::Accept) else {
                continue;
            };
            let Some(comment) = rules::comment(rule) else { continue };
            let Some((name, " health check node port")) = names::in_comment(&comment) else { continue };
            // The rule is for TCP whatever the Service's protocol is.
            let Some(name) = PortName::parse(name) else { continue };
            for entry in self.entries.iter_mut().filter(|entry| entry.name.as_ref() == Some(&name)) {
                entry.health_check_node_port = Some(port);
            }
        }
    }

    /// The chains of one Service port.
    fn chains(&mut self, index: usize, nat: &TableView<'_>) {
        let Some(hash) = self.entries.get(index).and_then(|entry| entry.hash.clone()) else { return };
        let chain = |prefix: &str| format!("{prefix}{hash}").into_bytes();
        let all = chains::balanced(nat, &chain(SVC));
        let [svl, xlb] = [SVL, XLB].map(chain);
        let has_local = nat.chain(&svl).is_some() || nat.chain(&xlb).is_some();
        let local = if nat.chain(&svl).is_some() { svl } else { xlb };
        let drops = nat.rules(&local).any(|(_, rule)| rules::jumps_to(rule, rules::MARK_DROP));
        let local = chains::balanced(nat, &local);
        let from_outside = external_policy(nat, &hash);
        let ranges = source_ranges(nat, &chain(FW), self.entries.get(index));
        let tables = self.tables;
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.affinity_seconds = entry.affinity_seconds.or(all.affinity_seconds).or(local.affinity_seconds);
        add_endpoints(tables, entry, &all, &local, has_local);
        entry.external_policy = from_outside.or(entry.external_policy);
        if entry.source_ranges.is_empty() {
            entry.source_ranges = ranges;
        } else {
            entry.source_ranges.extend(ranges);
        }
        if drops {
            entry.no_endpoints = entry.no_endpoints.or(Some(NoEndpoints::Drop));
        }
        for address in entry.addresses.iter_mut().filter(|address| address.family == nat.family) {
            let wants_local = match address.kind {
                AddressKind::ClusterIp => entry.internal_policy == Some(TrafficPolicy::Local),
                _ => entry.external_policy == Some(TrafficPolicy::Local),
            };
            if drops && wants_local {
                address.no_endpoints = address.no_endpoints.or(Some(NoEndpoints::Drop));
            }
        }
    }

    /// What the objects tell of external addresses that the rules do not.
    fn kinds(&mut self, objects: &Objects) {
        for entry in &mut self.entries {
            let Some(service) =
                entry.name.as_ref().and_then(|name| objects.service(&name.namespace, &name.name))
            else {
                continue;
            };
            for address in entry.addresses.iter_mut().filter(|a| a.kind == AddressKind::External) {
                let Some(ip) = address.ip else { continue };
                if service.load_balancer.iter().any(|ingress| ingress.ip == ip) {
                    address.kind = AddressKind::LoadBalancerIp;
                } else if service.external_ips.contains(&ip) {
                    address.kind = AddressKind::ExternalIp;
                }
            }
        }
    }

    fn layout_of(&self, family: Family) -> Option<Layout> {
        self.settings.iter().find(|settings| settings.family == family)?.layout
    }

    fn entry(&mut self, hash: &str, protocol: Protocol, commented: Option<&str>) -> usize {
        let proven = commented.filter(|name| names::proves(hash, name, protocol));
        // A comment that the hash does not prove counts for less than what the objects say of the hash.
        let name = proven.and_then(PortName::parse).or_else(|| self.known.get(hash).cloned());
        let name = name.or_else(|| commented.and_then(PortName::parse));
        if let Some(&index) = self.by_hash.get(hash) {
            if let Some(entry) = self.entries.get_mut(index) {
                entry.name = entry.name.take().or(name);
            }
            return index;
        }
        let index = self.entries.len();
        self.by_hash.insert(hash.to_owned(), index);
        self.entries.push(PortEntry { name, hash: Some(hash.to_owned()), ..PortEntry::new(protocol) });
        index
    }

    /// The entry of an address whose rule has no name.
    fn unnamed(&mut self, ip: Option<IpAddr>, protocol: Protocol, port: u16) -> usize {
        let serves = |entry: &PortEntry| {
            entry.protocol == protocol && entry.addresses.iter().any(|a| (a.ip, a.port) == (ip, port))
        };
        if let Some(index) = self.entries.iter().position(serves) {
            return index;
        }
        if let Some(hash) = self.known.at(ip, protocol, port).cloned() {
            return self.entry(&hash, protocol, None);
        }
        self.entries.push(PortEntry::new(protocol));
        self.entries.len() - 1
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one address, told once each")]
    fn add_address(
        &mut self,
        entry: usize,
        kind: AddressKind,
        ip: Option<IpAddr>,
        family: Family,
        port: u16,
        at: At,
        no_endpoints: Option<NoEndpoints>,
    ) {
        let (Some(entry), Some(rule)) = (self.entries.get_mut(entry), self.tables.reference(at)) else {
            return;
        };
        let same = |a: &&mut AddressEntry| (a.ip, a.family, a.port) == (ip, family, port);
        match entry.addresses.iter_mut().find(same) {
            Some(known) => known.no_endpoints = known.no_endpoints.or(no_endpoints),
            None => entry.addresses.push(AddressEntry { kind, ip, family, port, rule, no_endpoints }),
        }
    }
}

impl PortEntry {
    fn new(protocol: Protocol) -> Self {
        PortEntry {
            name: None,
            protocol,
            hash: None,
            addresses: Vec::new(),
            endpoints: Vec::new(),
            source_ranges: Vec::new(),
            affinity_seconds: None,
            external_policy: None,
            internal_policy: None,
            health_check_node_port: None,
            no_endpoints: None,
        }
    }
}

fn add_endpoints(
    tables: &Tables<'_>,
    entry: &mut PortEntry,
    all: &Balanced,
    local: &Balanced,
    has_local: bool,
) {
    for (balanced, is_local) in [(all, false), (local, true)] {
        for sent in &balanced.endpoints {
            let Some(rule) = tables.reference(sent.dnat) else { continue };
            let known = entry.endpoints.iter().position(|known| known.address == sent.address);
            let index = known.unwrap_or_else(|| {
                entry.endpoints.push(EndpointEntry {
                    address: sent.address,
                    share: None,
                    local_share: None,
                    local: has_local.then_some(false),
                    rule,
                });
                entry.endpoints.len() - 1
            });
            let Some(endpoint) = entry.endpoints.get_mut(index) else { continue };
            if is_local {
                endpoint.local = Some(true);
                endpoint.local_share = endpoint.local_share.take().or_else(|| sent.share.clone());
            } else {
                endpoint.share = endpoint.share.take().or_else(|| sent.share.clone());
            }
        }
    }
    // A table filter that drops for want of local endpoints says of all others that they are elsewhere.
    if !has_local && entry.no_endpoints == Some(NoEndpoints::Drop) {
        for endpoint in &mut entry.endpoints {
            endpoint.local = endpoint.local.or(Some(false));
        }
    }
}

/// The policy for what comes from outside, where it has a chain of its own.
fn external_policy(nat: &TableView<'_>, hash: &str) -> Option<TrafficPolicy> {
    let chain = |prefix: &str| format!("{prefix}{hash}").into_bytes();
    let (ext, svc, xlb) = (chain(EXT), chain(SVC), chain(XLB));
    if nat.chain(&xlb).is_some() {
        return Some(TrafficPolicy::Local);
    }
    if nat.chain(&ext).is_some() {
        let unasked = |rule: &Rule| rule.base.is_empty() && !rules::asks_local_source(rule);
        let to_all = nat.rules(&ext).any(|(_, rule)| rules::jump(rule) == Some(&svc) && unasked(rule));
        return Some(if to_all { TrafficPolicy::Cluster } else { TrafficPolicy::Local });
    }
    None
}

/// The sources that `KUBE-FW` lets through, but for the load balancer's own addresses, which stand
/// there when the node itself is let through.
fn source_ranges(
    nat: &TableView<'_>,
    fw: &[u8],
    entry: Option<&PortEntry>,
) -> Vec<hookwalk_parser::types::MaskedAddress> {
    let own = |ip: IpAddr| entry.is_some_and(|entry| entry.addresses.iter().any(|a| a.ip == Some(ip)));
    let mut ranges = Vec::new();
    for (_, rule) in nat.rules(fw) {
        let to_service = rules::jump(rule).and_then(rules::service_chain).is_some();
        let Some(source) = rule.base.source().filter(|source| to_service && !source.negated) else {
            continue;
        };
        if !rules::host_source(rule).is_some_and(own) && !ranges.contains(&source.value) {
            ranges.push(source.value);
        }
    }
    ranges
}
