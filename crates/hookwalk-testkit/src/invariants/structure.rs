//! The shape of the rules: jumps, and what no packet reaches.

use hookwalk_engine::{Problem, RuleRef, Site};
use hookwalk_kube::writer::Version;
use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::types::Protocol;
use hookwalk_parser::{BaseMatches, Rule, Table};
use rustc_hash::{FxHashMap, FxHashSet};

use super::counterexample::RuleLine;
use super::{Counterexample, Trial};

pub(super) fn jumps(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    for problem in trial.engine().problems() {
        let (message, sites): (String, Vec<&Site>) = match problem {
            Problem::JumpLoop { path } => ("jumps lead round in a circle".to_owned(), path.iter().collect()),
            Problem::MissingChain { site, target } => {
                (format!("a jump to `{target}`, which is not there"), vec![site])
            }
            Problem::TooDeep { chain, depth, .. } => {
                (format!("{depth} jumps lead to `{chain}`, more than nft carries"), Vec::new())
            }
            _ => continue,
        };
        let mut one = Counterexample::new("jumps", message);
        one.rules = sites.into_iter().filter_map(|site| rule_line(trial, site)).collect();
        found.push(one);
    }
    found
}

fn rule_line(trial: &Trial<'_>, site: &Site) -> Option<RuleLine> {
    let dumps = trial.engine().dumps();
    let tables = dumps.get(site.dump)?.tables();
    let table = tables.iter().rposition(|table| table.name == site.table)?;
    let chain = tables.get(table)?.chains.iter().position(|chain| chain.name == site.chain)?;
    let at = RuleRef::new(dumps, site.dump, table, chain, site.rule.checked_sub(1))?;
    Some(RuleLine::new(trial.engine(), &at))
}

pub(super) fn reachable(trial: &Trial<'_>) -> Vec<Counterexample> {
    let mut found = Vec::new();
    let dumps = trial.engine().dumps();
    for (dump_at, dump) in dumps.iter().enumerate() {
        for (table_at, table) in dump.tables().iter().enumerate() {
            let shape = Shape::new(table);
            for (chain_at, chain) in table.chains.iter().enumerate() {
                let place = |rule| RuleRef::new(dumps, dump_at, table_at, chain_at, rule);
                let name = chain.name.to_string();
                if !shape.reached.contains(&chain_at) {
                    if !may_be_left_alone(&name, trial.cluster().config.version) {
                        let mut one =
                            Counterexample::new("reachable", format!("nothing leads to chain `{name}`"));
                        let first = (!chain.rules.is_empty()).then_some(0);
                        one.rules.extend(place(first).map(|at| RuleLine::new(trial.engine(), &at)));
                        found.push(one);
                    }
                    continue;
                }
                if repeats(&name, trial.cluster().config.version) {
                    continue;
                }
                for (later, earlier, why) in shape.shadowed(&chain.rules) {
                    // A health check's port is opened once for each port of its Service.
                    let pair = chain.rules.get(earlier).zip(chain.rules.get(later));
                    if pair.is_some_and(|(a, b)| a.target == Target::Accept && !a.comments().eq(b.comments()))
                    {
                        continue;
                    }
                    let message = format!("no packet reaches rule {} of `{name}`: {why}", later + 1);
                    let mut one = Counterexample::new("reachable", message);
                    let lines = [earlier, later].into_iter().filter_map(|rule| place(Some(rule)));
                    one.rules = lines.map(|at| RuleLine::new(trial.engine(), &at)).collect();
                    found.push(one);
                }
            }
        }
    }
    found
}

/// Chains that are there for others to find, or to jump to when there is somebody to jump.
fn may_be_left_alone(chain: &str, version: Version) -> bool {
    chain.ends_with("-CANARY")
        || matches!(chain, "KUBE-IPTABLES-HINT" | "KUBE-MARK-MASQ" | "KUBE-MARK-DROP")
        // A port that is not external had its chain all the same.
        || (version <= Version::V1_23 && chain.starts_with("KUBE-XLB-"))
}

/// Up to 1.24 a load balancer's chain holds its rules once for each address.
fn repeats(chain: &str, version: Version) -> bool {
    version <= Version::V1_24 && chain.starts_with("KUBE-FW-")
}

struct Shape<'t> {
    table: &'t Table,
    by_name: FxHashMap<&'t [u8], usize>,
    reached: FxHashSet<usize>,
}

const BUILTIN: [&[u8]; 5] = [b"PREROUTING", b"INPUT", b"FORWARD", b"OUTPUT", b"POSTROUTING"];

impl<'t> Shape<'t> {
    fn new(table: &'t Table) -> Self {
        let names = table.chains.iter().enumerate().map(|(at, chain)| (chain.name.as_bytes(), at));
        let by_name: FxHashMap<&[u8], usize> = names.collect();
        let mut reached = FxHashSet::default();
        let mut next: Vec<usize> = BUILTIN.iter().filter_map(|name| by_name.get(name).copied()).collect();
        while let Some(at) = next.pop() {
            if reached.insert(at) {
                let rules = table.chains.get(at).into_iter().flat_map(|chain| &chain.rules);
                next.extend(rules.filter_map(|rule| by_name.get(target_chain(rule)?).copied()));
            }
        }
        Shape { table, by_name, reached }
    }

