//! Rules of kube-proxy's own chains that ask more, less or something else than it writes there, also
//! where none of the packets walked can show it.

use hookwalk_parser::Rule;
use hookwalk_parser::extensions::{AddressType, AddressTypes, Match, RejectWith, Target};
use hookwalk_parser::types::{ConnState, ConnStates, Family, MaskedAddress, Negatable, Protocol};

use super::chains;
use crate::finding::{Finding, Severity};
use crate::rules::{self, At, EXT, MARK_DROP, MARK_MASQ, SVC, SVL, TableView, Tables, XLB};
use crate::settings::{self, Detector, Layout, Settings};

/// Looks at every rule of the chains that all Services share, and of those that each has.
pub(super) fn check(tables: &Tables<'_>, settings: &Settings, findings: &mut Vec<Finding>) {
    let mut tell = Telling { tables, findings };
    for filter in tables.named("filter").filter(|view| view.family == settings.family) {
        refusals(filter, settings, &mut tell);
        health_checks(filter, &mut tell);
        forwarding(filter, settings, &mut tell);
        firewall(filter, &mut tell);
        for chain in ["INPUT", "FORWARD", "OUTPUT"] {
            jumps(filter, chain, settings, &mut tell);
        }
    }
    for nat in tables.named("nat").filter(|view| view.family == settings.family) {
        for chain in ["PREROUTING", "OUTPUT", "POSTROUTING"] {
            jumps(nat, chain, settings, &mut tell);
        }
        services(nat, settings, &mut tell);
        node_ports(nat, &mut tell);
        let reached = chains::reached(nat);
        for chain in nat.chains().iter().filter(|chain| reached.contains(chain.name.as_bytes())) {
            if let Some((prefix, hash)) = rules::service_chain(chain.name.as_bytes()) {
                of_service(nat, prefix, hash, settings, &mut tell);
            }
        }
        for (at, rule) in nat.rules(MARK_DROP.as_bytes()) {
            if let Target::Mark(mark) = rule.target
                && (!mark.value.is_power_of_two() || mark.mask != mark.value)
            {
                let (value, mask) = (mark.value, mark.mask);
                let message =
                    format!("KUBE-MARK-DROP sets {value:#x} under the mask {mask:#x}, not one bit alone");
                tell.at(at, "mark-differs", message);
            }
        }
        let marks = |(_, rule): &(At, &Rule)| matches!(rule.target, Target::Mark(_));
        if let Some((at, _)) = nat.rules(b"KUBE-POSTROUTING").filter(marks).nth(1) {
            tell.at(at, "rule-differs", "it sets the mark again that a rule above takes away");
        }
        for (at, _) in nat.rules(b"KUBE-POSTROUTING").filter(|(_, rule)| rule.target == Target::Accept) {
            tell.at(
                at,
                "rule-differs",
                "it ends table nat for packets without the mark: rules of others behind it are not asked",
            );
        }
    }
}

struct Telling<'t, 'd> {
    tables: &'t Tables<'d>,
    findings: &'t mut Vec<Finding>,
}

impl Telling<'_, '_> {
    fn at(&mut self, at: At, code: &'static str, message: impl Into<String>) {
        self.with(at, code, Severity::Error, message);
    }

    fn with(&mut self, at: At, code: &'static str, severity: Severity, message: impl Into<String>) {
        let place = self.tables.reference(at);
        // What a check before has said of a rule is not said again.
        if self.findings.iter().any(|known| known.place.is_some() && known.place == place) {
            return;
        }
        let finding = Finding::new(code, severity, message);
        self.findings.push(match place {
            Some(place) => finding.at(place),
            None => finding,
        });
    }
}

/// What `-m addrtype` asks of a rule: the types of the source, and of the destination.
fn types(rule: &Rule) -> [Option<Negatable<AddressTypes>>; 2] {
    let mut found = [None; 2];
    for m in &rule.matches {
        if let Match::Addrtype(m) = m {
            found = [m.src_type.or(found[0]), m.dst_type.or(found[1])];
        }
    }
    found
}

fn is_local(types: Option<Negatable<AddressTypes>>) -> bool {
    types.is_some_and(|t| !t.negated && t.value.iter().eq([AddressType::Local]))
}

fn is_not_local(types: Option<Negatable<AddressTypes>>) -> bool {
    types.is_some_and(|t| t.negated && t.value.iter().eq([AddressType::Local]))
}

fn states(rule: &Rule) -> Option<Negatable<ConnStates>> {
    rule.matches.iter().find_map(|m| match m {
        Match::Conntrack(m) => m.ctstate,
        _ => None,
    })
}

