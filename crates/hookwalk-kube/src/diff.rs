//! What differs between dumps, Service by Service: whatever the order of rules, the names of chains and
//! the version that wrote them.
//!
//! ```
//! use hookwalk_kube::diff::{Options, diff};
//! use hookwalk_kube::inventory::Inventory;
//! let dump = |endpoint: &str| {
//!     let text = format!("*nat\n\
//!         -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment \"kube-system/kube-dns:dns cluster IP\" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU\n\
//!         -A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-A\n\
//!         -A KUBE-SEP-A -p udp -m udp -j DNAT --to-destination {endpoint}\nCOMMIT\n");
//!     Inventory::read(&[hookwalk_parser::parse(text)], None)
//! };
//! let files = ["before.save".to_owned(), "after.save".to_owned()];
//! let found = diff(&[dump("10.0.1.2:53"), dump("10.0.1.3:53")], &files, &Options::default());
//! assert_eq!(found[0].message, "`kube-system/kube-dns:dns` (udp) has endpoint 10.0.1.2:53 in before.save alone");
//! assert_eq!((found[1].dump, found[1].line), (1, Some(4)));
//! ```

use std::net::SocketAddr;

use hookwalk_engine::{Probability, RuleRef};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Finding, Severity};
use crate::inventory::{AddressEntry, EndpointEntry, Inventory, NoEndpoints, PortEntry};
use crate::objects::TrafficPolicy;

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// The dumps are of different nodes: what each has for itself (which endpoints are local, what it
    /// drops for want of local ones) is not compared.
    pub of_many_nodes: bool,
}

/// Compares each inventory with the first; `files` are their names in messages.
pub fn diff(inventories: &[Inventory], files: &[String], options: &Options) -> Vec<Finding> {
    let Some((first, others)) = inventories.split_first() else { return Vec::new() };
    let mut findings = Vec::new();
    for (index, other) in others.iter().enumerate() {
        let dump = index + 1;
        let name = |dump: usize| files.get(dump).cloned().unwrap_or_else(|| format!("dump {}", dump + 1));
        let mut pair = Pair { options, names: [name(0), name(dump)], dump, findings: Vec::new() };
        pair.settings(first, other);
        pair.services(first, other);
        findings.append(&mut pair.findings);
    }
    findings
}

struct Pair<'a> {
    options: &'a Options,
    names: [String; 2],
    /// The index of the second.
    dump: usize,
    findings: Vec<Finding>,
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

