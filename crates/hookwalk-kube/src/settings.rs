//! kube-proxy's version and flags, as far as its rules show them.

use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::Rule;
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::{Family, InterfacePattern, MaskedAddress};

use rustc_hash::FxHashSet;

use crate::rules::{self, MARK_DROP, MARK_MASQ, SVC, SVL, TableView, Tables};

/// How kube-proxy lays its rules out; it changed with these versions (`pkg/proxy/iptables/proxier.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layout {
    /// Up to 1.21: KUBE-SERVICES and KUBE-NODEPORTS mark for masquerading themselves.
    UpTo121,
    /// 1.22 and 1.23: KUBE-SVC chains mark; KUBE-XLB and KUBE-FW chains for load balancers.
    From122,
    /// 1.24: KUBE-EXT and KUBE-SVL chains; what has no local endpoints is marked for dropping.
    From124,
    /// 1.25 and later: drops are rules of table filter.
    From125,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Layout::UpTo121 => "1.21 or before",
            Layout::From122 => "1.22 or 1.23",
            Layout::From124 => "1.24",
            Layout::From125 => "1.25 or later",
        })
    }
}

/// How kube-proxy tells the traffic of this node's Pods (`--detect-local-mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detector {
    /// By source: `ClusterCIDR`, `NodeCIDR`.
    Cidr(MaskedAddress),
    /// By the interface it comes by: `BridgeInterface`, or with `+` `InterfaceNamePrefix`.
    Interface(InterfacePattern),
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detector::Cidr(cidr) => write!(f, "source in {cidr}"),
            Detector::Interface(interface) => write!(f, "interface {interface}"),
        }
    }
}

/// What the rules of one family show of kube-proxy's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The family.
    pub family: Family,
    /// The layout of the rules; none where too little of them is there to tell.
    pub layout: Option<Layout>,
    /// How Pods' traffic is told; none when it is not.
    pub detector: Option<Detector>,
    /// `--masquerade-all`: traffic to cluster IPs is masqueraded wherever it comes from.
    pub masquerade_all: bool,
    /// Where node ports are served.
    pub node_ports: NodePorts,
    /// The bit that marks for masquerading (`--iptables-masquerade-bit`), as the mark it makes.
    pub masquerade_mark: Option<u32>,
    /// The bit that marks for dropping, up to 1.26.
    pub drop_mark: Option<u32>,
}

/// Where node ports are served (`--nodeport-addresses`, `--iptables-localhost-nodeports`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NodePorts {
    /// On these addresses; none for every address of the node.
    pub addresses: Option<Vec<IpAddr>>,
    /// Whether loopback addresses are left out.
    pub but_loopback: bool,
    /// Whether any rule serves them at all.
    pub served: bool,
}

impl fmt::Display for NodePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.addresses, self.served) {
            (_, false) => f.write_str("nowhere"),
            (Some(addresses), _) => {
                let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                write!(f, "on {}", addresses.join(", "))
            }
            (None, _) if self.but_loopback => f.write_str("on the node's addresses but loopback"),
            (None, _) => f.write_str("on all of the node's addresses"),
        }
    }
}

impl Settings {
    /// Whether node ports are served on localhost, for which kube-proxy sets `route_localnet`. In IPv6
    /// they never are.
    pub fn serves_localhost(&self) -> bool {
        let ports = &self.node_ports;
        let on_loopback = match &ports.addresses {
            Some(addresses) => addresses.iter().any(IpAddr::is_loopback),
            None => !ports.but_loopback,
        };
        self.family == Family::V4 && ports.served && on_loopback
    }

    /// Reads them out of the first nat table of the family that has rules of kube-proxy.
    pub(crate) fn read(tables: &Tables<'_>, family: Family) -> Option<Settings> {
        let mut nats = tables.named("nat").filter(|view| view.family == family);
        let nat = nats.find(|view| view.chain(b"KUBE-SERVICES").is_some())?;
        let (detector, masquerade_all) = masquerading(nat);
        Some(Settings {
            family,
            layout: layout(tables, nat),
            detector,
            masquerade_all,
            node_ports: node_ports(nat),
            masquerade_mark: mark_of(nat, MARK_MASQ),
            drop_mark: mark_of(nat, MARK_DROP),
        })
    }
}

