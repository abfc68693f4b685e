//! A walk beside what was asked for.

use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::{Probability, RuleRef, Verdict};

use super::expect::Expected;
use super::ports::Port;
use crate::finding::{Finding, Severity};
use crate::inventory::{AddressKind, Inventory, PortEntry};
use crate::rules::SEP;
use crate::settings::{Layout, Settings};
use crate::vantage::{Answer, Part, Vantage, Way};

/// One thing that is not as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// An endpoint is not reached.
    Missing(SocketAddr),
    /// One is reached that should not be.
    Stale(SocketAddr, Option<RuleRef>),
    /// One has another share than the others, in millionths of a percent.
    Share(SocketAddr, u64, usize, Option<RuleRef>),
    /// The source is not masqueraded.
    NotMasqueraded,
    /// The source is masqueraded.
    Masqueraded(Option<RuleRef>),
    /// It is refused, or goes on as it is, in place of reaching endpoints.
    NotServed(Verdict, Option<RuleRef>),
    /// The rules of another Service port take it.
    Taken(String, Option<RuleRef>),
    /// It is not rejected.
    NotRejected(Verdict, Option<RuleRef>),
    /// It is not dropped.
    NotDropped(Verdict, Option<RuleRef>),
}

impl Mismatch {
    /// Whether both are one thing to mend.
    fn is_like(&self, other: &Mismatch) -> bool {
        match (self, other) {
            (Mismatch::NotServed(..), Mismatch::NotServed(..))
            | (Mismatch::NotRejected(..), Mismatch::NotRejected(..))
            | (Mismatch::NotDropped(..), Mismatch::NotDropped(..)) => true,
            _ => self == other,
        }
    }

    pub(super) fn is_about_masquerading(&self) -> bool {
        matches!(self, Mismatch::NotMasqueraded | Mismatch::Masqueraded(_))
    }
}

/// The packet that it was seen with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Where {
    pub(super) kind: AddressKind,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) vantage: Vantage,
    /// The source and the destination, where they are not those that stand for all of their kind.
    pub(super) special: Option<String>,
    /// The rule that serves the address.
    pub(super) rule: RuleRef,
}

impl Where {
    fn text(&self) -> String {
        let to = match self.ip {
            Some(ip) => format!("{} {}", self.kind.as_str(), SocketAddr::new(ip, self.port)),
            None => format!("{} {}", self.kind.as_str(), self.port),
        };
        match &self.special {
            Some(special) => format!("from {special} to {to}"),
            None => format!("from {} to {to}", self.vantage.as_str()),
        }
    }
}

/// What decides where a walk alone does not.
pub(super) struct Doubt<'a> {
    pub(super) settings: &'a Settings,
    pub(super) entry: &'a PortEntry,
    pub(super) inventory: &'a Inventory,
}

/// What is not as any of the expectations; nothing where one of them holds in every way that the walk
/// can turn out, and the first of them in one.
pub(super) fn mismatches(doubt: &Doubt<'_>, answer: &Answer, expected: &[Expected]) -> Vec<Mismatch> {
    let Some(first) = expected.first() else { return Vec::new() };
    let ways: Vec<&Way> = answer.ways.iter().filter(|way| tells(way)).collect();
    if let Some(taken) = ways.iter().find_map(|way| doubt.taken(way)) {
        return vec![taken];
    }
    let holds = |way: &&&Way| expected.iter().any(|one| against(doubt, way, one).is_empty());
    if let Some(wrong) = ways.iter().find(|way| !holds(way)) {
        // The fewest differences are the likeliest to be what is wrong.
        let all = expected.iter().map(|one| against(doubt, wrong, one));
        return all.min_by_key(Vec::len).unwrap_or_default();
    }
    // Where the way is open to some packets alone, it must be open to those.
    let is_open = matches!(first, Expected::Endpoints { .. }) && expected.contains(&Expected::NoEndpoint);
    if is_open && !ways.iter().any(|way| against(doubt, way, first).is_empty()) {
        return ways.first().map(|way| against(doubt, way, first)).unwrap_or_default();
    }
    Vec::new()
}

/// Whether kube-proxy's rules have had their say: not where the packet ended before them, or where
/// nothing is certain.
pub(super) fn tells(way: &Way) -> bool {
    let before = |part: &Part| {
        let early = part.rule.as_ref().is_some_and(|rule| matches!(rule.table, "raw" | "mangle"));
        part.endpoint.is_none() && part.verdict == Verdict::Dropped && early
    };
    !way.parts.is_empty() && !way.parts.iter().any(|part| before(part) || part.verdict == Verdict::Unknown)
}