fn are(states: ConnStates, wanted: &[ConnState]) -> bool {
    states.iter().count() == wanted.len() && wanted.iter().all(|state| states.contains(*state))
}

fn is_loopback(address: MaskedAddress) -> bool {
    match address.family() {
        Family::V4 => address.address().is_loopback() && address.prefix_len() == Some(8),
        Family::V6 => address == MaskedAddress::host(std::net::Ipv6Addr::LOCALHOST.into()),
    }
}

fn shown(rule: &Rule) -> String {
    match rule.base.destination() {
        Some(d) if d.negated => format!("every address but {}", d.value),
        Some(d) => d.value.to_string(),
        None => "every address".to_owned(),
    }
}

/// `KUBE-SERVICES`, `KUBE-EXTERNAL-SERVICES` and `KUBE-PROXY-FIREWALL` of filter.
fn refusals(filter: &TableView<'_>, settings: &Settings, tell: &mut Telling<'_, '_>) {
    for chain in ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"] {
        for (at, rule) in filter.rules(chain.as_bytes()) {
            let verb = match &rule.target {
                Target::Reject(_) => "refuses",
                Target::Drop => "drops",
                _ => continue,
            };
            let is_node_port = chain == "KUBE-EXTERNAL-SERVICES" && is_local(types(rule)[1]);
            if rules::host_destination(rule).is_none() && !(is_node_port && rule.base.destination().is_none())
            {
                let message = format!("it {verb} what goes to {}, not to one address", shown(rule));
                tell.at(at, "mask-differs", message);
            } else if rules::port(rule).is_none() {
                let message = format!("it {verb} what goes to {}, whatever the port", shown(rule));
                tell.at(at, "rule-differs", message);
            } else if let Target::Reject(reject) = &rule.target
                && !matches!(
                    reject.with,
                    None | Some(RejectWith::IcmpPortUnreachable | RejectWith::Icmp6PortUnreachable)
                )
            {
                tell.at(at, "rule-differs", "it refuses with another answer than `port-unreachable`");
            } else if rule.target == Target::Drop && settings.layout < Some(Layout::From125) {
                tell.at(at, "rule-differs", "it drops what kube-proxy of this version refuses");
            }
        }
    }
}

/// `KUBE-NODEPORTS` of filter: load balancers ask by TCP.
fn health_checks(filter: &TableView<'_>, tell: &mut Telling<'_, '_>) {
    for (at, rule) in filter.rules(b"KUBE-NODEPORTS").filter(|(_, rule)| rule.target == Target::Accept) {
        if rules::port(rule).is_none_or(|(protocol, _)| protocol != Protocol::TCP) {
            tell.at(at, "health-check-differs", "it lets in something else than one port by TCP");
        }
    }
}

/// `KUBE-FORWARD`: INVALID is dropped; what is marked, or belongs to a connection, is accepted.
fn forwarding(filter: &TableView<'_>, settings: &Settings, tell: &mut Telling<'_, '_>) {
    let mut ends = [None; 2];
    let mut plain = false;
    for (at, rule) in filter.rules(b"KUBE-FORWARD") {
        let Some(asked) = states(rule) else {
            let is_marked = rule.matches.iter().any(|m| matches!(m, Match::Mark(_)));
            if is_marked && rule.target != Target::Accept {
                tell.at(at, "rule-differs", "it does not accept what is marked");
            }
            continue;
        };
        let is_invalid = asked.value.contains(ConnState::Invalid);
        let wanted = if is_invalid { Target::Drop } else { Target::Accept };
        let exact = if is_invalid {
            are(asked.value, &[ConnState::Invalid])
        } else {
            are(asked.value, &[ConnState::Related, ConnState::Established])
        };
        if rule.target != wanted {
            let (what, verb) = if is_invalid {
                ("INVALID packets", "drop")
            } else {
                ("packets of known connections", "accept")
            };
            tell.at(at, "rule-differs", format!("it does not {verb} {what}"));
        } else if asked.negated || !exact {
            tell.at(at, "rule-differs", "it asks for other states of connections than kube-proxy does");
        }
        if is_invalid {
            continue;
        }
        for (end, address) in ends.iter_mut().zip([rule.base.source(), rule.base.destination()]) {
            let Some(address) = address else { continue };
            *end = Some(at);
            if let Some(Detector::Cidr(cidr)) = settings.detector
                && (address.negated || address.value != cidr)
            {
                let message =
                    format!("it takes {} for Pods' traffic, and the others source in {cidr}", address.value);
                tell.at(at, "detector-differs", message);
            }
        }
        plain |= rule.base.source().is_none() && rule.base.destination().is_none();
    }
    // With a CIDR there is one rule for each direction.
    if let ([Some(at), None] | [None, Some(at)], false) = (ends, plain) {
        tell.at(
            at,
            "rule-missing",
            "KUBE-FORWARD lets packets of known connections through in this direction alone",
        );
    }
}