impl Pair<'_> {
    fn name(&self, side: Side) -> &str {
        let [first, second] = &self.names;
        if side == Side::First { first } else { second }
    }

    fn tell(
        &mut self,
        code: &'static str,
        object: Option<String>,
        message: String,
        side: Side,
        rule: Option<&RuleRef>,
    ) {
        let mut finding = Finding::new(code, Severity::Warning, message);
        finding.object = object;
        if let Some(rule) = rule {
            // Each inventory is of one dump, which is its own first.
            finding = finding.at(rule.clone());
        }
        finding.dump = if side == Side::First { 0 } else { self.dump };
        if let Some(place) = &mut finding.place {
            place.dump = finding.dump;
        }
        self.findings.push(finding);
    }

    fn settings(&mut self, first: &Inventory, second: &Inventory) {
        for one in &first.settings {
            let Some(other) = second.settings_of(one.family) else { continue };
            let mut facts = vec![
                ("the detector of Pods' traffic", text(one.detector.as_ref()), text(other.detector.as_ref())),
                ("--masquerade-all", one.masquerade_all.to_string(), other.masquerade_all.to_string()),
                ("the masquerade mark", hex(one.masquerade_mark), hex(other.masquerade_mark)),
                ("the layout of kube-proxy", text(one.layout.as_ref()), text(other.layout.as_ref())),
            ];
            if self.options.of_many_nodes {
                // Each node's own Pods may be told by its own CIDR, node ports by its own addresses.
                facts.remove(0);
            } else {
                facts.push((
                    "where node ports are served",
                    one.node_ports.to_string(),
                    other.node_ports.to_string(),
                ));
            }
            for (what, a, b) in facts.into_iter().filter(|(_, a, b)| a != b) {
                let message = format!(
                    "{what} is {a} in {} and {b} in {}",
                    self.name(Side::First),
                    self.name(Side::Second)
                );
                self.tell("setting-differs", None, message, Side::Second, None);
            }
        }
    }

    fn services(&mut self, first: &Inventory, second: &Inventory) {
        let others: FxHashMap<Key, &PortEntry> = second.services.iter().map(|e| (Key::of(e), e)).collect();
        for entry in &first.services {
            match others.get(&Key::of(entry)) {
                Some(other) => self.service(entry, other),
                None => self.alone(entry, Side::First),
            }
        }
        let known: FxHashSet<Key> = first.services.iter().map(Key::of).collect();
        for entry in second.services.iter().filter(|entry| !known.contains(&Key::of(entry))) {
            self.alone(entry, Side::Second);
        }
    }

    fn alone(&mut self, entry: &PortEntry, side: Side) {
        let message = format!("`{entry}` ({}) is in {} alone", entry.protocol, self.name(side));
        let rule = entry.addresses.first().map(|address| &address.rule);
        self.tell("service-differs", Some(format!("service {entry}")), message, side, rule);
    }

    fn service(&mut self, one: &PortEntry, other: &PortEntry) {
        let object = Some(format!("service {one}"));
        let who = format!("`{one}` ({})", one.protocol);
        let same = |a: &AddressEntry, b: &AddressEntry| (a.ip, a.family, a.port) == (b.ip, b.family, b.port);
        for (side, a, b) in [(Side::First, one, other), (Side::Second, other, one)] {
            for address in a.addresses.iter().filter(|a| !b.addresses.iter().any(|b| same(a, b))) {
                let text = match address.ip {
                    Some(ip) => format!("{} {}", address.kind.as_str(), SocketAddr::new(ip, address.port)),
                    None => format!("node port {}", address.port),
                };
                let message = format!("{who} has {text} in {} alone", self.name(side));
                self.tell("address-differs", object.clone(), message, side, Some(&address.rule));
            }
            for endpoint in a.endpoints.iter().filter(|a| find(b, a.address).is_none()) {
                if self.options.of_many_nodes && are_local(one, other) {
                    continue;
                }
                let message = format!("{who} has endpoint {} in {} alone", endpoint.address, self.name(side));
                self.tell("endpoint-differs", object.clone(), message, side, Some(&endpoint.rule));
            }
        }
        self.shares(one, other, &who, object.as_ref());
        self.facts(one, other, &who, object.as_ref());
    }

    fn shares(&mut self, one: &PortEntry, other: &PortEntry, who: &str, object: Option<&String>) {
        // With other endpoints every share is another: that is told already.
        if one.endpoints.len() != other.endpoints.len() {
            return;
        }
        for a in &one.endpoints {
            let Some(b) = find(other, a.address) else { continue };
            let [own, others] = [a, b].map(|e| e.share.as_ref().or(e.local_share.as_ref()));
            if !are_alike(own, others) {
                let (in_first, in_second) = (shown(own), shown(others));
                let message = format!(
                    "endpoint {} of {who} has {in_first} of the packets in {} and {in_second} in {}",
                    a.address,
                    self.name(Side::First),
                    self.name(Side::Second)
                );
                self.tell("share-differs", object.cloned(), message, Side::Second, Some(&b.rule));
            }
            if !self.options.of_many_nodes && a.local != b.local && a.local.is_some() && b.local.is_some() {
                let on = if a.local == Some(true) { Side::First } else { Side::Second };
                let message =
                    format!("endpoint {} of {who} is on this node in {} alone", a.address, self.name(on));
                self.tell("endpoint-differs", object.cloned(), message, Side::Second, Some(&b.rule));
            }
        }
    }

    fn facts(&mut self, one: &PortEntry, other: &PortEntry, who: &str, object: Option<&String>) {
        let policy =
            |policy: Option<TrafficPolicy>| policy.map_or("not told", TrafficPolicy::as_str).to_owned();
        let ranges = |entry: &PortEntry| {
            let mut ranges: Vec<String> = entry.source_ranges.iter().map(ToString::to_string).collect();
            ranges.sort();
            if ranges.is_empty() { "everybody".to_owned() } else { ranges.join(", ") }
        };
        let seconds = |entry: &PortEntry| {
            entry.affinity_seconds.map_or_else(|| "none".to_owned(), |s| format!("{s} s"))
        };
        let port = |entry: &PortEntry| {
            entry.health_check_node_port.map_or_else(|| "none".to_owned(), |p| p.to_string())
        };
        let without = |entry: &PortEntry| {
            let all =
                entry.no_endpoints.filter(|none| !self.options.of_many_nodes || *none == NoEndpoints::Reject);
            all.map_or("served", NoEndpoints::as_str).to_owned()
        };
        let mut facts = vec![
            ("affinity-differs", "the affinity", seconds(one), seconds(other)),
            ("source-ranges-differ", "who may come to the load balancer", ranges(one), ranges(other)),
            ("health-check-differs", "the health-check port", port(one), port(other)),
            ("no-endpoints-differs", "what happens without an endpoint", without(one), without(other)),
        ];
        // What one of the two rules does not tell is no difference.
        for (what, a, b) in [
            ("the external policy", one.external_policy, other.external_policy),
            ("the internal policy", one.internal_policy, other.internal_policy),
        ] {
            if a.is_some() && b.is_some() {
                facts.push(("policy-differs", what, policy(a), policy(b)));
            }
        }
        for (code, what, a, b) in facts.into_iter().filter(|(_, _, a, b)| a != b) {
            let message = format!(
                "{what} of {who} is {a} in {} and {b} in {}",
                self.name(Side::First),
                self.name(Side::Second)
            );
            let rule = other.addresses.first().map(|address| &address.rule);
            self.tell(code, object.cloned(), message, Side::Second, rule);
        }
    }
}

