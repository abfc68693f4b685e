//! The Services of a node's rules, for people.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use anstyle::{AnsiColor, Style};
use hookwalk::kube::inventory::{AddressEntry, EndpointEntry, Inventory, NoEndpoints, PortEntry};
use hookwalk::kube::vantage::{Answer, Part, Prober, Vantage, Way};
use hookwalk::{Probability, RuleRef, Verdict};

use super::kube;
use crate::paragraph::counted;

const NAME: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Of more endpoints than this only the number is told where an address leads to them.
const ENDPOINTS_TOLD: usize = 2;

/// Of more endpoints than this only the first are listed.
const ENDPOINTS_LISTED: usize = 20;

/// Of more ways than this only the first are told.
const WAYS_TOLD: usize = 3;

pub(crate) fn print(
    out: &mut impl Write,
    files: &[String],
    inventory: &Inventory,
    prober: &Prober,
    total: usize,
) -> io::Result<()> {
    if inventory.settings.is_empty() && total == 0 {
        return writeln!(out, "no rules of kube-proxy: there is no chain KUBE-SERVICES with a Service in it");
    }
    kube::print_settings(out, &inventory.settings, prober)?;
    if !inventory.ipvs.is_empty() {
        writeln!(
            out,
            "kube-proxy runs in ipvs mode: which endpoint a Service address leads to stands in IPVS (`ipvsadm -Ln`),\nand not in these rules"
        )?;
    }
    let endpoints: usize = inventory.services.iter().map(|entry| entry.endpoints.len()).sum();
    let shown = inventory.services.len();
    let of = if shown == total { String::new() } else { format!(" (of {total})") };
    writeln!(out, "{}{of}, {}", counted(shown, "service port"), counted(endpoints, "endpoint"))?;
    entries(out, files, inventory, prober)
}

/// Each Service port: its endpoints with their shares, and where each of its addresses leads from where.
pub(super) fn entries(
    out: &mut impl Write,
    files: &[String],
    inventory: &Inventory,
    prober: &Prober,
) -> io::Result<()> {
    let printer = Printer { files, prober };
    for entry in &inventory.services {
        writeln!(out)?;
        printer.entry(out, entry)?;
    }
    Ok(())
}

struct Printer<'a> {
    files: &'a [String],
    prober: &'a Prober,
}