/// `KUBE-FIREWALL`: `! -s 127.0.0.0/8 -d 127.0.0.0/8`, unless the connection is known or rewritten.
fn firewall(filter: &TableView<'_>, tell: &mut Telling<'_, '_>) {
    for (at, rule) in filter.rules(b"KUBE-FIREWALL") {
        let base = &rule.base;
        if base.source().is_none() && base.destination().is_none() {
            continue;
        }
        let to = base.destination().is_some_and(|d| !d.negated && is_loopback(d.value));
        let from = base.source().is_some_and(|s| s.negated && is_loopback(s.value));
        let known = [ConnState::Related, ConnState::Established, ConnState::Dnat];
        let state = states(rule).is_some_and(|s| s.negated && are(s.value, &known));
        if !(to && from && state && rule.target == Target::Drop) {
            let message = "it does not drop just what comes to 127.0.0.0/8 from elsewhere and belongs to no \
                           known connection";
            tell.at(at, "rule-differs", message);
        }
    }
}

/// Jumps of a built-in chain to a shared one: for every packet, or in filter for those of new connections.
fn jumps(view: &TableView<'_>, from: &str, settings: &Settings, tell: &mut Telling<'_, '_>) {
    const NEW_ALONE: &[&str] = &["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"];
    const ALL: &[&str] =
        &["KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-FIREWALL", "KUBE-POSTROUTING", "KUBE-SERVICES"];
    for to in NEW_ALONE.iter().chain(ALL) {
        let is_new_alone = view.name == "filter" && NEW_ALONE.contains(to);
        if !is_new_alone && !ALL.contains(to) {
            continue;
        }
        let own = || view.rules(from.as_bytes()).filter(|(_, rule)| rules::jumps_to(rule, to));
        let is_free = |rule: &Rule| {
            let base = &rule.base;
            let addressed = base.source().is_some()
                || base.destination().is_some()
                || base.protocol().is_some()
                || base.in_interface().is_some()
                || base.out_interface().is_some();
            let asks = |m: &Match| !matches!(m, Match::Comment(_) | Match::Conntrack(_) | Match::Nfacct(_));
            !addressed && !rule.matches.iter().any(asks)
        };
        let takes_new = |rule: &Rule| {
            states(rule).is_none_or(|s| is_new_alone && !s.negated && s.value.contains(ConnState::New))
        };
        let Some((at, _)) = own().next() else { continue };
        if !own().any(|(_, rule)| is_free(rule) && takes_new(rule)) {
            tell.at(
                at,
                "jump-differs",
                format!("not every packet that {from} should send to {to} goes there"),
            );
        } else if is_new_alone
            && settings.layout >= Some(Layout::From122)
            && let Some((at, _)) = own().find(|(_, rule)| states(rule).is_none())
        {
            let message =
                format!("packets of known connections go to {to} too, which kube-proxy does not ask for");
            tell.with(at, "jump-differs", Severity::Info, message);
        }
    }
}

/// `KUBE-SERVICES` of nat.
fn services(nat: &TableView<'_>, settings: &Settings, tell: &mut Telling<'_, '_>) {
    for (at, rule) in nat.rules(b"KUBE-SERVICES") {
        if rules::jumps_to(rule, "KUBE-NODEPORTS") {
            let by_address = rules::host_destination(rule).is_some();
            let but_loopback = rule.base.destination().is_none_or(|d| d.negated && is_loopback(d.value));
            if !(by_address || is_local(types(rule)[1]) && but_loopback) {
                let message = "it sends packets to other hosts' addresses to KUBE-NODEPORTS too, which takes those to \
                               any node port";
                tell.at(at, "rule-differs", message);
            }
            continue;
        }
        let marks = rules::jumps_to(rule, MARK_MASQ);
        if !marks && rules::jump(rule).and_then(rules::service_chain).is_none() {
            continue;
        }
        if rules::host_destination(rule).is_none() {
            tell.at(at, "mask-differs", format!("it takes what goes to {}, not to one address", shown(rule)));
        } else if rules::port(rule).is_none() {
            tell.at(at, "rule-differs", format!("it takes what goes to {}, whatever the port", shown(rule)));
        }
        if marks && let (Some(own), Some(asked)) = (settings::detector_of(rule, true), settings.detector) {
            if own != asked {
                let message = format!("this rule takes {own} for Pods' traffic, and the others {asked}");
                tell.at(at, "detector-differs", message);
            }
        } else if marks && (rule.base.source().is_some() || rule.base.in_interface().is_some()) {
            tell.at(at, "detector-differs", "it marks what comes from Pods, and the others what does not");
        }
    }
    if settings.layout == Some(Layout::UpTo121) {
        external_pairs(nat, tell);
    }
}

