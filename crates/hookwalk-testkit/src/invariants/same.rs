use std::collections::BTreeMap;

use hookwalk_engine::{Engine, Outcome, Packet, Probability, Walk};

use super::counterexample::{RuleLine, show_outcome};
use super::trial::outcomes;
use super::{Counterexample, Trial};

/// Two sets of rules treat every probe of a cluster the same: every outcome with its probability, but
/// for the mark it ends with and the rules on the way.
pub fn same(one: &Trial<'_>, other: &Trial<'_>) -> Result<(), Counterexample> {
    for ((probe, a), (_, b)) in one.walked().zip(other.walked()) {
        if behaviour(a) != behaviour(b) {
            let mut found = difference(one.engine(), other.engine(), a, b);
            found.object = one.object(probe);
            found.message = format!("{} from {}: {}", probe.to, probe.from, found.message);
            return Err(found);
        }
    }
    Ok(())
}

/// The same for packets of your own.
pub fn same_packets(one: &Engine, other: &Engine, packets: &[Packet]) -> Result<(), Counterexample> {
    for packet in packets {
        let (Ok(a), Ok(b)) = (one.walk(packet), other.walk(packet)) else { continue };
        if behaviour(&a) != behaviour(&b) {
            return Err(difference(one, other, &a, &b));
        }
    }
    Ok(())
}

/// What can be told of a packet from outside: outcomes to probabilities, case by case.
pub(crate) fn behaviour(walk: &Walk) -> BTreeMap<String, Probability> {
    let mut seen: BTreeMap<String, Probability> = BTreeMap::new();
    for case in &walk.cases {
        let mut assumed: Vec<String> =
            case.assume.iter().map(|one| format!("{} {}", one.what, one.is)).collect();
        assumed.sort();
        for outcome in &case.outcomes {
            let share = seen.entry(format!("{assumed:?} {}", ending(outcome))).or_insert(Probability::ZERO);
            *share = share.plus(&outcome.probability);
        }
    }
    seen
}

fn ending(outcome: &Outcome) -> String {
    format!(
        "{} {} {:?} {:?} {:?} {:?} {} {:?} {:?}",
        outcome.verdict.as_str(),
        outcome.dst,
        outcome.dport,
        outcome.src,
        outcome.sport,
        outcome.out_interface.map(|name| name.to_string()).unwrap_or_default(),
        outcome.masquerade,
        outcome.reject_with,
        outcome.sport_range,
    )
}

fn difference(one: &Engine, other: &Engine, a: &Walk, b: &Walk) -> Counterexample {
    let mut found = Counterexample::new("same", "the two sets of rules differ".to_owned());
    found.packet = Some(Box::new(a.packet));
    let shown = |walk: &Walk, which: &str| {
        outcomes(walk).take(3).map(|outcome| format!("{which} {}", show_outcome(outcome))).collect::<Vec<_>>()
    };
    found.walk = shown(a, "first: ");
    found.walk.extend(shown(b, "second:"));
    for (engine, walk) in [(one, a), (other, b)] {
        let rules = outcomes(walk).next().and_then(|outcome| outcome.matched_rules.as_ref());
        let lines = rules.into_iter().flatten().map(|rule| RuleLine::new(engine, rule));
        found.rules.extend(lines.collect::<Vec<_>>().into_iter().rev().take(4).rev());
    }
    found
}
