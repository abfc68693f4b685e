//! Packets beside those from the four places: from sources that a load balancer lets in, on localhost,
//! from an endpoint to itself, and from clients that come again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hookwalk_engine::{Outcome, Packet, Simulator, Verdict};
use hookwalk_parser::extensions::RecentAction;
use hookwalk_parser::types::{Family, Protocol};

use super::compare::{self, Doubt};
use super::ports::{self, Port};
use super::{Verifier, at_chain};
use crate::finding::{Finding, Severity};
use crate::inventory::{AddressEntry, AddressKind, PortEntry};
use crate::rules::{self, SVC, SVL, Tables, XLB};
use crate::settings::{Layout, Settings};
use crate::vantage::{self, Answer, Vantage};

/// One packet to an address of a Service.
pub(super) struct Ask {
    pub(super) vantage: Vantage,
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// Whether kube-proxy does not serve what goes there.
    pub(super) unserved: bool,
    /// Who sends it, where not the one that stands for all of the vantage.
    pub(super) special: Option<String>,
}

/// So many source ranges, and endpoints of one Service port, are walked from.
const MOST: usize = 16;

/// Every packet that is walked to an address.
pub(super) fn asks(
    verifier: &Verifier<'_>,
    settings: &Settings,
    port: &Port<'_>,
    asked: &ports::Address,
) -> Vec<Ask> {
    let places = verifier.prober.places(settings.family);
    let plain =
        |vantage, dst| Ask { vantage, src: places.source(vantage), dst, unserved: false, special: None };
    // Where localhost alone serves node ports nothing is to be had at the node's address.
    let has_node_ports =
        settings.node_ports.addresses.as_ref().is_none_or(|served| served.contains(&places.node_port));
    let dst = asked.ip.or_else(|| has_node_ports.then_some(places.node_port));
    let mut asks: Vec<Ask> =
        dst.into_iter().flat_map(|dst| Vantage::ALL.map(|vantage| plain(vantage, dst))).collect();
    if asked.kind == AddressKind::LoadBalancerIp {
        for range in port.source_ranges().into_iter().take(MOST) {
            let taken = [places.node, places.other_node];
            let Some(src) = vantage::member(range, &taken).filter(|src| !src.is_unspecified()) else {
                continue;
            };
            if verifier.prober.engine().host().is_local(src) != Some(true) {
                let special = Some(format!("{src} in source range {range}"));
                asks.extend(asked.ip.map(|dst| Ask { src, special, ..plain(Vantage::Outside, dst) }));
            }
        }
    }
    if asked.kind == AddressKind::NodePort {
        let localhost: IpAddr = match settings.family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        asks.push(Ask {
            src: localhost,
            unserved: !settings.serves_localhost(),
            special: Some("localhost".to_owned()),
            ..plain(Vantage::ThisNode, localhost)
        });
    }
    asks
}

