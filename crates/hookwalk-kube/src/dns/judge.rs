//! What walks of queries and answers come to.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::{Assumption, Case, Engine, HostPart, Outcome, RuleRef, Verdict, Walk};
use hookwalk_parser::extensions::{Match, Target};

use super::{Answer, Endpoint, PORT, Query};
use crate::inventory::{AddressEntry, AddressKind, Inventory, NoEndpoints};

pub(super) fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local)
}

/// How one case ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    All,
    None,
    Some,
    /// Behind a draw it depends on what is not known.
    Open,
    Unknown,
}

fn end(case: &Case) -> End {
    let reached = case.outcomes.iter().filter(|outcome| is_delivered(outcome)).count();
    let unknown = case.outcomes.iter().any(|o| o.verdict == Verdict::Unknown || o.verdict == Verdict::Queued);
    match reached {
        _ if unknown || case.outcomes.is_empty() => End::Unknown,
        0 => End::None,
        all if all == case.outcomes.len() => End::All,
        _ if case.outcomes.iter().any(|outcome| !outcome.assume.is_empty()) => End::Open,
        _ => End::Some,
    }
}

fn answer_of(walk: &Walk) -> Answer {
    let ends: Vec<End> = walk.cases.iter().map(end).collect();
    let all = |wanted: End| ends.iter().all(|end| *end == wanted);
    match () {
        () if all(End::All) => Answer::Works,
        () if all(End::None) => Answer::Fails,
        () if ends.iter().all(|end| matches!(end, End::Some | End::None)) => Answer::FailsPartly,
        () if all(End::Unknown) => Answer::Unknown,
        () => Answer::Depends,
    }
}

pub(super) fn judge(
    engine: &Engine,
    inventory: &Inventory,
    query: &mut Query,
    walk: &Walk,
    answers: Option<&Walk>,
) {
    query.answer = answer_of(walk);
    query.endpoints = walk.cases.first().map(endpoints).unwrap_or_default();
    query.notes = notes(engine, walk);
    if query.answer == Answer::Depends
        && let Some(why) = without_endpoints(inventory, query, walk)
    {
        query.answer = Answer::Fails;
        query.reason = why;
        return;
    }
    query.reason = match query.answer {
        Answer::Works => works(engine, inventory, query, walk, answers),
        Answer::Fails | Answer::FailsPartly => {
            let part = if query.answer == Answer::Fails { "queries are" } else { "a part of the queries is" };
            format!("{part} lost: {}", why(walk))
        }
        Answer::Depends => {
            format!("it depends on what is not known: {}{}", fails_when(walk), told_by(walk))
        }
        Answer::Outside | Answer::Unknown => format!("the dump cannot tell: {}", why(walk)),
    };
}

/// Why no query reaches a name server, where its address is a Service's without endpoints.
fn without_endpoints(inventory: &Inventory, query: &Query, walk: &Walk) -> Option<String> {
    let serves = |address: &&AddressEntry| {
        address.kind == AddressKind::ClusterIp && (address.ip, address.port) == (Some(query.server), PORT)
    };
    let mut entries = inventory.services.iter().filter(|entry| entry.protocol == query.protocol);
    let (entry, address) = entries.find_map(|entry| Some((entry, entry.addresses.iter().find(serves)?)))?;
    let is_sent = walk.cases.iter().flat_map(|case| &case.outcomes).any(|outcome| outcome.dnat);
    let here = match address.no_endpoints.filter(|_| !is_sent)? {
        NoEndpoints::Reject => "",
        NoEndpoints::Drop => " on this node",
    };
    let line = address.rule.line.map_or_else(String::new, |line| format!(" (line {line})"));
    Some(format!("queries reach no name server: {entry} has no endpoints{here}{line}"))
}

/// What of the node would settle it.
fn told_by(walk: &Walk) -> String {
    let outcomes = walk.cases.iter().flat_map(|case| &case.outcomes).flat_map(|outcome| &outcome.assume);
    let assumed: BTreeSet<Option<HostPart>> =
        walk.cases.iter().flat_map(|case| &case.assume).chain(outcomes).map(|a| a.told_by).collect();
    let file = |part: &Option<HostPart>| match part {
        Some(HostPart::Addresses) => Some("`ip addr` (--addr)".to_owned()),
        Some(HostPart::Routes) => Some("`ip route show table all` (--route)".to_owned()),
        Some(HostPart::Sets) => Some("`ipset save` (--ipset)".to_owned()),
        _ => None,
    };
    let files: Vec<String> = assumed.iter().filter_map(file).collect();
    if files.is_empty() {
        return "; no file of the node tells".to_owned();
    }
    let all = if files.len() == assumed.len() { "it" } else { "a part of it, and no file the rest" };
    format!("; {} of this node would tell {all}", crate::explain::listed(&files, "and"))
}

