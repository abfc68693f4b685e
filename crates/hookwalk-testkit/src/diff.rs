//! Which packets two sets of rules treat differently.
//!
//! ```
//! use hookwalk_testkit::cluster::Cluster;
//! use hookwalk_testkit::{diff, invariants::Trial};
//!
//! let cluster = Cluster::random(7);
//! let old = cluster.rules().restore();
//! let new = old.replace("-j MARK --or-mark", "-j MARK --set-mark 0x1 -m comment --comment");
//! let (old, new) = (Trial::new(&old, &cluster), Trial::new(&new, &cluster));
//! assert!(diff::behaviour(&old, &old).is_empty());
//! for group in diff::behaviour(&old, &new) {
//!     println!("{group}");
//! }
//! ```

use std::collections::BTreeSet;
use std::fmt;

use hookwalk_engine::{Engine, Outcome, Packet, RuleRef, Walk};

use crate::cluster::Vantage;
use crate::invariants::{RuleLine, Trial, behaviour_of, show_outcome, show_packet};
use crate::shrink::smallest;

/// Packets that one rule makes the difference for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The first rule on the way that only one of the two has, or the last one where none differs.
    pub rule: Option<RuleLine>,
    /// Whether that rule is one of the new rules.
    pub is_new: bool,
    /// How many of the probes changed.
    pub count: usize,
    /// The plainest of them.
    pub packet: Packet,
    /// What becomes of it under the old rules.
    pub before: Vec<String>,
    /// And under the new.
    pub after: Vec<String>,
}

/// One packet, what changes for it, and the rule.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.is_new { "new" } else { "old" };
        match &self.rule {
            Some(rule) => {
                let line = rule.at.line.unwrap_or_default();
                write!(f, "{} packets change by {which} line {line}: {}", self.count, rule.text)?;
            }
            None => write!(f, "{} packets change", self.count)?,
        }
        write!(f, "\n  packet {}", show_packet(&self.packet))?;
        for (word, outcomes) in [("before", &self.before), ("after ", &self.after)] {
            for outcome in outcomes.iter().take(3) {
                write!(f, "\n  {word} {outcome}")?;
            }
        }
        Ok(())
    }
}

/// The probes of a cluster that two sets of rules treat differently, grouped by the rule that makes the
/// difference; for each the plainest packet. Marks and rules on the way do not count.
pub fn behaviour(old: &Trial<'_>, new: &Trial<'_>) -> Vec<Group> {
    let pairs = old.walked().zip(new.walked());
    let mut changed: Vec<(usize, &Walk, &Walk)> = Vec::new();
    for ((probe, a), (_, b)) in pairs {
        if behaviour_of(a) != behaviour_of(b) {
            changed.push((plainness(probe.from), a, b));
        }
    }
    // The plainest first, so that it stands for its group.
    changed.sort_by_key(|(plain, ..)| *plain);
    group(old.engine(), new.engine(), changed.into_iter().map(|(_, a, b)| (a.clone(), b.clone())))
}

/// The same for packets of your own, each shrunk to the fields that matter.
///
/// ```
/// use hookwalk_engine::{Engine, Host, Packet};
/// use hookwalk_testkit::packets::aimed_at;
/// use hookwalk_testkit::{Family, diff, ruleset::Ruleset, topology::Topology};
///
/// let old = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp --dport 8000:8010 -j DROP\nCOMMIT\n";
/// let new = old.replace("8010", "8009");
/// let node = Topology::default();
/// let packets: Vec<Packet> = [old, &new]
///     .into_iter()
///     .map(|rules| Ruleset::of_dump(&hookwalk_parser::parse(rules), Family::V4))
///     .flat_map(|ruleset| aimed_at(&ruleset, &node, 1, 500))
///     .map(|packet| packet.to_packet())
///     .collect();
/// let engine = |rules: &str| Engine::new(vec![hookwalk_parser::parse(rules)], Host::default());
/// let groups = diff::behaviour_of_packets(&engine(old), &engine(&new), &packets);
/// assert!(!groups.is_empty() && groups.iter().all(|group| group.packet.dport == Some(8010)));
/// ```
pub fn behaviour_of_packets(old: &Engine, new: &Engine, packets: &[Packet]) -> Vec<Group> {
    let mut changed = Vec::new();
    for packet in packets {
        if differs(old, new, packet) {
            let packet = smallest(*packet, |packet| differs(old, new, packet));
            changed.extend(old.walk(&packet).ok().zip(new.walk(&packet).ok()));
        }
    }
    group(old, new, changed.into_iter())
}

fn differs(old: &Engine, new: &Engine, packet: &Packet) -> bool {
    match (old.walk(packet), new.walk(packet)) {
        (Ok(a), Ok(b)) => behaviour_of(&a) != behaviour_of(&b),
        _ => false,
    }
}

fn plainness(from: Vantage) -> usize {
    match from {
        Vantage::LocalPod => 0,
        Vantage::Outside => 1,
        Vantage::Node => 2,
        _ => 3,
    }
}