impl Printer<'_> {
    fn entry(&self, out: &mut impl Write, entry: &PortEntry) -> io::Result<()> {
        writeln!(out, "{NAME}{entry}{NAME:#} {}", entry.protocol)?;
        let mut facts = Vec::new();
        if let Some(policy) = entry.internal_policy {
            facts.push(format!("internal policy {}", policy.as_str()));
        }
        if let Some(policy) = entry.external_policy {
            facts.push(format!("external policy {}", policy.as_str()));
        }
        if let Some(seconds) = entry.affinity_seconds {
            facts.push(format!("a client stays with its endpoint for {seconds} s"));
        }
        if let Some(port) = entry.health_check_node_port {
            facts.push(format!("health check at port {port}"));
        }
        if !facts.is_empty() {
            writeln!(out, "  {}", facts.join(", "))?;
        }
        if !entry.source_ranges.is_empty() {
            let ranges: Vec<String> = entry.source_ranges.iter().map(ToString::to_string).collect();
            writeln!(out, "  load balancer open to {}", ranges.join(", "))?;
        }
        self.endpoints(out, entry)?;
        for address in &entry.addresses {
            self.address(out, entry, address)?;
        }
        Ok(())
    }

    fn endpoints(&self, out: &mut impl Write, entry: &PortEntry) -> io::Result<()> {
        if entry.endpoints.is_empty() {
            let how = match entry.no_endpoints {
                Some(NoEndpoints::Reject) => "no endpoints: packets are rejected",
                Some(NoEndpoints::Drop) => "no endpoints on this node: packets are dropped",
                None => "no endpoints",
            };
            return writeln!(out, "  {BAD}{how}{BAD:#}");
        }
        let texts: Vec<String> = entry.endpoints.iter().map(|e| e.address.to_string()).collect();
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        for (endpoint, text) in entry.endpoints.iter().zip(&texts).take(ENDPOINTS_LISTED) {
            writeln!(
                out,
                "  -> {text:width$}  {:>8}{}  {DIM}{}{DIM:#}",
                shown_share(endpoint),
                if endpoint.local == Some(true) { "  on this node" } else { "" },
                kube::line(self.files, &endpoint.rule),
            )?;
        }
        if entry.endpoints.len() > ENDPOINTS_LISTED {
            writeln!(out, "  {DIM}and {} more endpoints{DIM:#}", entry.endpoints.len() - ENDPOINTS_LISTED)?;
        }
        if entry.no_endpoints == Some(NoEndpoints::Drop) {
            writeln!(out, "  {OPEN}no endpoints on this node where the policy is Local{OPEN:#}")?;
        }
        Ok(())
    }

    fn address(&self, out: &mut impl Write, entry: &PortEntry, address: &AddressEntry) -> io::Result<()> {
        let text = address.ip.map_or_else(|| address.port.to_string(), |ip| socket(ip, address.port));
        let line = kube::line(self.files, &address.rule);
        writeln!(out, "  {} {text}  {DIM}{line}{DIM:#}", address.kind.as_str())?;
        let mut told: Vec<(Vec<Vantage>, Vec<String>)> = Vec::new();
        for vantage in Vantage::ALL {
            let answer = self.prober.ask(address, entry.protocol, vantage);
            let lines = self.answer(entry, &answer);
            match told.iter_mut().find(|(_, known)| *known == lines) {
                Some((vantages, _)) => vantages.push(vantage),
                None => told.push((vec![vantage], lines)),
            }
        }
        for (vantages, lines) in told {
            let from = from(&vantages);
            let mut lines = lines.iter();
            if let Some(first) = lines.next() {
                writeln!(out, "    {from:30} {first}")?;
            }
            for line in lines {
                writeln!(out, "    {:30} {line}", "")?;
            }
        }
        Ok(())
    }

    fn answer(&self, entry: &PortEntry, answer: &Answer) -> Vec<String> {
        let mut lines = Vec::new();
        match answer.ways.as_slice() {
            [only] => lines.extend(self.way(entry, only)),
            several => {
                lines.push(format!("{OPEN}it depends{OPEN:#} on what the dump does not tell:"));
                for way in several.iter().take(WAYS_TOLD) {
                    lines.extend(self.way(entry, way).into_iter().map(|line| format!("  {line}")));
                    lines.extend(self.assumed(way, several));
                }
                if several.len() > WAYS_TOLD {
                    lines.push(format!("  {DIM}or in {} more ways{DIM:#}", several.len() - WAYS_TOLD));
                }
            }
        }
        if answer.truncated {
            lines.push("a limit was reached, something may be left out".to_owned());
        }
        lines
    }

    /// What this way assumes and not all of the ways do.
    fn assumed(&self, way: &Way, ways: &[Way]) -> Option<String> {
        let mut own = way.assume.iter().filter(|a| !ways.iter().all(|way| way.assume.contains(a)));
        let first = own.next()?;
        let line =
            first.rule.as_ref().map_or_else(|| "routing".to_owned(), |rule| kube::line(self.files, rule));
        let word = if first.is { "if" } else { "unless" };
        let more = own.count();
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        Some(format!("    {DIM}{word} {} ({line}){more}{DIM:#}", first.what))
    }

    /// What happens, endpoints together.
    fn way(&self, entry: &PortEntry, way: &Way) -> Vec<String> {
        let mut groups: Vec<(String, Vec<&Part>)> = Vec::new();
        for part in &way.parts {
            let told = self.part(part);
            match groups.iter_mut().find(|(known, _)| *known == told) {
                Some((_, parts)) => parts.push(part),
                None => groups.push((told, vec![part])),
            }
        }
        let alone = groups.len() == 1;
        let line = |(told, parts): (String, Vec<&Part>)| {
            let endpoints: Vec<SocketAddr> = parts.iter().filter_map(|part| part.endpoint).collect();
            let share = parts.iter().fold(Probability::ZERO, |sum, part| sum.plus(&part.share));
            let share = if alone { String::new() } else { format!("{} ", percent(&share)) };
            let endpoints = if endpoints.is_empty() { String::new() } else { named(entry, &endpoints) };
            format!("{share}{endpoints}{told}")
        };
        groups.into_iter().map(line).collect()
    }

    /// What happens, but for the endpoint it happens with.
    fn part(&self, part: &Part) -> String {
        let by = |rule: &Option<RuleRef>| {
            rule.as_ref().map(|rule| format!(" by {}", kube::line(self.files, rule))).unwrap_or_default()
        };
        match (part.endpoint, part.verdict) {
            (Some(_), _) if part.is_delivered() && part.masquerade => {
                format!(", masqueraded{}", by(&part.masquerade_rule))
            }
            (Some(_), _) if part.is_delivered() => String::new(),
            (Some(_), Verdict::Unknown) => ", and then what the dump does not tell".to_owned(),
            (Some(_), verdict) => format!(", then {BAD}{}{BAD:#}{}", verdict.as_str(), by(&part.rule)),
            (None, Verdict::Dropped | Verdict::Rejected) => {
                format!("{BAD}{}{BAD:#}{}", part.verdict.as_str(), by(&part.rule))
            }
            (None, Verdict::Local) => "not sent to an endpoint: stays on this node".to_owned(),
            (None, Verdict::Forwarded | Verdict::Sent) => {
                format!("{OPEN}not sent to an endpoint{OPEN:#}: {} as it is", part.verdict.as_str())
            }
            (None, Verdict::Unknown) => "what the dump does not tell".to_owned(),
            (None, verdict) => verdict.as_str().to_owned(),
        }
    }
}