/// Queries get through; do they get to a name server, and do answers come back?
fn works(
    engine: &Engine,
    inventory: &Inventory,
    query: &mut Query,
    walk: &Walk,
    answers: Option<&Walk>,
) -> String {
    let outcomes = || walk.cases.iter().flat_map(|case| &case.outcomes);
    if let Some(answers) = answers
        && let answer @ (Answer::Fails | Answer::FailsPartly | Answer::Depends) = answer_of(answers)
    {
        query.answer = answer;
        let lost = why(answers);
        return match answer {
            Answer::Depends => {
                let when = fails_when(answers);
                format!(
                    "queries get through; answers depend on what is not known: {when}{}",
                    told_by(answers)
                )
            }
            _ => format!("queries get through, and answers are lost: {lost}"),
        };
    }
    let on_as_it_is = |o: &Outcome| !o.dnat && matches!(o.verdict, Verdict::Forwarded | Verdict::Sent);
    if !outcomes().any(on_as_it_is) {
        let words = if query.endpoints.len() == 1 { "its endpoint" } else { "each of its endpoints" };
        return if outcomes().all(|o| o.verdict == Verdict::Local && !o.dnat) {
            format!("{} is an address of this node, and the rules let queries to it in", query.server)
        } else {
            format!("queries reach {words}, and answers come back")
        };
    }
    // Not rewritten and sent on: right for a machine, wrong for an address that only rules serve.
    let leaves = match not_a_machine(inventory, query.server) {
        Some(why) => {
            query.answer = Answer::Fails;
            format!("no rule of this node takes it, and {why}")
        }
        None => {
            query.answer = Answer::Outside;
            let service = engine.dumps().iter().any(|dump| !dump.is_whole());
            let but = if service { "; the dump is a part, and others may" } else { "" };
            format!("no rule of this node takes it, so that it goes on to whatever has the address{but}")
        }
    };
    if outcomes().all(on_as_it_is) {
        return leaves;
    }
    query.answer = if query.answer == Answer::Outside { Answer::Works } else { Answer::Depends };
    let when = walk.cases.iter().find(|case| !case.outcomes.iter().any(on_as_it_is));
    let when = when.map(|case| statements(case.assume.iter()));
    format!("it works if {}; else {leaves}", when.unwrap_or_default())
}

/// Why an address belongs to no machine.
fn not_a_machine(inventory: &Inventory, server: IpAddr) -> Option<String> {
    let addresses = || inventory.services.iter().flat_map(|entry| entry.addresses_of(AddressKind::ClusterIp));
    let cluster: BTreeSet<IpAddr> =
        addresses().filter_map(|address| address.ip).filter(|ip| ip.is_ipv4() == server.is_ipv4()).collect();
    if cluster.contains(&server) {
        let lines: Vec<String> = addresses()
            .filter(|address| address.ip == Some(server))
            .filter_map(|address| Some(format!("port {} at line {}", address.port, address.rule.line?)))
            .collect();
        return Some(format!("{server} is a cluster IP ({}), which no machine has", lines.join(", ")));
    }
    if let IpAddr::V4(v4) = server
        && v4.is_link_local()
    {
        return Some(format!("{server} is link-local and is not routed"));
    }
    let (first, last) = (cluster.first()?, cluster.last()?);
    (first < &server && &server < last)
        .then(|| format!("{server} lies among the cluster IPs ({first} to {last}), which no machine has"))
}

/// Where the queries of a case go.
fn endpoints(case: &Case) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for outcome in case.outcomes.iter().filter(|outcome| outcome.dnat || outcome.verdict == Verdict::Local) {
        let address = SocketAddr::new(outcome.dst, outcome.dport.unwrap_or(PORT));
        let (masqueraded, reached) = (outcome.masquerade, is_delivered(outcome));
        let same = endpoints.iter_mut().find(|known| {
            known.address == address && known.masqueraded == masqueraded && known.reached == reached
        });
        match same {
            Some(known) => known.share = known.share.plus(&outcome.probability),
            None => endpoints.push(Endpoint {
                address,
                share: outcome.probability.clone(),
                masqueraded,
                reached,
                by: outcome.dnat_by.clone(),
            }),
        }
    }
    endpoints
}

/// Why queries do not get through, of the first outcome that does not.
fn why(walk: &Walk) -> String {
    why_of(walk.cases.iter().flat_map(|case| &case.outcomes))
}

fn why_of<'w>(outcomes: impl Iterator<Item = &'w Outcome>) -> String {
    let Some(lost) = outcomes.filter(|outcome| !is_delivered(outcome)).max_by_key(|o| o.decided_by.is_some())
    else {
        return "a way was not followed to its end".to_owned();
    };
    let mut text = match lost.verdict {
        Verdict::Rejected => {
            let with = lost.reject_with.map(|with| format!(" with {with}")).unwrap_or_default();
            format!("refused{with}")
        }
        Verdict::Dropped => "dropped".to_owned(),
        Verdict::Queued => "handed to a program that decides".to_owned(),
        _ => "not known".to_owned(),
    };
    if let Some(place) = lost.place {
        let _ = write!(text, " in {}", place.as_str());
    }
    if let Some(rule) = &lost.decided_by {
        let _ = write!(text, " by {rule}");
        if let Some(line) = rule.line {
            let _ = write!(text, " (line {line})");
        }
    }
    if let Some(reason) = &lost.reason {
        let _ = write!(text, ": {reason}");
    }
    if !lost.not_in_dump.is_empty() {
        let _ = write!(text, "; not in the dump: {}", lost.not_in_dump.join(", "));
    }
    text
}

