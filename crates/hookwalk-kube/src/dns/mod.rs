//! Can a Pod reach its name servers?
//!
//! For each name server of a Pod's `/etc/resolv.conf` a query by UDP and one by TCP are walked through the
//! rules of the Pod's node, and the answer back. The interface that the Pod is behind is taken from the
//! routes of the node where they are given; else it stays open, and what depends on it becomes a case.
//!
//! ```
//! use hookwalk_engine::{Engine, Host};
//! use hookwalk_kube::dns::{self, Answer, ResolvConf};
//! let dump = hookwalk_parser::parse("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n\
//!     :OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n\
//!     :KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]\n:KUBE-SEP-A - [0:0]\n\
//!     -A PREROUTING -j KUBE-SERVICES\n\
//!     -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment \"kube-system/kube-dns:dns cluster IP\" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU\n\
//!     -A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-A\n\
//!     -A KUBE-SEP-A -p udp -j DNAT --to-destination 10.0.1.2:53\nCOMMIT\n");
//! let host = Host::default().with_node_address("192.168.50.10".parse().unwrap());
//! let engine = Engine::new(vec![dump], host);
//! let conf = ResolvConf::read("nameserver 10.96.0.10\n");
//! let report = dns::check(&engine, &["10.0.0.5".parse().unwrap()], &conf);
//! assert_eq!(report.queries[0].answer, Answer::Works);
//! assert_eq!(report.queries[0].endpoints[0].address, "10.0.1.2:53".parse().unwrap());
//! // Nothing takes the query by TCP, and no machine has the address: it is a Service's.
//! assert_eq!(report.queries[1].answer, Answer::Fails);
//! ```

mod judge;
mod resolv;

use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::{Engine, HostPart, InterfaceName, Packet, PacketState, Probability, RuleRef, Walk};
use hookwalk_parser::types::{Family, Protocol};

use crate::finding::{Finding, Severity};
use crate::inventory::{AddressKind, Inventory};

pub use resolv::{NameServer, ResolvConf};

/// The port of name servers.
const PORT: u16 = 53;

/// Whether queries get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// All of them, whatever the unknown turns out to be.
    Works,
    /// None of them.
    Fails,
    /// A part of them, by chance.
    FailsPartly,
    /// It depends on what neither dump nor context tells.
    Depends,
    /// They leave for a name server outside of the cluster, which the rules do not stop.
    Outside,
    /// The dump cannot tell.
    Unknown,
}

impl Answer {
    /// The stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Answer::Works => "works",
            Answer::Fails => "fails",
            Answer::FailsPartly => "fails-partly",
            Answer::Depends => "depends",
            Answer::Outside => "outside",
            Answer::Unknown => "unknown",
        }
    }
}

/// Whether a Pod reaches its name servers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Each name server by UDP and by TCP, in order.
    pub queries: Vec<Query>,
    /// What does not work, and what to know.
    pub findings: Vec<Finding>,
    /// What was assumed because nobody said otherwise, in words.
    pub assumed: Vec<String>,
}