/// Up to 1.20 an external IP has two rules: one for what comes from outside and by no bridge, one for
/// where it is an address of this node.
fn external_pairs(nat: &TableView<'_>, tell: &mut Telling<'_, '_>) {
    let is_bridged = |rule: &Rule| {
        let physdev = |m: &Match| matches!(m, Match::Physdev(m) if m.is_in.is_some_and(|is| is.negated));
        rule.matches.iter().any(physdev)
    };
    let to_service = |rule: &Rule| rules::jump(rule).and_then(rules::service_chain).is_some();
    let asking = || {
        nat.rules(b"KUBE-SERVICES")
            .filter(move |(_, rule)| to_service(rule) && (is_bridged(rule) || types(rule) != [None; 2]))
    };
    for (at, rule) in asking() {
        let [source, destination] = types(rule);
        let from_outside = is_bridged(rule) && is_not_local(source) && destination.is_none();
        let held_here = !is_bridged(rule) && source.is_none() && is_local(destination);
        if !from_outside && !held_here {
            tell.at(at, "rule-differs", "it takes other packets to an external IP than kube-proxy does");
            continue;
        }
        let key = |rule: &Rule| (rules::host_destination(rule), rules::port(rule));
        let other = asking().any(|(other, beside)| other != at && key(beside) == key(rule));
        if !other {
            let which = if from_outside { "where this node holds it" } else { "from outside" };
            tell.at(
                at,
                "rule-missing",
                format!("the rule for packets to this external IP {which} is missing"),
            );
        }
    }
}

/// `KUBE-NODEPORTS` of nat.
fn node_ports(nat: &TableView<'_>, tell: &mut Telling<'_, '_>) {
    for (at, rule) in nat.rules(b"KUBE-NODEPORTS") {
        if rules::jump(rule).is_none() {
            continue;
        }
        let base = &rule.base;
        let is_loopback =
            |a: Option<Negatable<MaskedAddress>>| a.is_none_or(|a| !a.negated && is_loopback(a.value));
        if rules::port(rule).is_none() {
            tell.at(at, "rule-differs", "it takes packets to whatever port");
        } else if !is_loopback(base.source()) || !is_loopback(base.destination()) {
            tell.at(at, "rule-differs", "it takes packets from or to some addresses alone");
        }
    }
}

/// The chains of one Service port.
fn of_service(
    nat: &TableView<'_>,
    prefix: &'static str,
    hash: &str,
    settings: &Settings,
    tell: &mut Telling<'_, '_>,
) {
    let name = format!("{prefix}{hash}");
    let is_local_policy = nat.rules(name.as_bytes()).any(|(_, rule)| {
        rules::asks_local_source(rule) && rules::jump(rule).and_then(rules::service_chain).is_some()
    });
    for (at, rule) in nat.rules(name.as_bytes()) {
        if let Some((_, other)) = rules::jump(rule).and_then(rules::service_chain)
            && other != hash
        {
            tell.at(at, "served-by-other", "it leads to the chains of another Service port");
            continue;
        }
        if !rules::jumps_to(rule, MARK_MASQ) {
            continue;
        }
        match prefix {
            SVC | SVL => {
                // 1.22 and 1.23 mark what comes to the node port here too, whatever the address.
                let of_node_port = |(_, served): (At, &Rule)| {
                    let own = rules::jump(served)
                        .and_then(rules::service_chain)
                        .is_some_and(|(_, own)| own == hash);
                    own && rules::port(served) == rules::port(rule)
                };
                let by_port = settings.layout == Some(Layout::From122)
                    && rule.base.destination().is_none()
                    && nat.rules(b"KUBE-NODEPORTS").any(of_node_port);
                if rules::host_destination(rule).is_none() && !by_port {
                    let message = format!("it marks what goes to {}, not to one address", shown(rule));
                    tell.at(at, "mask-differs", message);
                } else if rules::port(rule).is_none() {
                    tell.at(at, "rule-differs", "it marks packets to whatever port");
                }
            }
            EXT | XLB if is_local_policy && !is_local(types(rule)[0]) => {
                tell.at(
                    at,
                    "rule-differs",
                    "it marks what comes from outside, whose source the policy Local keeps",
                );
            }
            _ => {}
        }
    }
}