fn group(old: &Engine, new: &Engine, changed: impl Iterator<Item = (Walk, Walk)>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let (old, new) = (Side::new(old), Side::new(new));
    for (a, b) in changed {
        let (rule, is_new) = culprit(&old, &new, &a, &b);
        let same = |group: &&mut Group| {
            group.is_new == is_new
                && group.rule.as_ref().map(|rule| &rule.at) == rule.as_ref().map(|rule| &rule.at)
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.count += 1;
            continue;
        }
        let shown = |walk: &Walk| outcomes(walk).map(show_outcome).collect();
        let (before, after) = (shown(&a), shown(&b));
        groups.push(Group { rule, is_new, count: 1, packet: a.packet, before, after });
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn outcomes(walk: &Walk) -> impl Iterator<Item = &Outcome> {
    walk.cases.iter().flat_map(|case| &case.outcomes)
}

/// The rules of an engine by table and text, so that a rule that only stands on another line is the same.
fn rules_of(engine: &Engine) -> BTreeSet<(&[u8], &[u8])> {
    let tables = engine.dumps().iter().flat_map(|dump| dump.tables().iter().map(move |table| (dump, table)));
    let rules = tables.flat_map(|(dump, table)| {
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        rules.map(move |rule| (table.name.as_bytes(), dump.slice(rule.span)))
    });
    rules.collect()
}

/// The first rule met that only one of the two engines has, a new one before an old one; where both have all
/// rules met, the first that one way meets and the other does not.
fn culprit(old: &Side<'_>, new: &Side<'_>, a: &Walk, b: &Walk) -> (Option<RuleLine>, bool) {
    let (before, after) = (old.met(a), new.met(b));
    let is_of = |side: &Side<'_>, rule: &RuleLine| {
        side.rules.contains(&(rule.at.table.as_bytes(), rule.text.as_bytes()))
    };
    let on = |way: &[RuleLine], rule: &RuleLine| {
        way.iter().any(|other| other.text == rule.text && other.at.table == rule.at.table)
    };
    let first =
        |way: &[RuleLine], wanted: &dyn Fn(&RuleLine) -> bool| way.iter().find(|r| wanted(r)).cloned();
    if let Some(rule) = first(&after, &|rule| !is_of(old, rule)) {
        return (Some(rule), true);
    }
    if let Some(rule) = first(&before, &|rule| !is_of(new, rule)) {
        return (Some(rule), false);
    }
    if let Some(rule) = first(&after, &|rule| !on(&before, rule)) {
        return (Some(rule), true);
    }
    (first(&before, &|rule| !on(&after, rule)).or_else(|| before.last().cloned()), false)
}

/// One of the two sets of rules.
struct Side<'e> {
    engine: &'e Engine,
    rules: BTreeSet<(&'e [u8], &'e [u8])>,
}

impl<'e> Side<'e> {
    fn new(engine: &'e Engine) -> Self {
        Side { engine, rules: rules_of(engine) }
    }

    /// The rules that a walk met, outcome after outcome.
    fn met(&self, walk: &Walk) -> Vec<RuleLine> {
        let rules = outcomes(walk).flat_map(|o| o.matched_rules.iter().flatten());
        rules.map(|at| line_of(self.engine, at)).collect()
    }
}

fn line_of(engine: &Engine, at: &RuleRef) -> RuleLine {
    RuleLine { at: at.clone(), text: String::from_utf8_lossy(engine.text(at)).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;

    #[test]
    fn a_changed_rule_is_named_with_its_packets() {
        let cluster =
            Cluster::planned(&crate::cluster::Plan::showcase(crate::cluster::SettingsPlan::default()));
        let text = cluster.rules().restore();
        let rule =
            text.lines().find(|line| line.contains("masquerade traffic for kube-system/svc-2")).unwrap();
        let (old, new) = (Trial::new(&text, &cluster), Trial::new(&text.replace(rule, ""), &cluster));
        let groups = behaviour(&old, &new);
        assert_eq!(groups[0].rule.as_ref().unwrap().text, rule);
        assert!(!groups[0].is_new && groups[0].count > 3);
        assert!(groups[0].before[0].contains("masqueraded") && !groups[0].after[0].contains("masqueraded"));
        assert!(groups[0].to_string().lines().count() < 10, "{}", groups[0]);
        assert_eq!(behaviour(&new, &old)[0].rule.as_ref().unwrap().text, rule);
    }

    #[test]
    fn packets_are_shrunk() {
        let cluster = Cluster::random(3);
        let closed = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n";
        let open = "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n";
        let (old, new) = (Trial::new(open, &cluster), Trial::new(closed, &cluster));
        let mut odd = Packet::new(cluster.local_pod, cluster.other_node).arriving_by(cluster.pod_interface);
        (odd.ttl, odd.tos, odd.sport) = (3, 8, Some(7));
        let groups = behaviour_of_packets(old.engine(), new.engine(), &[odd]);
        assert_eq!(
            (groups[0].packet.ttl, groups[0].packet.tos, groups[0].packet.sport),
            (64, 0, Some(40_000))
        );
    }
}
