//! The addresses and ports behind a question.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use hookwalk_engine::TableName;
use hookwalk_parser::Rule;
use hookwalk_parser::extensions::{Match, MultiportPorts, Target};
use hookwalk_parser::types::{Family, MaskedAddress, Negatable, PortRange, Protocol};

use super::What;
use crate::names;
use crate::reach::{Protocols, Spans, Tables, Types, Upper, all_addresses, number};

/// Where the packets asked about go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Goal {
    /// The address; none for every address of this node.
    pub address: Option<IpAddr>,
    /// The port; none for every port.
    pub port: Option<u16>,
    /// The protocol; none for every one.
    pub protocol: Option<Protocol>,
    /// What it is: `cluster IP`, `external IP`, `loadbalancer IP`, `node port`; none where the question
    /// said it all.
    pub kind: Option<&'static str>,
    /// The Service's port it belongs to, as `kube-system/kube-dns:dns`, where the rules tell.
    pub service: Option<String>,
}

impl Goal {
    fn plain(address: Option<IpAddr>, port: Option<u16>, protocol: Option<Protocol>) -> Self {
        Goal { address, port, protocol, kind: None, service: None }
    }

    /// The families whose rules it can meet.
    pub(crate) fn is_of(&self, family: Family) -> bool {
        self.address.is_none_or(|address| Family::of(address) == family)
    }

    pub(crate) fn destinations(&self, family: Family) -> Spans {
        self.address.map_or_else(|| all_addresses(family), |address| Spans::one(number(address)))
    }

    pub(super) fn types(&self, family: Family, host: &hookwalk_engine::Host) -> Types {
        match self.address {
            Some(_) => Types::of_addresses(&self.destinations(family), family, host),
            None => Types::LOCAL,
        }
    }

    pub(crate) fn upper(&self) -> Upper {
        let mut upper = Upper::any();
        if let Some(protocol) = self.protocol {
            upper = upper.split_protocols(Protocols::one(protocol)).0;
        }
        if let Some(port) = self.port {
            // Only these have ports; ICMP to an address with a port is none.
            if self.protocol.is_none() {
                let with_ports =
                    [Protocol::TCP, Protocol::UDP, Protocol::SCTP, Protocol::DCCP, Protocol::UDPLITE];
                let parts =
                    with_ports.map(|protocol| Upper::any().split_protocols(Protocols::one(protocol)).0);
                upper = parts.into_iter().reduce(|all, part| all.union(&part)).unwrap_or(upper);
            }
            upper = upper.split_ports(&Spans::one(u128::from(port))).0;
        }
        upper
    }
}