/// When queries are lost, by the case that assumes the least, and why.
fn fails_when(walk: &Walk) -> String {
    let lost = walk.cases.iter().flat_map(|case| {
        let lost = case.outcomes.iter().filter(|outcome| !is_delivered(outcome));
        lost.map(move |outcome| (case, outcome))
    });
    let count = lost.clone().count();
    let least = lost.min_by_key(|(case, outcome)| case.assume.len() + outcome.assume.len());
    let Some((case, outcome)) = least else { return "a way was not followed to its end".to_owned() };
    let others = match count {
        1 => String::new(),
        2 => ", and in one more way".to_owned(),
        more => format!(", and in {} more ways", more - 1),
    };
    let conditions = statements(case.assume.iter().chain(&outcome.assume));
    format!("{} if {conditions}{others}", why_of(std::iter::once(outcome)))
}

/// What is assumed, in words.
fn statements<'w>(assume: impl Iterator<Item = &'w Assumption>) -> String {
    const SHOWN: usize = 4;
    let statement = |assumption: &Assumption| {
        let line = assumption.rule.as_ref().and_then(|rule| rule.line);
        let at = line.map_or_else(String::new, |line| format!(" (line {line})"));
        let not = if assumption.is { "" } else { "not: " };
        format!("{not}{}{at}", assumption.what)
    };
    let mut told: Vec<String> = assume.map(statement).collect();
    if told.len() > SHOWN + 1 {
        let more = told.len() - SHOWN;
        told.truncate(SHOWN);
        told.push(format!("{more} more such things"));
    }
    crate::explain::listed(&told, "and")
}

/// How chains of network policies start, of those programs that put them into iptables.
const POLICIES: [&str; 10] = [
    "cali-tw-",
    "cali-fw-",
    "cali-pi-",
    "cali-po-",
    "cali-pri-",
    "cali-pro-",
    "KUBE-POD-FW-",
    "KUBE-NWPLCY-",
    "WEAVE-NPC",
    "AZURE-NPM",
];

/// So many of them are told.
const POLICIES_TOLD: usize = 6;

/// What is worth knowing of the rules on the way.
fn notes(engine: &Engine, walk: &Walk) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let mut note = |text: String| {
        if !notes.contains(&text) {
            notes.push(text);
        }
    };
    let outcomes = || walk.cases.iter().flat_map(|case| &case.outcomes);
    let line = |rule: &RuleRef| rule.line.map_or_else(String::new, |line| format!(" (line {line})"));
    for at in outcomes().flat_map(|outcome| outcome.matched_rules.iter().flatten()) {
        let Some(rule) = engine.rule(at) else { continue };
        let untracks = match &rule.target {
            Target::Notrack(_) => true,
            Target::Ct(t) => t.notrack,
            _ => false,
        };
        if untracks {
            note(format!(
                "{at}{} takes it out of connection tracking, as NodeLocal DNSCache does: KUBE-SERVICES is not asked",
                line(at)
            ));
        }
        if rule.matches.iter().any(|m| matches!(m, Match::Physdev(_))) {
            note(format!("{at}{} asks by which port of a bridge it comes or leaves (-m physdev)", line(at)));
        }
        if matches!(rule.target, Target::Redirect(_)) {
            note(format!("{at}{} redirects it to a program on this node", line(at)));
        }
    }
    let mut policies: Vec<(String, Vec<String>)> = Vec::new();
    for at in outcomes().flat_map(|outcome| outcome.matched_rules.iter().flatten()) {
        let chain = at.chain.to_str();
        if !POLICIES.iter().any(|prefix| chain.starts_with(prefix)) {
            continue;
        }
        let comments: Vec<String> = engine
            .rule(at)
            .map(|rule| rule.comments().map(|c| c.to_str().into_owned()).collect())
            .unwrap_or_default();
        let told = comments
            .into_iter()
            .filter(|text| !(text.starts_with("cali:") && text.len() == 21))
            .map(|text| format!("“{text}”"));
        let known = match policies.iter_mut().find(|(known, _)| *known == chain) {
            Some((_, known)) => known,
            None => {
                policies.push((chain.into_owned(), Vec::new()));
                match policies.last_mut() {
                    Some((_, known)) => known,
                    None => continue,
                }
            }
        };
        for text in told {
            if !known.contains(&text) {
                known.push(text);
            }
        }
    }
    if !policies.is_empty() {
        let words = |(chain, comments): &(String, Vec<String>)| {
            if comments.is_empty() { chain.clone() } else { format!("{chain} ({})", comments.join(", ")) }
        };
        let mut told: Vec<String> = policies.iter().take(POLICIES_TOLD).map(words).collect();
        if policies.len() > POLICIES_TOLD {
            told.push(format!("{} more", policies.len() - POLICIES_TOLD));
        }
        note(format!("policy chains on the way: {}", told.join(", ")));
    }
    notes
}