fn from(vantages: &[Vantage]) -> String {
    let missing: Vec<&str> =
        Vantage::ALL.into_iter().filter(|vantage| !vantages.contains(vantage)).map(Vantage::as_str).collect();
    let names: Vec<&str> = vantages.iter().map(|vantage| vantage.as_str()).collect();
    match missing.as_slice() {
        [] => "from anywhere".to_owned(),
        [but] => format!("from anywhere but {but}"),
        _ => format!("from {}", names.join(", ")),
    }
}

/// The endpoints, by number where they are many.
fn named(entry: &PortEntry, endpoints: &[SocketAddr]) -> String {
    let family = endpoints.first().map(SocketAddr::is_ipv4);
    let of_family = |e: &&EndpointEntry| Some(e.address.is_ipv4()) == family;
    let all = entry.endpoints.iter().filter(of_family);
    let local = all.clone().filter(|e| e.local == Some(true)).count();
    let are_local = endpoints
        .iter()
        .all(|address| entry.endpoints.iter().any(|e| e.address == *address && e.local == Some(true)));
    let all = all.count();
    match endpoints.len() {
        1 | ENDPOINTS_TOLD if endpoints.len() < all || all == 1 => {
            let texts: Vec<String> = endpoints.iter().map(SocketAddr::to_string).collect();
            texts.join(", ")
        }
        count if count == all => format!("all {count} endpoints"),
        count if count == local && are_local => format!("the {count} endpoints of this node"),
        count => format!("{count} of {all} endpoints"),
    }
}

fn shown_share(endpoint: &EndpointEntry) -> String {
    match endpoint.share.as_ref().or(endpoint.local_share.as_ref()) {
        Some(share) => percent(share),
        None => "share?".to_owned(),
    }
}

fn percent(share: &Probability) -> String {
    let percent = share.to_f64() * 100.0;
    if (percent - percent.round()).abs() < 1e-6 { format!("{percent:.0}%") } else { format!("{percent:.3}%") }
}

fn socket(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}