impl Verifier<'_> {
    /// `KUBE-FIREWALL`: nobody else reaches 127.0.0.0/8, though kube-proxy sets `route_localnet`.
    pub(super) fn check_localnet(
        &self,
        tables: &Tables<'_>,
        settings: &Settings,
        findings: &mut Vec<Finding>,
    ) {
        let mut filters = tables.named("filter").filter(|view| view.family == settings.family);
        let is_asked = settings.family == Family::V4 && !settings.node_ports.but_loopback;
        if !is_asked || !filters.any(|view| view.chain(b"KUBE-FIREWALL").is_some()) {
            return;
        }
        if findings.iter().any(|f| f.code == "jump-missing" && f.message.ends_with("KUBE-FIREWALL")) {
            return;
        }
        let localhost: IpAddr = Ipv4Addr::LOCALHOST.into();
        let source = self.prober.places(Family::V4).source(Vantage::OtherNode);
        // RFC 863: nothing of kube-proxy's is there.
        let ask = |vantage, src| self.prober.ask_from(vantage, src, localhost, 9, Protocol::TCP, None);
        let is_let_in = |part: &vantage::Part| part.verdict == Verdict::Local;
        if ask(Vantage::OtherNode, source).ways.iter().any(|way| way.parts.iter().any(is_let_in)) {
            let message = "KUBE-FIREWALL does not drop what comes to 127.0.0.0/8 from elsewhere";
            // The kubelet writes it from 1.18 on, and in the last patches of 1.16 and 1.17 (CVE-2020-8558).
            let is_old = settings.layout < Some(Layout::From122);
            let severity = if is_old { Severity::Info } else { Severity::Error };
            let finding = Finding::new("rule-missing", severity, message);
            findings.push(at_chain(tables, Family::V4, "filter", "KUBE-FIREWALL", finding));
        }
        let by_firewall =
            ask(Vantage::ThisNode, localhost).ways.into_iter().flat_map(|way| way.parts).find_map(|part| {
                part.rule.filter(|rule| part.verdict == Verdict::Dropped && rule.chain == *"KUBE-FIREWALL")
            });
        if let Some(rule) = by_firewall {
            let message = "KUBE-FIREWALL drops what the node sends to itself at 127.0.0.1";
            findings.push(Finding::new("rule-differs", Severity::Error, message).at(rule));
        }
    }

    /// What an endpoint sends to its own Service, and gets itself: without masquerading its answer would
    /// not come back through this node.
    pub(super) fn check_hairpin(
        &self,
        settings: &Settings,
        port: &Port<'_>,
        entry: &PortEntry,
        findings: &mut Vec<Finding>,
    ) {
        let (Some(layout), Some(served)) = (settings.layout, cluster_address(settings, entry)) else {
            return;
        };
        let Some(dst) = served.ip else { return };
        let doubt = Doubt { settings, entry, inventory: &self.inventory };
        let endpoints =
            port.choices(layout).into_iter().next().map_or_else(Vec::new, |choice| choice.cluster);
        let is_here = |endpoint: &&SocketAddr| {
            !port.knows_local || port.candidate(**endpoint).is_some_and(|candidate| candidate.local)
        };
        for endpoint in endpoints.iter().filter(is_here).take(MOST) {
            // A Pod on the node's network sends as the node.
            let on_host = self.prober.engine().host().is_local(endpoint.ip()) == Some(true);
            let vantage = if on_host { Vantage::ThisNode } else { Vantage::Pod };
            let answer = self.prober.ask_from(
                vantage,
                endpoint.ip(),
                dst,
                served.port,
                port.protocol,
                Some(&served.rule),
            );
            let mut parts = answer.ways.iter().filter(|way| compare::tells(way)).flat_map(|way| &way.parts);
            if parts.any(|part| part.endpoint == Some(*endpoint) && !compare::is_marked(&doubt, part)) {
                let message = format!(
                    "what endpoint {endpoint} of `{}` sends to {dst} and gets itself is not masqueraded",
                    port.name
                );
                let finding = Finding::new("hairpin-missing", Severity::Error, message).about(port.object());
                findings.push(match doubt.rule_of(*endpoint) {
                    Some(rule) => finding.at(rule),
                    None => finding.at(served.rule.clone()),
                });
                return;
            }
        }
    }

    /// Session affinity, as clients see it: each comes again to the endpoint that it had, for as long as
    /// the object says, whoever else comes between, and masqueraded as before.
    pub(super) fn check_sessions(
        &self,
        settings: &Settings,
        port: &Port<'_>,
        entry: &PortEntry,
        findings: &mut Vec<Finding>,
    ) {
        let (Some(seconds), Some(served)) = (port.service.affinity_seconds, cluster_address(settings, entry))
        else {
            return;
        };
        for seed in 0..ROUNDS {
            if let Some((code, message)) =
                self.session(settings, port, entry, served, u64::from(seconds), seed)
            {
                let message = format!("of `{}`: {message}", port.name);
                let finding = Finding::new(code, Severity::Error, message).about(port.object());
                findings.push(finding.at(served.rule.clone()));
                return;
            }
        }
    }

    /// What is wrong with one session.
    fn session(
        &self,
        settings: &Settings,
        port: &Port<'_>,
        entry: &PortEntry,
        served: &AddressEntry,
        seconds: u64,
        seed: u64,
    ) -> Option<(&'static str, String)> {
        let engine = self.prober.engine();
        let places = self.prober.places(settings.family);
        let mut session = Simulator::new(engine, seed);
        let mut sport = 40_000;
        let mut connect = |vantage: Vantage, at: u64| -> Option<Visit> {
            let mut packet = Packet::new(places.source(vantage), served.ip?)
                .protocol(port.protocol)
                .source_port(sport)
                .destination_port(served.port);
            sport += 1;
            packet.in_interface = places.interface(vantage);
            packet.at = Some(at);
            let walk = session.walk(&packet).ok()?;
            // Where the dump leaves something open the sessions of no case are certain.
            let [case] = walk.cases.as_slice() else { return None };
            self.visit(entry, case.outcomes.first().filter(|_| case.assume.is_empty())?)
        };
        let begin = 1_000;
        let mut firsts = Vec::new();
        for vantage in Vantage::ALL {
            let Some(first) = connect(vantage, begin) else { continue };
            if first.kept {
                let message =
                    format!("a client that comes first ({}) is taken for another", vantage.as_str());
                return Some(("affinity-differs", message));
            }
            firsts.push((vantage, first));
        }
        let again = begin + seconds.saturating_sub(1);
        for (vantage, first) in &firsts {
            let Some(next) = connect(*vantage, again) else { continue };
            let who = vantage.as_str();
            if next.endpoint != first.endpoint || !next.kept {
                let message = format!(
                    "a client ({who}) that endpoint {} had goes to {} with its next connection",
                    first.endpoint, next.endpoint
                );
                return Some(("affinity-missing", message));
            }
            if next.masquerade != first.masquerade {
                let (code, not) = if first.masquerade {
                    ("masquerade-missing", "not ")
                } else {
                    ("masquerade-unasked", "")
                };
                return Some((code, format!("a client ({who}) that comes again is {not}masqueraded")));
            }
        }
        // The connection in between has begun the time anew.
        for (vantage, _) in &firsts {
            if connect(*vantage, again + seconds + 2).is_some_and(|late| late.kept) {
                let message = format!("a client ({}) is kept for longer than {seconds} s", vantage.as_str());
                return Some(("affinity-differs", message));
            }
        }
        None
    }

    fn visit(&self, entry: &PortEntry, outcome: &Outcome) -> Option<Visit> {
        let endpoint = SocketAddr::new(outcome.dst, outcome.dport.filter(|_| outcome.dnat)?);
        let is_delivered = matches!(outcome.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
        let hash = entry.hash.as_deref()?;
        let looks_up = |at: &hookwalk_engine::RuleRef| {
            let chain = at.chain.to_str();
            let own = [SVC, SVL, XLB].iter().any(|prefix| chain.strip_prefix(prefix) == Some(hash));
            let recent = self.prober.engine().rule(at).filter(|_| own).and_then(rules::recent);
            recent.and_then(|recent| recent.action).is_some_and(|action| action.value != RecentAction::Set)
        };
        let kept = outcome.matched_rules.as_ref()?.iter().any(looks_up);
        is_delivered.then_some(Visit { endpoint, kept, masquerade: outcome.masquerade })
    }
}

/// Sessions that are begun, each with other chance.
const ROUNDS: u64 = 3;

/// What became of one connection of a client.
struct Visit {
    endpoint: SocketAddr,
    /// It was known, and sent where it had been.
    kept: bool,
    masquerade: bool,
}

fn cluster_address<'e>(settings: &Settings, entry: &'e PortEntry) -> Option<&'e AddressEntry> {
    let mut addresses = entry.addresses_of(AddressKind::ClusterIp);
    addresses.find(|served| served.family == settings.family && served.no_endpoints.is_none())
}

/// The walk of an [`Ask`].
pub(super) fn answer(
    verifier: &Verifier<'_>,
    ask: &Ask,
    served: &AddressEntry,
    protocol: Protocol,
) -> Answer {
    verifier.prober.ask_from(ask.vantage, ask.src, ask.dst, served.port, protocol, Some(&served.rule))
}