fn layout(tables: &Tables<'_>, nat: &TableView<'_>) -> Option<Layout> {
    let filters = || tables.named("filter").filter(|view| view.family == nat.family);
    if filters().any(|view| view.chain(b"KUBE-PROXY-FIREWALL").is_some()) {
        return Some(Layout::From125);
    }
    let has =
        |prefix: &str| nat.chains().iter().any(|chain| chain.name.as_bytes().starts_with(prefix.as_bytes()));
    if has(rules::EXT) || has(SVL) {
        return Some(Layout::From124);
    }
    let marks = |chain: &[u8]| nat.rules(chain).filter(|(_, rule)| is_cluster_ip_mark(rule)).count();
    let in_services = marks(b"KUBE-SERVICES");
    let svc = nat.chains().iter().filter(|chain| chain.name.as_bytes().starts_with(SVC.as_bytes()));
    let in_svc: usize = svc.map(|chain| marks(chain.name.as_bytes())).sum();
    match (in_services, in_svc) {
        (0, 0) => None,
        (services, svc) if services > svc => Some(Layout::UpTo121),
        // The two are alike where nothing is reachable from outside, but for comments.
        _ if nat.chain(MARK_DROP.as_bytes()).is_none() => Some(Layout::From125),
        _ => Some(Layout::From122),
    }
}

/// `[! -s CIDR | ! -i IFACE] -d IP -p PROTO --dport PORT -j KUBE-MARK-MASQ`
pub(crate) fn is_cluster_ip_mark(rule: &Rule) -> bool {
    rules::jumps_to(rule, MARK_MASQ)
        && rules::host_destination(rule).is_some()
        && rules::port(rule).is_some()
        && rule.base.source().is_none_or(|source| source.negated)
}

/// What a rule takes for traffic of Pods, when it says so: `-s CIDR`, `-i IFACE`, or their opposites.
pub(crate) fn detector_of(rule: &Rule, negated: bool) -> Option<Detector> {
    let source = rule.base.source().filter(|source| source.negated == negated);
    let interface = rule.base.in_interface().filter(|interface| interface.negated == negated);
    source
        .map(|source| Detector::Cidr(source.value))
        .or(interface.map(|interface| Detector::Interface(interface.value)))
}

/// The detector that most rules name, so that one odd rule does not decide, and whether most rules
/// that mark what comes to a cluster IP name none.
fn masquerading(nat: &TableView<'_>) -> (Option<Detector>, bool) {
    let mut votes: Vec<(Detector, usize)> = Vec::new();
    let mut vote = |detector: Option<Detector>| {
        let Some(detector) = detector else { return };
        match votes.iter_mut().find(|(known, _)| *known == detector) {
            Some((_, count)) => *count += 1,
            None => votes.push((detector, 1)),
        }
    };
    let (mut with, mut without, mut neither) = (0_usize, 0_usize, 0_usize);
    for chain in nat.chains() {
        let name = chain.name.as_bytes();
        let prefix = rules::service_chain(name).map(|(prefix, _)| prefix);
        match prefix {
            Some(SVC | SVL) => {}
            None if name == b"KUBE-SERVICES" => {}
            Some(rules::EXT | rules::XLB) => {
                // "pod traffic for … external destinations": the one rule that names Pods by what they are.
                for rule in chain.rules.iter().filter(|rule| rules::jump(rule).is_some()) {
                    let is_service = rules::jump(rule).and_then(rules::service_chain).is_some();
                    vote(detector_of(rule, false).filter(|_| is_service));
                }
                continue;
            }
            _ => continue,
        }
        // Up to 1.21 what comes to an external IP is marked whatever it is; the jump behind that rule asks more.
        let asking = chain.rules.iter().filter(|rule| rules::asks_local_destination(rule));
        let asking: FxHashSet<IpAddr> = asking.filter_map(rules::host_destination).collect();
        let before = with + without;
        for rule in chain.rules.iter().filter(|rule| is_cluster_ip_mark(rule)) {
            let is_external = rules::host_destination(rule).is_some_and(|ip| asking.contains(&ip));
            match detector_of(rule, true) {
                Some(detector) => {
                    with += 1;
                    vote(Some(detector));
                }
                None if is_external => {}
                None => without += 1,
            }
        }
        // 1.22 marks for external IPs in the same chains: most of them have no such rule.
        neither += usize::from(prefix == Some(SVC) && with + without == before);
    }
    let detector = votes.into_iter().max_by_key(|(_, count)| *count).map(|(detector, _)| detector);
    (detector, without > with + neither)
}

fn node_ports(nat: &TableView<'_>) -> NodePorts {
    let mut found = NodePorts::default();
    for (_, rule) in nat.rules(b"KUBE-SERVICES").filter(|(_, rule)| rules::jumps_to(rule, "KUBE-NODEPORTS")) {
        found.served = true;
        match rules::host_destination(rule) {
            Some(address) => found.addresses.get_or_insert_default().push(address),
            None => found.but_loopback |= rule.base.destination().is_some_and(|d| d.negated),
        }
    }
    found
}

fn mark_of(nat: &TableView<'_>, chain: &str) -> Option<u32> {
    nat.rules(chain.as_bytes()).find_map(|(_, rule)| match rule.target {
        Target::Mark(mark) => Some(mark.value),
        _ => None,
    })
}