/// What makes two entries one Service port: the hash, which has the name in it; else the address.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Name(String, u8),
    Hash(String),
    Address(Option<(Option<std::net::IpAddr>, u16)>, u8),
}

impl Key {
    fn of(entry: &PortEntry) -> Key {
        match (&entry.name, &entry.hash) {
            // Versions hash the name of a port without name differently.
            (Some(name), _) => Key::Name(name.to_string(), entry.protocol.0),
            (None, Some(hash)) => Key::Hash(hash.clone()),
            (None, None) => Key::Address(entry.addresses.first().map(|a| (a.ip, a.port)), entry.protocol.0),
        }
    }
}

fn find(entry: &PortEntry, address: SocketAddr) -> Option<&EndpointEntry> {
    entry.endpoints.iter().find(|endpoint| endpoint.address == address)
}

/// Whether one of the two shows the endpoints of its own node alone.
fn are_local(one: &PortEntry, other: &PortEntry) -> bool {
    let local = |entry: &PortEntry| {
        entry.internal_policy == Some(TrafficPolicy::Local)
            && entry.endpoints.iter().all(|e| e.share.is_none())
    };
    local(one) || local(other)
}

/// Whether two shares are the same but for rounding: by the kernel, in whatever order the endpoints stand,
/// and by the five decimals that kube-proxy wrote up to 1.16.
fn are_alike(one: Option<&Probability>, other: Option<&Probability>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => (one.to_f64() - other.to_f64()).abs() < 2e-5,
        _ => one == other,
    }
}

fn shown(share: Option<&Probability>) -> String {
    share.map_or_else(|| "no share".to_owned(), |share| format!("{:.4}%", share.to_f64() * 100.0))
}

fn text(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "not told".to_owned(), ToString::to_string)
}

fn hex(mark: Option<u32>) -> String {
    mark.map_or_else(|| "none".to_owned(), |mark| format!("{mark:#x}"))
}
