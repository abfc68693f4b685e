//! What a walk of first packets does not show: marks and their masks, hairpin, affinity, order, and
//! chains that nothing leads to.

use std::net::SocketAddr;

use hookwalk_parser::Rule;
use hookwalk_parser::extensions::{Match, RecentAction, RecentMatch, Target};
use hookwalk_parser::types::{ConnState, Family, MaskedAddress};
use rustc_hash::FxHashSet;

use super::ports::Port;
use crate::finding::{Finding, Severity};
use crate::inventory::{AddressKind, PortEntry, endpoint_of};
use crate::rules::{self, At, EXT, FW, MARK_MASQ, SEP, SVC, SVL, TableView, Tables, XLB};
use crate::settings::{self, Detector, Layout, Settings};

/// The marks of one family's tables. Whether nothing that depends on them can be right.
pub(super) fn check_marks(tables: &Tables<'_>, settings: &Settings, findings: &mut Vec<Finding>) -> bool {
    let before = findings.len();
    for nat in tables.named("nat").filter(|view| view.family == settings.family) {
        for (at, message) in marks_that_differ(nat, settings) {
            tell(tables, at, "mark-differs", message, findings);
        }
        if nat.chain(MARK_MASQ.as_bytes()).is_some() && settings.masquerade_mark.is_none() {
            let finding = Finding::new("mark-differs", Severity::Error, "KUBE-MARK-MASQ sets no mark");
            findings.push(super::at_chain(tables, settings.family, "nat", MARK_MASQ, finding));
        }
        check_postrouting(tables, nat, findings);
    }
    let is_broken = findings.len() > before;
    for filter in tables.named("filter").filter(|view| view.family == settings.family) {
        check_forward(tables, filter, settings, findings);
        check_drop_mark(tables, filter, settings, findings);
    }
    for nat in tables.named("nat").filter(|view| view.family == settings.family) {
        check_services(tables, nat, findings);
    }
    is_broken
}

/// Rules of `KUBE-MARK-MASQ` and `KUBE-POSTROUTING` whose mark or mask is not the one bit.
fn marks_that_differ(nat: &TableView<'_>, settings: &Settings) -> Vec<(At, String)> {
    let mut found = Vec::new();
    let Some(bit) = settings.masquerade_mark else { return found };
    for (at, rule) in nat.rules(MARK_MASQ.as_bytes()) {
        if let Target::Mark(mark) = rule.target
            && (!mark.value.is_power_of_two() || mark.mask != mark.value)
        {
            let (value, mask) = (mark.value, mark.mask);
            found.push((
                at,
                format!("KUBE-MARK-MASQ sets {value:#x} under the mask {mask:#x}, not one bit alone"),
            ));
        }
    }
    for (at, rule) in nat.rules(b"KUBE-POSTROUTING") {
        for asked in marks(rule) {
            if asked.value != bit || asked.mask != bit {
                found.push((
                    at,
                    format!("KUBE-POSTROUTING looks for mark {asked}, and KUBE-MARK-MASQ sets {bit:#x}"),
                ));
            }
        }
        if let Target::Mark(mark) = rule.target
            && (((bit & !mark.mask) ^ mark.value) & bit != 0 || (mark.value | mark.mask) & !bit != 0)
        {
            let (value, mask) = (mark.value, mark.mask);
            found.push((
                at,
                format!("KUBE-POSTROUTING takes the mark {value:#x}/{mask:#x} away, not {bit:#x}"),
            ));
        }
    }
    found
}

fn marks(rule: &Rule) -> impl Iterator<Item = hookwalk_parser::types::MarkMask> {
    rule.matches.iter().filter_map(|m| match m {
        Match::Mark(m) => m.mark.map(|mark| mark.value),
        _ => None,
    })
}

/// `KUBE-POSTROUTING`: who leaves without the mark, the mark away, MASQUERADE, in this order; or up to
/// 1.19 the one rule that does it all.
fn check_postrouting(tables: &Tables<'_>, nat: &TableView<'_>, findings: &mut Vec<Finding>) {
    if nat.chain(b"KUBE-POSTROUTING").is_none() {
        return;
    }
    let order = |rule: &Rule| match rule.target {
        Target::Return => Some(0),
        Target::Mark(_) => Some(1),
        Target::Masquerade(_) => Some(2),
        _ => None,
    };
    check_order(tables, nat.rules(b"KUBE-POSTROUTING"), order, "KUBE-POSTROUTING", findings);
    let rules = || nat.rules(b"KUBE-POSTROUTING").map(|(_, rule)| rule);
    let message = if !rules().any(|rule| matches!(rule.target, Target::Masquerade(_))) {
        "KUBE-POSTROUTING masquerades nothing"
    } else if !rules().any(|rule| marks(rule).next().is_some()) {
        "KUBE-POSTROUTING masquerades packets without the mark as well"
    } else if rules().any(|rule| rule.target == Target::Return)
        && !rules().any(|rule| matches!(rule.target, Target::Mark(_)))
    {
        "KUBE-POSTROUTING does not take the mark away: what is routed again is masqueraded again"
    } else {
        return;
    };
    let finding = Finding::new("rule-missing", Severity::Error, message);
    findings.push(super::at_chain(tables, nat.family, "nat", "KUBE-POSTROUTING", finding));
}

