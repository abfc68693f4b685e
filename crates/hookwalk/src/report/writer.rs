use std::io::Write as _;

use serde::Serialize;

use super::walk::RuleRefReport;
use super::{PacketReport, Text, WalkReport};
use crate::types::{Family, PortRange};
use crate::{
    CompactOutcome, CompactRule, CompactWalk, Engine, InterfaceName, Packet, Verdict, WalkError, Walker,
};

/// Writes the walks of many packets as JSON: the bytes of a [`WalkReport`], which is made only where
/// something is unknown.
///
/// ```
/// use hookwalk::report::{WalkReport, WalkWriter};
/// use hookwalk::{Engine, Host, Packet, parse};
///
/// let dump = parse("*filter\n:FORWARD DROP [0:0]\n-A FORWARD -d 10.0.1.7/32 -j ACCEPT\nCOMMIT\n");
/// let engine = Engine::new(vec![dump], Host::default());
/// let packet = Packet::new("10.0.0.5".parse().unwrap(), "10.0.1.7".parse().unwrap());
/// let mut json = Vec::new();
/// WalkWriter::new(&engine).write(&packet, None, &mut json).unwrap();
/// let report = WalkReport::new(&engine.walk(&packet).unwrap());
/// assert_eq!(json, serde_json::to_vec(&report).unwrap());
/// ```
#[derive(Debug)]
pub struct WalkWriter<'e> {
    walker: Walker<'e>,
    /// By family, then by rule: those that were met.
    names: [Vec<Option<Name>>; 2],
    rules: Vec<CompactRule>,
}

/// A rule as JSON.
#[derive(Clone, Debug)]
struct Name {
    /// `"nat/PREROUTING/1"`
    text: Box<[u8]>,
    line: Box<[u8]>,
    dump: Box<[u8]>,
    /// A [`RuleRefReport`].
    reference: Box<[u8]>,
}

impl<'e> WalkWriter<'e> {
    /// A writer of this engine's walks.
    pub fn new(engine: &'e Engine) -> Self {
        WalkWriter { walker: engine.walker(), names: [Vec::new(), Vec::new()], rules: Vec::new() }
    }

    /// Walks a packet and puts its walk behind what stands in `out`; `id` is handed back in it.
    pub fn write(&mut self, packet: &Packet, id: Option<Text>, out: &mut Vec<u8>) -> Result<(), WalkError> {
        let walk = self.walker.walk(packet)?;
        let [v4, v6] = &mut self.names;
        let names = if packet.family() == Some(Family::V6) { v6 } else { v4 };
        if walk.certain().is_some_and(|mut outcomes| outcomes.all(|outcome| outcome.is_told())) {
            write_certain(&walk, id, names, &mut self.rules, out);
        } else {
            let mut report = WalkReport::new(&walk.to_walk());
            report.packet.id = id;
            json(out, &report);
        }
        Ok(())
    }
}

fn write_certain(
    walk: &CompactWalk<'_>,
    id: Option<Text>,
    names: &mut Vec<Option<Name>>,
    rules: &mut Vec<CompactRule>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"schema\":1,\"packet\":");
    json(out, &PacketReport { id, ..PacketReport::new(walk.packet()) });
    out.extend_from_slice(b",\"defaults\":");
    json(out, &walk.defaults());
    out.extend_from_slice(b",\"cases\":[{\"assume\":[],\"outcomes\":[");
    for (at, outcome) in walk.certain().into_iter().flatten().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_outcome(&outcome, names, rules, out);
    }
    out.extend_from_slice(b"],\"unexplored\":\"0/1\"}],\"truncated\":false}");
}