fn against(doubt: &Doubt<'_>, way: &Way, expected: &Expected) -> Vec<Mismatch> {
    match expected {
        Expected::Endpoints { endpoints, masquerade } => {
            to_endpoints(doubt, way, endpoints, *masquerade, true)
        }
        Expected::SomeOf { endpoints, masquerade } => {
            let is_refused = |part: &Part| part.endpoint.is_none() && part.verdict == Verdict::Rejected;
            if way.parts.iter().all(|part| is_dropped(doubt, part) || is_refused(part)) {
                return Vec::new();
            }
            to_endpoints(doubt, way, endpoints, *masquerade, false)
        }
        Expected::Reject => {
            refused(doubt, way, |part| part.verdict == Verdict::Rejected, Mismatch::NotRejected)
        }
        Expected::Drop => refused(doubt, way, |part| is_dropped(doubt, part), Mismatch::NotDropped),
        Expected::NoEndpoint => refused(doubt, way, |_| true, Mismatch::NotDropped),
    }
}

fn to_endpoints(
    doubt: &Doubt<'_>,
    way: &Way,
    endpoints: &[SocketAddr],
    masquerade: bool,
    all: bool,
) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let mut reached: Vec<(SocketAddr, Probability)> = Vec::new();
    for part in &way.parts {
        let Some(endpoint) = part.endpoint else {
            found.push(Mismatch::NotServed(part.verdict, part.rule.clone()));
            continue;
        };
        match reached.iter_mut().find(|(known, _)| *known == endpoint) {
            Some((_, share)) => *share = share.plus(&part.share),
            None => reached.push((endpoint, part.share.clone())),
        }
        match (masquerade, is_marked(doubt, part)) {
            (true, false) => push(&mut found, Mismatch::NotMasqueraded),
            (false, true) => push(&mut found, Mismatch::Masqueraded(part.masquerade_rule.clone())),
            _ => {}
        }
    }
    if reached.is_empty() {
        return found;
    }
    for (endpoint, _) in reached.iter().filter(|(endpoint, _)| !endpoints.contains(endpoint)) {
        found.push(Mismatch::Stale(*endpoint, doubt.rule_of(*endpoint)));
    }
    if all {
        let is_reached = |endpoint: &&SocketAddr| reached.iter().any(|(known, _)| known == *endpoint);
        found
            .extend(endpoints.iter().filter(|e| !is_reached(e)).map(|endpoint| Mismatch::Missing(*endpoint)));
    }
    // Shares are told where nothing else about the endpoints is wrong.
    if found.iter().all(Mismatch::is_about_masquerading) {
        found.extend(shares(doubt, &reached));
    }
    found
}

fn push(found: &mut Vec<Mismatch>, mismatch: Mismatch) {
    if !found.contains(&mismatch) {
        found.push(mismatch);
    }
}

/// Shares are equal but for what the rules' decimals and the kernel's 31 bits lose: at most 2^-31 for
/// each draw, which the draws before and behind it at most double. kube-proxy wrote five decimals up to
/// 1.16.
fn shares(doubt: &Doubt<'_>, reached: &[(SocketAddr, Probability)]) -> Vec<Mismatch> {
    let lost = if doubt.settings.layout == Some(Layout::UpTo121) { 2e-5 } else { 2_f64.powi(-30) };
    #[expect(clippy::cast_precision_loss, reason = "a number of endpoints")]
    let even = 1.0 / reached.len() as f64;
    let uneven = reached.iter().filter(|(_, share)| (share.to_f64() - even).abs() > lost);
    uneven
        .map(|(endpoint, share)| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share is from 0 to 1"
            )]
            let millionths = (share.to_f64() * 1e8).round() as u64;
            Mismatch::Share(*endpoint, millionths, reached.len(), doubt.rule_of(*endpoint))
        })
        .collect()
}

fn refused(
    doubt: &Doubt<'_>,
    way: &Way,
    holds: impl Fn(&Part) -> bool,
    otherwise: impl Fn(Verdict, Option<RuleRef>) -> Mismatch,
) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for part in &way.parts {
        match part.endpoint {
            Some(endpoint) => found.push(Mismatch::Stale(endpoint, doubt.rule_of(endpoint))),
            None if holds(part) => {}
            None => push(&mut found, otherwise(part.verdict, part.rule.clone())),
        }
    }
    found
}

/// Dropped; up to 1.24 also marked for it, since KUBE-FIREWALL does not stand in FORWARD.
fn is_dropped(doubt: &Doubt<'_>, part: &Part) -> bool {
    let marked = doubt.settings.drop_mark.is_some_and(|mark| mark != 0 && part.mark & mark == mark);
    part.endpoint.is_none()
        && (part.verdict == Verdict::Dropped || marked && doubt.settings.layout < Some(Layout::From125))
}

/// Whether kube-proxy has the source masqueraded: others may do so without its mark.
pub(super) fn is_marked(doubt: &Doubt<'_>, part: &Part) -> bool {
    if part.is_delivered() {
        return part.masquerade && part.masquerade_rule.as_ref().is_some_and(is_own);
    }
    doubt.settings.masquerade_mark.is_some_and(|mark| mark != 0 && part.mark & mark == mark)
}

fn is_own(rule: &RuleRef) -> bool {
    rule.chain.as_bytes().starts_with(b"KUBE-")
}