/// `KUBE-FORWARD`: INVALID packets dropped before marked ones are accepted.
fn check_forward(
    tables: &Tables<'_>,
    filter: &TableView<'_>,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let order = |rule: &Rule| match rule.target {
        Target::Drop => Some(0),
        Target::Accept => Some(1),
        _ => None,
    };
    check_order(tables, filter.rules(b"KUBE-FORWARD"), order, "KUBE-FORWARD", findings);
    let Some(bit) = settings.masquerade_mark else { return };
    let mut accepts = false;
    for (at, rule) in filter.rules(b"KUBE-FORWARD") {
        for asked in marks(rule) {
            accepts = true;
            if asked.value != bit || asked.mask != bit {
                let message = format!("KUBE-FORWARD accepts mark {asked}, and KUBE-MARK-MASQ sets {bit:#x}");
                tell(tables, at, "mark-differs", message, findings);
            }
        }
    }
    if filter.chain(b"KUBE-FORWARD").is_none() {
        return;
    }
    let mut lacks = |severity, message: &str| {
        let finding = Finding::new("rule-missing", severity, message);
        findings.push(super::at_chain(tables, filter.family, "filter", "KUBE-FORWARD", finding));
    };
    if !accepts {
        lacks(Severity::Error, "KUBE-FORWARD accepts no packet that is marked");
    }
    // Up to 1.22 the rule is there with a cluster CIDR alone.
    let has_cidr = matches!(settings.detector, Some(Detector::Cidr(_)));
    let asks = |state| filter.rules(b"KUBE-FORWARD").any(|(_, rule)| asks_state(rule, state));
    if (settings.layout >= Some(Layout::From124) || has_cidr) && !asks(ConnState::Established) {
        lacks(Severity::Error, "KUBE-FORWARD does not accept packets of connections that are there");
    }
    if !asks(ConnState::Invalid) {
        let message = "KUBE-FORWARD does not drop INVALID packets; that is right where nf_conntrack_tcp_be_liberal \
                       is set, and before 1.15";
        lacks(Severity::Info, message);
    }
}

/// `--ctstate` with this state in its list.
fn asks_state(rule: &Rule, state: ConnState) -> bool {
    rule.matches.iter().any(|m| match m {
        Match::Conntrack(m) => {
            m.ctstate.is_some_and(|states| !states.negated && states.value.contains(state))
        }
        _ => false,
    })
}

/// `KUBE-FIREWALL` up to 1.24: packets with the mark of `KUBE-MARK-DROP` end here.
fn check_drop_mark(
    tables: &Tables<'_>,
    filter: &TableView<'_>,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let Some(bit) = settings.drop_mark.filter(|_| settings.layout < Some(Layout::From125)) else { return };
    if filter.chain(b"KUBE-FIREWALL").is_none() {
        return;
    }
    let mut drops = false;
    for (at, rule) in filter.rules(b"KUBE-FIREWALL").filter(|(_, rule)| rule.target == Target::Drop) {
        for asked in marks(rule) {
            drops = true;
            if asked.value != bit || asked.mask != bit {
                let message = format!("KUBE-FIREWALL drops mark {asked}, and KUBE-MARK-DROP sets {bit:#x}");
                tell(tables, at, "mark-differs", message, findings);
            }
        }
    }
    if !drops {
        let message = format!("KUBE-FIREWALL drops no packet with the mark {bit:#x} of KUBE-MARK-DROP");
        let finding = Finding::new("rule-missing", Severity::Error, message);
        findings.push(super::at_chain(tables, filter.family, "filter", "KUBE-FIREWALL", finding));
    }
}