fn write_outcome(
    outcome: &CompactOutcome<'_>,
    names: &mut Vec<Option<Name>>,
    rules: &mut Vec<CompactRule>,
    out: &mut Vec<u8>,
) {
    let probability = outcome.probability();
    let verdict = outcome.verdict();
    let range = |range: PortRange| [range.first, range.last];
    out.extend_from_slice(b"{\"probability\":\"");
    print(out, probability);
    out.extend_from_slice(b"\",\"p\":");
    json(out, &probability.to_f64());
    out.extend_from_slice(b",\"assume\":[],\"verdict\":\"");
    out.extend_from_slice(verdict.as_str().as_bytes());
    out.extend_from_slice(b"\",\"where\":");
    json(out, &outcome.place().map(crate::Place::as_str));
    out.extend_from_slice(b",\"decided_by\":");
    json(out, &outcome.decided_by().as_ref().map(RuleRefReport::new));
    for (key, rule) in [(",\"dnat_by\":", outcome.dnat_by()), (",\"snat_by\":", outcome.snat_by())] {
        out.extend_from_slice(key.as_bytes());
        match rule.and_then(|rule| named(names, outcome, rule)) {
            Some(name) => out.extend_from_slice(&name.reference),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(b",\"in_iface\":");
    write_interface(outcome.in_interface(), out);
    out.extend_from_slice(b",\"out_iface\":");
    write_interface(outcome.out_interface().filter(|_| verdict != Verdict::Local), out);
    out.extend_from_slice(b",\"src\":");
    match outcome.src() {
        Some(src) => print_quoted(out, src),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"sport\":");
    json(out, &outcome.sport());
    out.extend_from_slice(b",\"dst\":");
    print_quoted(out, outcome.dst());
    out.extend_from_slice(b",\"dport\":");
    json(out, &outcome.dport());
    out.extend_from_slice(b",\"mark\":");
    json(out, &outcome.mark());
    out.extend_from_slice(b",\"sport_range\":");
    json(out, &outcome.sport_range().map(range));
    out.extend_from_slice(b",\"dport_range\":");
    json(out, &outcome.dport_range().map(range));
    out.extend_from_slice(b",\"dnat\":");
    json(out, &outcome.dnat());
    out.extend_from_slice(b",\"snat\":");
    json(out, &outcome.snat());
    out.extend_from_slice(b",\"masquerade\":");
    json(out, &outcome.masquerade());
    if outcome.by_hash() {
        out.extend_from_slice(b",\"by\":\"hash\"");
    }
    if let Some(picked) = outcome.picked() {
        out.extend_from_slice(b",\"picked\":");
        json(out, &picked);
    }
    out.extend_from_slice(b",\"reject_with\":");
    json(out, &outcome.reject_with().map(|with| with.to_string()));
    rules.clear();
    rules.extend(outcome.rules().filter(|rule| named(names, outcome, *rule).is_some()));
    rules.reverse();
    write_list(",\"matched_rules\":[", rules, names, |name| &name.text, out);
    write_list(",\"lines\":[", rules, names, |name| &name.line, out);
    write_list(",\"dumps\":[", rules, names, |name| &name.dump, out);
    out.extend_from_slice(b",\"maybe_rules\":[],\"maybe_lines\":[]}");
}

/// A rule that was met before or is now.
fn named<'n>(
    names: &'n mut Vec<Option<Name>>,
    outcome: &CompactOutcome<'_>,
    rule: CompactRule,
) -> Option<&'n Name> {
    let at = rule.index();
    if names.len() <= at {
        names.resize(at + 1, None);
    }
    let name = names.get_mut(at)?;
    if name.is_none() {
        let rule = outcome.name(rule)?;
        *name = Some(Name {
            text: boxed(&rule.to_string()),
            line: boxed(&rule.line.unwrap_or(0)),
            dump: boxed(&rule.dump),
            reference: boxed(&RuleRefReport::new(&rule)),
        });
    }
    name.as_ref()
}

fn write_list(
    key: &str,
    rules: &[CompactRule],
    names: &[Option<Name>],
    part: fn(&Name) -> &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(key.as_bytes());
    let start = out.len();
    for name in rules.iter().filter_map(|rule| names.get(rule.index())?.as_ref()) {
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(part(name));
    }
    out.push(b']');
}

fn write_interface(name: Option<InterfaceName>, out: &mut Vec<u8>) {
    match name.as_ref().map(|name| std::str::from_utf8(name.as_bytes())) {
        Some(Ok(text)) => json(out, text),
        Some(Err(_)) => json(out, &name.map(|name| name.to_string())),
        None => out.extend_from_slice(b"null"),
    }
}

fn boxed(value: &(impl Serialize + ?Sized)) -> Box<[u8]> {
    let mut out = Vec::new();
    json(&mut out, value);
    out.into_boxed_slice()
}

fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Memory takes whatever is written, and no value here is one that JSON lacks.
    let _ = serde_json::to_writer(out, value);
}

fn print(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // As above.
    let _ = write!(out, "{value}");
}

fn print_quoted(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    out.push(b'"');
    print(out, value);
    out.push(b'"');
}