/// `10.96.0.10:53/udp: cluster IP of kube-system/kube-dns:dns`.
impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (Some(address), Some(port)) => write!(f, "{}", std::net::SocketAddr::new(address, port))?,
            (Some(address), None) => write!(f, "{address}")?,
            (None, Some(port)) => write!(f, "port {port} of this node's addresses")?,
            (None, None) => f.write_str("this node's addresses")?,
        }
        if let Some(protocol) = self.protocol {
            write!(f, "{}{protocol}", if self.address.is_some() { "/" } else { " by " })?;
        }
        match (self.kind, &self.service) {
            (Some(kind), Some(service)) => write!(f, ": {kind} of {service}"),
            (Some(text), None) => write!(f, ": {text}"),
            (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}

/// What a question is about, in the rules of one family.
pub(super) fn goals(what: &What, tables: &Tables<'_>) -> Vec<Goal> {
    match what {
        What::Address { address, port, protocol } => {
            let mut goal = Goal::plain(Some(*address), *port, *protocol);
            let known = all(tables).map(|named| named.goal).filter(|known| {
                known.address == Some(*address)
                    && (port.is_none() || known.port == *port)
                    && (protocol.is_none() || known.protocol == *protocol)
            });
            for known in known {
                goal.kind = goal.kind.or(known.kind);
                // Of several ports of one Service its name alone is told.
                goal.service = match (goal.service.take(), known.service) {
                    (Some(one), Some(other)) if one == other => Some(one),
                    (Some(one), Some(other)) => {
                        let name = |service: &str| service.split(':').next().map(str::to_owned);
                        name(&one).filter(|one| name(&other).as_ref() == Some(one))
                    }
                    (one, other) => one.or(other),
                };
            }
            vec![goal]
        }
        What::NodePort { port, protocol } => vec![Goal::plain(None, Some(*port), *protocol)],
        What::Service { namespace, name, port } => {
            let full = format!("{namespace}/{name}");
            let wanted = |service: &str| match port {
                Some(port) => {
                    service.strip_prefix(&full).and_then(|rest| rest.strip_prefix(':')) == Some(port)
                }
                None => {
                    service.strip_prefix(&full).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
                }
            };
            let port_name = port.as_ref().map_or_else(|| full.clone(), |port| format!("{full}:{port}"));
            let hashes = [Protocol::TCP, Protocol::UDP, Protocol::SCTP]
                .map(|protocol| names::service_hash(&port_name, protocol));
            let mut goals: Vec<Goal> = Vec::new();
            for mut goal in all(tables) {
                let by_hash = hashes.iter().any(|hash| goal.chain.ends_with(hash.as_str()));
                if by_hash {
                    goal.goal.service = Some(port_name.clone());
                }
                if goal.goal.service.as_deref().is_some_and(&wanted) && !goals.contains(&goal.goal) {
                    goals.push(goal.goal);
                }
            }
            goals.sort_by_key(|goal| goal.address.is_none());
            goals
        }
    }
}

/// Every address and port of a Service that the rules name, once each.
pub(crate) fn service_goals(tables: &Tables<'_>) -> Vec<Goal> {
    let mut seen = BTreeSet::new();
    let goals = all(tables).map(|named| named.goal);
    goals.filter(|goal| seen.insert((goal.address, goal.port, goal.protocol))).collect()
}

/// The cluster IPs that the rules name.
pub(super) fn cluster_ips(tables: &Tables<'_>, family: Family) -> Spans {
    let cluster = service_goals(tables).into_iter().filter(|goal| goal.kind == Some("cluster IP"));
    let of_family = cluster.filter_map(|goal| goal.address).filter(|ip| Family::of(*ip) == family);
    Spans::new(of_family.map(|address| (number(address), number(address))))
}

/// An address of a Service, and the chain its rule jumps to.
struct Named {
    goal: Goal,
    chain: String,
}

/// The rules of kube-proxy that stand for an address or node port of a Service.
fn all<'t>(tables: &'t Tables<'_>) -> impl Iterator<Item = Named> + 't {
    let named = [TableName::Nat, TableName::Filter].into_iter().flat_map(|name| tables.named(name));
    named.flat_map(|(_, _, table)| {
        let chains = table.chains.iter().filter(|chain| {
            ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS"]
                .iter()
                .any(|name| chain.name == *name)
        });
        chains.flat_map(|chain| {
            let node_ports = chain.name == "KUBE-NODEPORTS";
            chain.rules.iter().filter_map(move |rule| named_by(rule, node_ports))
        })
    })
}

fn named_by(rule: &Rule, node_ports: bool) -> Option<Named> {
    let comment = rule.comments().next().map(|comment| comment.to_str().into_owned());
    let is_local = rule.matches.iter().any(|m| matches!(m, Match::Addrtype(_)));
    let destination = rule.base.destination().filter(|wanted| !wanted.negated).map(|wanted| wanted.value);
    let address = match destination {
        Some(network) if MaskedAddress::host(network.address()) == network => Some(network.address()),
        None if node_ports || is_local => None,
        _ => return None,
    };
    let port = rule.matches.iter().find_map(dport)?;
    let protocol = rule.base.protocol().filter(|wanted| !wanted.negated)?.value;
    let (service, kind) = match &comment {
        Some(comment) => {
            let (service, rest) = comment.split_once(' ').unwrap_or((comment, ""));
            let kind = ["cluster IP", "external IP", "loadbalancer IP"]
                .into_iter()
                .find(|kind| rest.starts_with(kind));
            (Some(service.to_owned()), kind)
        }
        None => (None, None),
    };
    let service = service.filter(|service| service.contains('/'));
    let kind = kind.or(address.is_none().then_some("node port"));
    let chain = match &rule.target {
        Target::Jump(chain) | Target::Goto(chain) => chain.to_str().into_owned(),
        _ => String::new(),
    };
    Some(Named { goal: Goal { address, port: Some(port), protocol: Some(protocol), kind, service }, chain })
}

/// The one destination port that a match asks for.
fn dport(candidate: &Match) -> Option<u16> {
    let one = |wanted: Option<Negatable<PortRange>>| {
        wanted.filter(|w| !w.negated && w.value.first == w.value.last).map(|w| w.value.first)
    };
    match candidate {
        Match::Tcp(m) => one(m.dport),
        Match::Udp(m) => one(m.dport),
        Match::Sctp(m) => one(m.dport),
        Match::Multiport(m) => match &m.ports {
            Some(MultiportPorts::Destination(list)) if !list.negated => match list.value.0.as_slice() {
                [range] => one(Some(Negatable::plain(*range))),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