/// Tells the first rule that stands behind one that should come after it.
fn check_order<'d>(
    tables: &Tables<'_>,
    rules: impl Iterator<Item = (At, &'d Rule)>,
    order: impl Fn(&Rule) -> Option<u8>,
    chain: &str,
    findings: &mut Vec<Finding>,
) {
    let mut highest: Option<(u8, At)> = None;
    for (at, rule) in rules {
        let Some(own) = order(rule) else { continue };
        match highest {
            Some((before, earlier)) if before > own => {
                let line = tables.line(earlier).map(|line| format!(" of line {line}")).unwrap_or_default();
                let message =
                    format!("this rule of {chain} stands behind the one{line} that must come after it");
                tell(tables, at, "rule-order", message, findings);
                return;
            }
            _ => highest = Some((own, at)),
        }
    }
}

/// `KUBE-SERVICES` of nat: the node ports last.
fn check_services(tables: &Tables<'_>, nat: &TableView<'_>, findings: &mut Vec<Finding>) {
    let mut node_ports: Option<At> = None;
    for (at, rule) in nat.rules(b"KUBE-SERVICES") {
        if rules::jumps_to(rule, "KUBE-NODEPORTS") {
            node_ports = Some(at);
            continue;
        }
        let is_service = rules::jump(rule).and_then(rules::service_chain).is_some();
        if is_service && let Some(earlier) = node_ports.take() {
            let message =
                "the jump to KUBE-NODEPORTS stands before a Service's rule, and must be the last".to_owned();
            tell(tables, earlier, "rule-order", message, findings);
        }
    }
}

/// The chains of one Service port.
pub(super) fn check_port(
    tables: &Tables<'_>,
    settings: &Settings,
    port: &Port<'_>,
    entry: &PortEntry,
    findings: &mut Vec<Finding>,
) {
    let Some(hash) = &entry.hash else { return };
    let object = port.object();
    let from = findings.len();
    for nat in tables.named("nat").filter(|view| view.family == port.family) {
        for prefix in [SVC, SVL, EXT, FW, XLB] {
            let chain = format!("{prefix}{hash}");
            check_detector(tables, nat, &chain, settings, findings);
            if matches!(prefix, SVC | SVL | XLB) {
                check_affinity(tables, nat, &chain, port, findings);
            }
        }
        check_endpoints(tables, nat, hash, findings);
    }
    for finding in findings.iter_mut().skip(from) {
        finding.object = Some(object.clone());
    }
}

/// Every rule that tells Pods from others tells them as the others do.
fn check_detector(
    tables: &Tables<'_>,
    nat: &TableView<'_>,
    chain: &str,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    for (at, rule) in nat.rules(chain.as_bytes()) {
        let is_mark = settings::is_cluster_ip_mark(rule);
        let to_service =
            rules::jump(rule).and_then(rules::service_chain).is_some_and(|(prefix, _)| prefix == SVC);
        let own = if is_mark {
            settings::detector_of(rule, true)
        } else if to_service && (chain.starts_with(EXT) || chain.starts_with(XLB)) {
            settings::detector_of(rule, false)
        } else {
            continue;
        };
        if let (Some(own), Some(asked)) = (own, settings.detector)
            && own != asked
        {
            let message = format!("this rule takes {own} for Pods' traffic, and the others {asked}");
            tell(tables, at, "detector-differs", message, findings);
        }
    }
}

/// Every endpoint's chain masquerades what the endpoint sends to itself, before it rewrites.
fn check_endpoints(tables: &Tables<'_>, nat: &TableView<'_>, hash: &str, findings: &mut Vec<Finding>) {
    let mut seen: FxHashSet<&[u8]> = FxHashSet::default();
    for prefix in [SVC, SVL, XLB] {
        for (_, rule) in nat.rules(format!("{prefix}{hash}").as_bytes()) {
            let Some(chain) = rules::jump(rule).filter(|chain| chain.starts_with(SEP.as_bytes())) else {
                continue;
            };
            if seen.insert(chain) {
                check_endpoint(tables, nat, chain, findings);
            }
        }
    }
}

fn check_endpoint(tables: &Tables<'_>, nat: &TableView<'_>, chain: &[u8], findings: &mut Vec<Finding>) {
    let Some((dnat, address)) = nat.rules(chain).find_map(|(at, rule)| Some((at, rules::dnat(rule)?))) else {
        return;
    };
    let mut before = nat.rules(chain).take_while(|(at, _)| at.rule < dnat.rule);
    let own = MaskedAddress::host(address.ip());
    let marks = before.find(|(_, rule)| rules::jumps_to(rule, MARK_MASQ));
    match marks {
        None => {
            let message =
                format!("what endpoint {address} sends to itself is not masqueraded before it is rewritten");
            tell(tables, dnat, "hairpin-missing", message, findings);
        }
        Some((at, rule)) => {
            if let Some(source) = rule.base.source().filter(|source| source.negated || source.value != own) {
                let message = format!("the chain of endpoint {address} masquerades {}", source.value);
                tell(tables, at, "mask-differs", message, findings);
            } else if rule.base.source().is_none() {
                let message = format!("the chain of endpoint {address} masquerades everything");
                tell(tables, at, "mask-differs", message, findings);
            }
        }
    }
}