    /// Rules that an earlier one of the chain always answers for: the later, the earlier, and why.
    fn shadowed(&self, rules: &[Rule]) -> Vec<(usize, usize, &'static str)> {
        let mut found = Vec::new();
        // Rules can only shadow one of the same destination, or of any.
        let mut by_destination: FxHashMap<String, Vec<usize>> = FxHashMap::default();
        for (later, rule) in rules.iter().enumerate() {
            let key =
                rule.base.destination().map(|d| format!("{}{}", d.negated, d.value)).unwrap_or_default();
            let same = by_destination.get(&key).into_iter().flatten();
            let any = by_destination.get("").into_iter().flatten().filter(|_| !key.is_empty());
            for &earlier in same.chain(any) {
                let Some(before) = rules.get(earlier) else { continue };
                if !covers(before, rule) || draws(before) {
                    continue;
                }
                let protocol = rule.base.protocol().filter(|p| !p.negated).map(|p| p.value);
                if !remembers(before) && self.ends(&before.target, protocol, 0) {
                    found.push((later, earlier, "an earlier one always ends what it matches"));
                    break;
                }
                let is_same = covers(rule, before) && before.target == rule.target;
                if is_same {
                    found.push((later, earlier, "an earlier one says the same already"));
                    break;
                }
            }
            by_destination.entry(key).or_default().push(later);
        }
        found
    }

    /// Whether a packet of the protocol that meets the target never comes to the next rule.
    fn ends(&self, target: &Target, protocol: Option<Protocol>, depth: usize) -> bool {
        match target {
            Target::Accept
            | Target::Drop
            | Target::Return
            | Target::Reject(_)
            | Target::Dnat(_)
            | Target::Snat(_)
            | Target::Masquerade(_)
            | Target::Redirect(_)
            | Target::Goto(_) => true,
            Target::Jump(to) if depth < 16 => {
                let chain = self.by_name.get(to.as_bytes()).and_then(|at| self.table.chains.get(*at));
                // What returns comes to the next rule of the chain that jumped.
                let rules = chain.into_iter().flat_map(|chain| &chain.rules);
                let mut always = rules.filter(|rule| is_for_all_of(rule, protocol));
                always.any(|rule| {
                    !matches!(rule.target, Target::Return) && self.ends(&rule.target, protocol, depth + 1)
                }) && !chain.is_some_and(|chain| may_return(&chain.rules))
            }
            _ => false,
        }
    }
}

fn may_return(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| matches!(rule.target, Target::Return))
}

fn target_chain(rule: &Rule) -> Option<&[u8]> {
    match &rule.target {
        Target::Jump(to) | Target::Goto(to) => Some(to.as_bytes()),
        _ => None,
    }
}

/// The conditions that say something.
fn conditions(rule: &Rule) -> impl Iterator<Item = &Match> {
    rule.matches.iter().filter(|one| !says_nothing(one))
}

fn says_nothing(one: &Match) -> bool {
    match one {
        Match::Comment(_) => true,
        Match::Tcp(tcp) => *tcp == hookwalk_parser::extensions::TcpMatch::default(),
        Match::Udp(udp) => *udp == hookwalk_parser::extensions::UdpMatch::default(),
        Match::Sctp(sctp) => *sctp == hookwalk_parser::extensions::SctpMatch::default(),
        _ => false,
    }
}

fn is_for_all_of(rule: &Rule, protocol: Option<Protocol>) -> bool {
    let mut base = rule.base.unpack();
    if base.protocol.is_some_and(|p| !p.negated && Some(p.value) == protocol) {
        base.protocol = None;
    }
    base == BaseMatches::default() && conditions(rule).next().is_none()
}

/// Whether the same packet can match one rule and not the same rule after it.
fn draws(rule: &Rule) -> bool {
    conditions(rule).any(|one| {
        matches!(
            one,
            Match::Statistic(_) | Match::Limit(_) | Match::Hashlimit(_) | Match::Quota(_) | Match::Unknown(_)
        )
    })
}

/// Whether it depends on earlier packets if the rule matches.
fn remembers(rule: &Rule) -> bool {
    conditions(rule).any(|one| matches!(one, Match::Recent(_)))
}

/// Whether every packet that matches `rule` matches `before`: its conditions are all among the rule's.
fn covers(before: &Rule, rule: &Rule) -> bool {
    let (a, b) = (&before.base, &rule.base);
    let base = (a.source().is_none() || a.source() == b.source())
        && (a.destination().is_none() || a.destination() == b.destination())
        && (a.in_interface().is_none() || a.in_interface() == b.in_interface())
        && (a.out_interface().is_none() || a.out_interface() == b.out_interface())
        && (a.protocol().is_none() || a.protocol() == b.protocol())
        && (a.fragment().is_none() || a.fragment() == b.fragment());
    base && conditions(before).all(|one| conditions(rule).any(|other| one == other))
}
