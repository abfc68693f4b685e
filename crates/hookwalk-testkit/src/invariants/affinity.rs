use hookwalk_engine::{Engine, Outcome, RuleRef};
use hookwalk_parser::extensions::{Match, RecentAction, RecentMatch, Target};
use hookwalk_parser::{Chain, Rule};

use super::counterexample::RuleLine;
use super::trial::outcomes;
use super::{Counterexample, Trial};
use crate::cluster::Expected;

/// A walk meets empty lists, so what is remembered is read off the rules that the walk meets.
pub(super) fn affinity(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for (probe, walk) in trial.walked() {
        let Some(service) = trial.cluster().services.get(probe.service) else { continue };
        if !matches!(probe.expected, Expected::Endpoints(_)) {
            continue;
        }
        let wrong = outcomes(walk).find_map(|outcome| {
            let why = match service.affinity_seconds {
                Some(seconds) => forgets(trial.engine(), outcome, seconds),
                None => remembers(trial.engine(), outcome),
            };
            why.map(|why| (outcome, why))
        });
        if let Some((outcome, (message, rule))) = wrong {
            let mut one = trial.found("affinity", probe, walk, Some(outcome), message);
            one.rules.extend(rule.map(|rule| RuleLine::new(trial.engine(), &rule)));
            found.push(one);
        }
    }
    found
}

type Why = (String, Option<RuleRef>);

fn met<'t>(
    engine: &'t Engine,
    outcome: &'t Outcome,
) -> impl DoubleEndedIterator<Item = (&'t RuleRef, &'t Rule)> {
    let rules = outcome.matched_rules.as_deref().unwrap_or_default();
    rules.iter().filter_map(|at| engine.rule(at).map(|rule| (at, rule)))
}

fn recent(rule: &Rule) -> Option<&RecentMatch> {
    rule.matches.iter().find_map(|one| match one {
        Match::Recent(recent) => Some(&**recent),
        _ => None,
    })
}

fn acts(recent: &RecentMatch, action: RecentAction) -> bool {
    recent.action.is_some_and(|one| !one.negated && one.value == action)
}

/// The whole source address, as often as it came.
fn looks_at_the_source(recent: &RecentMatch) -> bool {
    let whole = recent.mask.is_none_or(|mask| match mask {
        std::net::IpAddr::V4(mask) => mask.is_broadcast(),
        std::net::IpAddr::V6(mask) => mask.to_bits() == u128::MAX,
    });
    whole && !recent.rdest && !recent.rttl && recent.hitcount.is_none()
}

fn remembers(engine: &Engine, outcome: &Outcome) -> Option<Why> {
    let (at, _) = met(engine, outcome).find(|(_, rule)| recent(rule).is_some())?;
    Some((format!("{at} remembers clients, and the Service has no affinity"), None))
}

fn forgets(engine: &Engine, outcome: &Outcome, seconds: u32) -> Option<Why> {
    // The rule that rewrites remembers, too.
    let last = outcome.dnat_by.as_ref()?;
    let set = recent(engine.rule(last)?).filter(|one| acts(one, RecentAction::Set));
    let Some(set) = set.filter(|one| looks_at_the_source(one)) else {
        return Some((format!("{last} does not remember the client"), None));
    };
    // The last rule that led into the chain of that rule is the one that chose.
    let choice = met(engine, outcome).rfind(|(_, rule)| leads_to(rule, last.chain.as_bytes()));
    let (chosen_by, _) = choice?;
    let chain = chain_of(engine, chosen_by)?;
    let draws = |rule: &Rule| rule.matches.iter().any(|one| matches!(one, Match::Statistic(_)));
    let first_draw = chain.rules.iter().position(|rule| draws(rule) || is_bare_choice(rule));
    let asks = chain.rules.iter().take(first_draw.unwrap_or(chain.rules.len()));
    let asked = asks.filter(|rule| leads_to(rule, last.chain.as_bytes())).find(|rule| {
        let only = rule.matches.iter().all(|one| matches!(one, Match::Comment(_) | Match::Recent(_)));
        let base = rule.base.is_empty();
        only && base
            && recent(rule).is_some_and(|one| {
                acts(one, RecentAction::Rcheck) && one.list() == set.list() && looks_at_the_source(one)
            })
    });
    let Some(asked) = asked else {
        let message = format!("{} draws without asking who came before to {}", chosen_by.chain, last.chain);
        return Some((message, Some(chosen_by.clone())));
    };
    // Who is remembered skips what stands behind the question.
    let remembered = chain.rules.iter().position(|rule| recent(rule).is_some());
    let later = chain.rules.iter().enumerate().skip(remembered.unwrap_or(0)).find(
        |(_, rule)| !matches!(&rule.target, Target::Jump(to) if to.as_bytes().starts_with(b"KUBE-SEP-")),
    );
    if let Some((at, _)) = later {
        let message = format!("rule {} of {} is not met by who came before", at + 1, chosen_by.chain);
        return Some((message, Some(chosen_by.clone())));
    }
    let kept = recent(asked).and_then(|one| one.seconds.filter(|_| one.reap));
    (kept != Some(seconds)).then(|| {
        let kept = kept.map_or_else(|| "for ever".to_owned(), |kept| format!("{kept} seconds"));
        (format!("clients are remembered {kept}, not {seconds} seconds"), Some(chosen_by.clone()))
    })
}

fn leads_to(rule: &Rule, chain: &[u8]) -> bool {
    matches!(&rule.target, Target::Jump(to) | Target::Goto(to) if to.as_bytes() == chain)
}

/// The last endpoint's rule, or an only one's.
fn is_bare_choice(rule: &Rule) -> bool {
    matches!(&rule.target, Target::Jump(to) if to.as_bytes().starts_with(b"KUBE-SEP-"))
        && rule.matches.iter().all(|one| matches!(one, Match::Comment(_)))
}

fn chain_of<'t>(engine: &'t Engine, rule: &RuleRef) -> Option<&'t Chain> {
    let tables = engine.dumps().get(rule.dump)?.tables();
    let table = tables.iter().rev().find(|table| table.name == rule.table)?;
    table.chains.iter().find(|chain| chain.name == rule.chain)
}