impl Doubt<'_> {
    /// Endpoints that another Service port's chain rewrote to.
    fn taken(&self, way: &Way) -> Option<Mismatch> {
        let sent = way.parts.iter().filter(|part| part.endpoint.is_some() && part.is_delivered());
        // Where the address's own rule was met, the part names that one and not the one that rewrote.
        let rewrote = |rule: &&RuleRef| rule.chain.as_bytes().starts_with(SEP.as_bytes());
        sent.filter_map(|part| part.rule.as_ref()).filter(rewrote).find_map(|rule| {
            let has = |entry: &PortEntry| entry.endpoints.iter().any(|endpoint| endpoint.rule == *rule);
            if has(self.entry) {
                return None;
            }
            let other = self.inventory.services.iter().find(|entry| has(entry))?;
            let first = other.addresses.first().map(|address| address.rule.clone());
            Some(Mismatch::Taken(other.to_string(), first.or_else(|| Some(rule.clone()))))
        })
    }

    pub(super) fn rule_of(&self, endpoint: SocketAddr) -> Option<RuleRef> {
        self.entry.endpoints.iter().find(|known| known.address == endpoint).map(|known| known.rule.clone())
    }
}

/// One finding for each thing that is wrong, however many packets it was seen with.
pub(super) fn report(port: &Port<'_>, mismatches: Vec<(Mismatch, Where)>, findings: &mut Vec<Finding>) {
    let mut groups: Vec<(Mismatch, Vec<Where>)> = Vec::new();
    for (mismatch, place) in mismatches {
        match groups.iter_mut().find(|(known, _)| known.is_like(&mismatch)) {
            Some((_, places)) => places.push(place),
            None => groups.push((mismatch, vec![place])),
        }
    }
    // An endpoint that is served in place of a missing one makes two findings of one change; both are told.
    for (mismatch, places) in groups {
        let Some(first) = places.first() else { continue };
        let more = if places.len() > 1 {
            format!(", and in {} more cases", places.len() - 1)
        } else {
            String::new()
        };
        let seen = format!("{}{more}", first.text());
        let (code, message, rule) = told(port, &mismatch, &seen);
        // What is not there is told at the rule that serves the address.
        let rule = rule.unwrap_or_else(|| first.rule.clone());
        findings.push(Finding::new(code, Severity::Error, message).about(port.object()).at(rule));
    }
}

fn told(port: &Port<'_>, mismatch: &Mismatch, seen: &str) -> (&'static str, String, Option<RuleRef>) {
    let name = &port.name;
    match mismatch {
        Mismatch::Missing(endpoint) => {
            ("endpoint-missing", format!("endpoint {endpoint} of `{name}` is not reached {seen}"), None)
        }
        Mismatch::Stale(endpoint, rule) => {
            let why = match port.candidate(*endpoint) {
                None => "no slice has it",
                Some(candidate) if !candidate.ready => "it is not ready",
                Some(candidate) if !candidate.local && port.knows_local => {
                    "it is not on this node, or to be left out"
                }
                Some(_) => "it is to be left out",
            };
            let message = format!("endpoint {endpoint} of `{name}` is reached {seen}, though {why}");
            ("endpoint-stale", message, rule.clone())
        }
        Mismatch::Share(endpoint, millionths, count, rule) => {
            #[expect(clippy::cast_precision_loss, reason = "a share for showing")]
            let percent = *millionths as f64 / 1e6;
            let message = format!(
                "endpoint {endpoint} of `{name}` gets {percent:.6}% of the packets, not 1/{count}, {seen}"
            );
            ("share-unequal", message, rule.clone())
        }
        Mismatch::NotMasqueraded => {
            ("masquerade-missing", format!("packets to `{name}` are not masqueraded {seen}"), None)
        }
        Mismatch::Masqueraded(rule) => {
            ("masquerade-unasked", format!("packets to `{name}` are masqueraded {seen}"), rule.clone())
        }
        Mismatch::NotServed(verdict, rule) => {
            let what = became(*verdict);
            (
                "not-served",
                format!("packets to `{name}` reach no endpoint and are {what} {seen}"),
                rule.clone(),
            )
        }
        Mismatch::Taken(other, rule) => {
            let message = format!("packets to `{name}` are sent to the endpoints of `{other}` {seen}");
            ("served-by-other", message, rule.clone())
        }
        Mismatch::NotRejected(verdict, rule) => {
            let what = became(*verdict);
            let message =
                format!("`{name}` has no endpoint, and packets are {what} in place of rejected {seen}");
            ("reject-missing", message, rule.clone())
        }
        Mismatch::NotDropped(verdict, rule) => {
            let what = became(*verdict);
            let message = format!("packets to `{name}` are {what} in place of dropped {seen}");
            ("drop-missing", message, rule.clone())
        }
    }
}

fn became(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Forwarded => "forwarded as they are",
        Verdict::Sent => "sent as they are",
        Verdict::Local => "kept on this node",
        other => other.as_str(),
    }
}