/// Session affinity: each endpoint first looks for clients it has, and remembers those it gets.
fn check_affinity(
    tables: &Tables<'_>,
    nat: &TableView<'_>,
    chain: &str,
    port: &Port<'_>,
    findings: &mut Vec<Finding>,
) {
    let asked = port.service.affinity_seconds;
    let is_network = |mask| MaskedAddress::host(mask) != all_bits(port.family);
    let mut remembered: Vec<SocketAddr> = Vec::new();
    let mut drawn: Vec<(SocketAddr, At)> = Vec::new();
    for (at, rule) in nat.rules(chain.as_bytes()) {
        let Some((_, endpoint)) = endpoint_of(nat, at, rule) else { continue };
        let Some(recent) = rules::recent(rule) else {
            drawn.push((endpoint, at));
            match remembers(nat, rule) {
                None if asked.is_some() => {
                    let message = format!("endpoint {endpoint} does not remember its clients");
                    tell(tables, at, "affinity-missing", message, findings);
                }
                Some((at, recent)) if asked.is_some() && recent.mask.is_some_and(is_network) => {
                    let message = format!("endpoint {endpoint} remembers the networks of its clients");
                    tell(tables, at, "mask-differs", message, findings);
                }
                _ => {}
            }
            continue;
        };
        remembered.push(endpoint);
        if asked.is_none() {
            let message = format!("endpoint {endpoint} keeps its clients, which the object does not ask for");
            tell(tables, at, "affinity-stale", message, findings);
        } else if recent.seconds != asked {
            let (found, asked) = (recent.seconds.unwrap_or(0), asked.unwrap_or(0));
            let message = format!("endpoint {endpoint} keeps its clients for {found} s, not {asked} s");
            tell(tables, at, "affinity-differs", message, findings);
        } else if recent.mask.is_some_and(is_network) {
            let message = format!("endpoint {endpoint} takes clients of one network for one client");
            tell(tables, at, "mask-differs", message, findings);
        } else if let Some((_, written)) = remembers(nat, rule)
            && ((&written.name, written.rdest) != (&recent.name, recent.rdest) || recent.rdest)
        {
            let message =
                format!("clients of endpoint {endpoint} are looked for where it does not write them down");
            tell(tables, at, "affinity-differs", message, findings);
        }
        if let Some((_, earlier)) = drawn.first() {
            let line = tables.line(*earlier).map(|line| format!(" of line {line}")).unwrap_or_default();
            let message = format!("clients of endpoint {endpoint} are looked for behind the draw{line}");
            tell(tables, at, "rule-order", message, findings);
        }
    }
    if asked.is_some() {
        for (endpoint, at) in drawn.iter().filter(|(endpoint, _)| !remembered.contains(endpoint)) {
            let message = format!("no rule looks for clients that endpoint {endpoint} has");
            tell(tables, *at, "affinity-missing", message, findings);
        }
    }
}

/// Up to 1.23 with the external policy Local: what a process of the node sends to a node port at
/// localhost is marked in `KUBE-NODEPORTS`, since its source could not be answered.
pub(super) fn check_localhost(
    tables: &Tables<'_>,
    settings: &Settings,
    port: &Port<'_>,
    findings: &mut Vec<Finding>,
) {
    if settings.layout >= Some(Layout::From124) || !port.external_local() || !port.has_usable() {
        return;
    }
    let addresses = port.addresses();
    let Some(asked) = addresses.iter().find(|asked| asked.kind == AddressKind::NodePort) else { return };
    for nat in tables.named("nat").filter(|view| view.family == port.family) {
        let own = |(_, rule): &(At, &Rule)| rules::port(rule) == Some((port.protocol, asked.port));
        let marks = |(_, rule): (At, &Rule)| {
            let loopback = rule.base.source().is_some_and(|s| !s.negated && s.value.address().is_loopback());
            loopback && rules::jumps_to(rule, MARK_MASQ)
        };
        let mut served = nat.rules(b"KUBE-NODEPORTS").filter(own);
        if served.clone().any(marks) {
            continue;
        }
        let Some((at, _)) =
            served.find(|(_, rule)| rules::jump(rule).and_then(rules::service_chain).is_some())
        else {
            continue;
        };
        let message =
            format!("packets to `{}` are not masqueraded from localhost to {}", port.name, asked.text());
        tell(tables, at, "masquerade-missing", message, findings);
        if let Some(finding) = findings.last_mut() {
            finding.object = Some(port.object());
        }
    }
}