impl Report {
    /// Whether something is known not to work.
    pub fn fails(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Queries to one name server by one protocol.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query {
    /// The name server.
    pub server: IpAddr,
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Whether they get through.
    pub answer: Answer,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether the Pod's packets arrive by an interface; not so on the host's network.
    pub arrives: bool,
    /// The interface they arrive by, where that is known.
    pub in_interface: Option<InterfaceName>,
    /// The Service's port behind the address, as `kube-system/kube-dns:dns`, where the rules tell.
    pub service: Option<String>,
    /// Where they go, of the first case.
    pub endpoints: Vec<Endpoint>,
    /// What they meet on the way that is worth knowing, in sentences.
    pub notes: Vec<String>,
    /// The way in full; none where they do not come to the node.
    pub walk: Option<Walk>,
}

/// A place that queries are sent to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The address and port.
    pub address: SocketAddr,
    /// Which part of the queries it gets, exactly.
    pub share: Probability,
    /// Whether the source address becomes the node's.
    pub masqueraded: bool,
    /// Whether they get there.
    pub reached: bool,
    /// The rule that sends them there.
    pub by: Option<RuleRef>,
}

/// Walks the queries of a Pod, by its addresses, to each of its name servers.
pub fn check(engine: &Engine, pods: &[IpAddr], conf: &ResolvConf) -> Report {
    let mut report = Report { queries: Vec::new(), findings: Vec::new(), assumed: Vec::new() };
    if conf.name_servers.is_empty() {
        let message = "resolv.conf names no name server: the resolver asks 127.0.0.1, the Pod itself";
        report.findings.push(Finding::new("dns-no-server", Severity::Error, message));
    }
    for server in conf.name_servers.iter().skip(resolv::MOST_SERVERS) {
        let message = format!(
            "`{}` (line {} of resolv.conf) is never asked: resolvers take three",
            server.text, server.line
        );
        report.findings.push(Finding::new("dns-too-many-servers", Severity::Warning, message));
    }
    let inventory = Inventory::read(engine.dumps(), None);
    for server in conf.name_servers.iter().take(resolv::MOST_SERVERS) {
        let Some(address) = server.address else {
            let message = format!("`{}` (line {} of resolv.conf) is no address", server.text, server.line);
            report.findings.push(Finding::new("dns-bad-server", Severity::Error, message));
            continue;
        };
        let Some(&pod) = pods.iter().find(|pod| pod.is_ipv4() == address.is_ipv4()) else {
            let message = format!("no address of the Pod is of the family of its name server {address}");
            report.findings.push(Finding::new("dns-no-address", Severity::Warning, message));
            continue;
        };
        for protocol in [Protocol::UDP, Protocol::TCP] {
            let query = query(engine, &inventory, pod, address, protocol, &mut report.assumed);
            report.findings.extend(finding(&query));
            report.queries.push(query);
        }
    }
    report
}

fn finding(query: &Query) -> Option<Finding> {
    let (code, severity) = match query.answer {
        Answer::Works => return None,
        Answer::Fails => ("dns-fails", Severity::Error),
        Answer::FailsPartly => ("dns-fails-partly", Severity::Error),
        Answer::Depends => ("dns-depends", Severity::Warning),
        Answer::Outside => ("dns-outside", Severity::Info),
        Answer::Unknown => ("dns-unknown", Severity::Warning),
    };
    let name = SocketAddr::new(query.server, PORT);
    let finding = Finding::new(code, severity, format!("{} to {name}: {}", query.protocol, query.reason));
    let outcomes = query.walk.iter().flat_map(|walk| &walk.cases).flat_map(|case| &case.outcomes);
    let culprit = outcomes.filter(|outcome| !judge::is_delivered(outcome)).find_map(|o| o.decided_by.clone());
    let finding = match query.service.as_ref() {
        Some(service) => finding.about(format!("service {service}")),
        None => finding,
    };
    Some(match culprit {
        Some(place) => finding.at(place),
        None => finding,
    })
}

/// The interface that the Pod's packets come by, and whether they come by one at all.
fn origin(engine: &Engine, pod: IpAddr, assumed: &mut Vec<String>) -> (bool, Option<InterfaceName>) {
    let mut assume = |text: String| {
        if !assumed.contains(&text) {
            assumed.push(text);
        }
    };
    match engine.host().is_local(pod) {
        // A Pod on the host's network has the node's address.
        Some(true) => return (false, None),
        Some(false) => {}
        None => assume(format!("{pod} is no address of this node: the Pod has a network of its own")),
    }
    let interface = engine.host().out_interface(pod);
    if interface.is_none() {
        assume(format!("packets of {pod} come by an interface that is not known (--route tells it)"));
    }
    (true, interface)
}

fn query(
    engine: &Engine,
    inventory: &Inventory,
    pod: IpAddr,
    server: IpAddr,
    protocol: Protocol,
    assumed: &mut Vec<String>,
) -> Query {
    let known = inventory.services.iter().find(|entry| {
        entry.protocol == protocol
            && entry.addresses.iter().any(|address| address.ip == Some(server) && address.port == PORT)
    });
    let service = known.and_then(|entry| entry.name.as_ref()).map(ToString::to_string);
    let (arrives, interface) = origin(engine, pod, assumed);
    let mut query = Query {
        server,
        protocol,
        arrives,
        in_interface: interface,
        answer: Answer::Unknown,
        reason: String::new(),
        service,
        endpoints: Vec::new(),
        notes: Vec::new(),
        walk: None,
    };
    if arrives && server.is_loopback() {
        query.answer = Answer::Fails;
        query.reason = format!(
            "{server} is the Pod itself: queries do not come to the node, and nothing of it answers them \
             (a resolv.conf of the node that was handed to the Pod names its own resolver)"
        );
        return query;
    }
    let mut packet = Packet::new(pod, server).protocol(protocol).destination_port(PORT);
    packet.in_interface = interface;
    packet.arrives = arrives;
    let Ok(mut walk) = engine.walk(&packet) else { return query };
    packet.state = PacketState::Reply;
    let mut answers = engine.walk(&packet).ok();
    // In iptables mode no node has a cluster IP.
    let is_cluster_ip = || {
        let mut addresses =
            inventory.services.iter().flat_map(|entry| entry.addresses_of(AddressKind::ClusterIp));
        addresses.any(|address| address.ip == Some(server))
    };
    if engine.host().is_local(server).is_none() && is_cluster_ip() {
        let told = format!("{server} is no address of this node: it is a cluster IP");
        if !assumed.contains(&told) {
            assumed.push(told);
        }
        let own = format!("{server} is an address of this node");
        for walk in std::iter::once(&mut walk).chain(&mut answers) {
            walk.cases.retain(|case| !case.assume.iter().any(|a| a.is && a.what == own));
            for case in &mut walk.cases {
                case.assume.retain(|a| a.what != own);
            }
        }
    }
    // The likeliest first: few name servers are on the node's own network.
    let of_node = |a: &&hookwalk_engine::Assumption| a.is && a.told_by == Some(HostPart::Addresses);
    walk.cases.sort_by_key(|case| {
        let behind = case.outcomes.iter().flat_map(|outcome| &outcome.assume);
        case.assume.iter().chain(behind).filter(of_node).count()
    });
    for text in walk.defaults.iter().filter(|text| !assumed.contains(text)).cloned().collect::<Vec<_>>() {
        assumed.push(text);
    }
    judge::judge(engine, inventory, &mut query, &walk, answers.as_ref());
    if inventory.ipvs.contains(&Family::of(server)) && !is_cluster_ip() {
        let note = "kube-proxy runs in ipvs mode: IPVS picks the endpoint, and what it knows (`ipvsadm -Ln`) is no part of a \
                    dump";
        query.notes.push(note.to_owned());
    }
    query.walk = Some(walk);
    query
}
