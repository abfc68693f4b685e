//! One walk against one observation.

use hookwalk_engine::{Case, Outcome, Place as WalkPlace, StepKind, Verdict as Walked, Walk};
use hookwalk_testkit::kernel::{At, Backend, Observation, Place, Verdict};
use hookwalk_testkit::packets::PacketSpec;

/// Whether a walk of one case is what was seen, of one backend's rules or of both.
pub(crate) fn same(
    spec: &PacketSpec,
    seen: &Observation,
    backend: Option<Backend>,
    walk: &Walk,
) -> Result<(), String> {
    let [case] = walk.cases.as_slice() else { return Err(format!("{} cases: {walk:#?}", walk.cases.len())) };
    same_case(spec, seen, backend, case)
}

/// Whether a case is what was seen.
pub(crate) fn same_case(
    spec: &PacketSpec,
    seen: &Observation,
    backend: Option<Backend>,
    case: &Case,
) -> Result<(), String> {
    let [outcome] = case.outcomes.as_slice() else {
        return Err(format!("{} outcomes", case.outcomes.len()));
    };
    let mut wrong = Vec::new();
    let mut check = |what: &str, walked: String, kernel: String| {
        if walked != kernel {
            wrong.push(format!("{what}: the walk says {walked}, the kernel {kernel}"));
        }
    };
    check("verdict", verdict_walked(outcome), verdict_seen(&seen.verdict));
    // With both backends, outcomes that differ in the order of rules alone are one.
    if let Some(backend) = backend {
        check("steps", steps_walked(outcome).join("\n"), steps_seen(seen, backend).join("\n"));
    }
    if let Some(decoded) = seen.decoded().filter(|_| outcome.place.is_none()) {
        check("mark", format!("{:#x}", outcome.mark), format!("{:#x}", seen.mark));
        check("destination", outcome.dst.to_string(), decoded.dst.to_string());
        check("source", outcome.src.map(|src| src.to_string()).unwrap_or_default(), decoded.src.to_string());
        let has_ports = matches!(spec.proto, 6 | 17);
        if has_ports {
            check("destination port", format!("{:?}", outcome.dport), format!("{:?}", Some(decoded.dport)));
            // A source port that clashes with another connection's is drawn anew; one packet has no other.
            check("source port", format!("{:?}", outcome.sport), format!("{:?}", Some(decoded.sport)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn verdict_walked(outcome: &Outcome) -> String {
    let place = match outcome.place {
        Some(WalkPlace::Hook(hook)) => hook.name(),
        Some(WalkPlace::Routing) => "routing",
        None => "",
    };
    let out = outcome.out_interface.map(|name| name.to_string()).unwrap_or_default();
    match outcome.verdict {
        Walked::Forwarded => format!("forwarded by {out}"),
        Walked::Sent => format!("sent by {out}"),
        Walked::Local => "local".to_owned(),
        // Whether a failed route is told depends on a limit of the kernel's.
        Walked::Dropped | Walked::Rejected if place == "routing" => "lost in routing".to_owned(),
        Walked::Dropped => format!("dropped in {place}"),
        Walked::Rejected => format!("rejected in {place}"),
        other => format!("{other:?} {:?}", outcome.reason),
    }
}

fn verdict_seen(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Forwarded { interface } => format!("forwarded by {interface}"),
        Verdict::Sent { interface } => format!("sent by {interface}"),
        Verdict::Local { .. } => "local".to_owned(),
        Verdict::Dropped { place: Place::Routing | Place::Receive }
        | Verdict::Rejected { place: Place::Routing | Place::Receive } => "lost in routing".to_owned(),
        Verdict::Dropped { place } => format!("dropped in {place}"),
        Verdict::Rejected { place } => format!("rejected in {place}"),
    }
}

fn steps_walked(outcome: &Outcome) -> Vec<String> {
    let step = |step: &hookwalk_engine::WalkStep| {
        let at = match step.kind {
            StepKind::Rule => step.at.rule.map(|rule| rule.to_string()).unwrap_or_default(),
            StepKind::Return => "return".to_owned(),
            StepKind::Policy => "policy".to_owned(),
        };
        format!("{}/{}/{at} mark {:#x}", step.at.table, step.at.chain, step.mark)
    };
    outcome.steps.iter().map(step).collect()
}

fn steps_seen(seen: &Observation, backend: Backend) -> Vec<String> {
    let steps = seen.steps.iter().filter(|step| step.backend == backend);
    let step = |step: &hookwalk_testkit::kernel::Step| {
        let at = match step.at {
            At::Rule(rule) => rule.to_string(),
            At::Return => "return".to_owned(),
            At::Policy => "policy".to_owned(),
        };
        format!("{}/{}/{at} mark {:#x}", step.table, step.chain, step.mark)
    };
    steps.map(step).collect()
}