/// A source range that lets the node in lets in the load balancer's own address as well: a node that
/// holds it sends from it.
pub(super) fn check_own_range(
    tables: &Tables<'_>,
    port: &Port<'_>,
    entry: &PortEntry,
    node: std::net::IpAddr,
    findings: &mut Vec<Finding>,
) {
    let Some(hash) =
        entry.hash.as_ref().filter(|_| port.source_ranges().iter().any(|range| range.contains(node)))
    else {
        return;
    };
    let chain = format!("{FW}{hash}");
    for nat in tables.named("nat").filter(|view| view.family == port.family) {
        for asked in port
            .addresses()
            .iter()
            .filter(|asked| asked.kind == AddressKind::LoadBalancerIp && asked.required)
        {
            let is_let_in = |(_, rule): (At, &Rule)| {
                rules::host_source(rule) == asked.ip
                    && rules::jump(rule).and_then(rules::service_chain).is_some()
            };
            if nat.chain(chain.as_bytes()).is_some() && !nat.rules(chain.as_bytes()).any(is_let_in) {
                let message =
                    format!("the node is let in, and not when it sends from {} itself", asked.text());
                let finding =
                    Finding::new("source-range-missing", Severity::Error, message).about(port.object());
                findings.push(super::at_chain(tables, port.family, "nat", &chain, finding));
            }
        }
    }
}

fn all_bits(family: Family) -> MaskedAddress {
    match family {
        Family::V4 => MaskedAddress::host(std::net::Ipv4Addr::BROADCAST.into()),
        Family::V6 => MaskedAddress::host(std::net::Ipv6Addr::from_bits(u128::MAX).into()),
    }
}

/// The rule of the endpoint's chain that writes its clients down.
fn remembers<'d>(nat: &TableView<'d>, rule: &Rule) -> Option<(At, &'d RecentMatch)> {
    nat.rules(rules::jump(rule)?).find_map(|(at, rule)| {
        let recent = rules::recent(rule)?;
        let action = recent.action.filter(|action| !action.negated && action.value == RecentAction::Set);
        action.map(|_| (at, recent))
    })
}

/// The chains that something leads to, from the built-in ones on.
pub(super) fn reached<'d>(nat: &TableView<'d>) -> FxHashSet<&'d [u8]> {
    let mut reached: FxHashSet<&[u8]> = FxHashSet::default();
    let built_in = nat.chains().iter().filter(|chain| !chain.name.as_bytes().starts_with(b"KUBE-"));
    let mut stack: Vec<&[u8]> = built_in.map(|chain| chain.name.as_bytes()).collect();
    // Where the built-in chains are not in the dump, the shared chains are as good as reached.
    stack.extend([&b"KUBE-SERVICES"[..], b"KUBE-NODEPORTS", b"KUBE-POSTROUTING"]);
    while let Some(chain) = stack.pop() {
        if reached.insert(chain) {
            stack.extend(nat.rules(chain).filter_map(|(_, rule)| rules::jump(rule)));
        }
    }
    reached
}

/// Chains of Services and endpoints that nothing leads to do no harm: large clusters keep them for a
/// while (`pkg/proxy/iptables`, since 1.27).
pub(super) fn check_unreferenced(tables: &Tables<'_>, family: Family, findings: &mut Vec<Finding>) {
    for nat in tables.named("nat").filter(|view| view.family == family) {
        let reached = reached(nat);
        let is_own = |name: &[u8]| rules::service_chain(name).is_some() || name.starts_with(SEP.as_bytes());
        let mut unreached = nat.chains().iter().filter(|chain| {
            let name = chain.name.as_bytes();
            is_own(name) && !reached.contains(name)
        });
        let Some(first) = unreached.next() else { continue };
        let more = unreached.count();
        let more = if more == 0 { String::new() } else { format!(" and to {more} more of its kind") };
        let message = format!("nothing leads to {}{more}; that does no harm", first.name);
        let finding = Finding::new("chain-unreferenced", Severity::Info, message);
        findings.push(super::at_chain(tables, family, "nat", &first.name.to_str(), finding));
    }
}

fn tell(tables: &Tables<'_>, at: At, code: &'static str, message: String, findings: &mut Vec<Finding>) {
    let finding = Finding::new(code, Severity::Error, message);
    findings.push(match tables.reference(at) {
        Some(rule) => finding.at(rule),
        None => finding,
    });
}
