//! Marks from the rules that set them to those that act on them.

use hookwalk_engine::{Hook, Host, TableName};
use hookwalk_parser::extensions::{Match, Target};
use hookwalk_parser::{Rule, TableEnd};

use super::{Check, Lint, jump};
use crate::reach::{self, Bits, ChainAt, Class, Start, Types, Upper};

pub(super) fn check(lint: &mut Lint<'_, '_>) {
    let tables: Vec<_> = lint.tables.named(TableName::Nat).collect();
    for (dump, at, table) in tables {
        let chain = |name: &str| {
            let number = table.chains.iter().position(|chain| chain.name == name)?;
            Some(ChainAt { dump, table: at, chain: number })
        };
        if table.end != TableEnd::Commit {
            continue;
        }
        let is_used = |name: &str| {
            table
                .chains
                .iter()
                .flat_map(|chain| &chain.rules)
                .any(|rule| jump(rule).is_some_and(|to| *to == name))
        };
        if let Some(marks) = chain("KUBE-MARK-MASQ").filter(|_| is_used("KUBE-MARK-MASQ")) {
            masquerade(lint, marks, chain("POSTROUTING"), chain("KUBE-POSTROUTING"));
        }
        if let Some(marks) = chain("KUBE-MARK-DROP").filter(|_| is_used("KUBE-MARK-DROP")) {
            drops(lint, marks);
        }
    }
}

/// The mark that a chain gives to packets without one, and the rule that does.
fn mark_of(rules: &[Rule]) -> Option<(usize, u32)> {
    rules.iter().enumerate().find_map(|(number, rule)| match rule.target {
        Target::Mark(mark) => Some((number, mark.apply(0))),
        _ => None,
    })
}

fn masquerade(lint: &mut Lint<'_, '_>, marks: ChainAt, post: Option<ChainAt>, kube: Option<ChainAt>) {
    // Without the built-in chain nothing is known of what leads where.
    let Some(post) = post else { return };
    let Some((rule, mark)) = mark_of(lint.tables.rules(marks)) else { return };
    let masquerades = |lint: &Lint<'_, '_>, mark: u32| -> Vec<(ChainAt, usize)> {
        let host = Host::default();
        let stages = reach::pass(
            lint.tables,
            lint.family,
            &host,
            TableName::Nat,
            Hook::Postrouting,
            vec![leaving(lint, mark)],
            None,
        );
        let met = stages.iter().filter(|stage| stage.base == post).flat_map(|stage| &stage.met);
        let takes_all = |&(&(chain, rule), met): &(&(ChainAt, usize), &reach::Met)| {
            let target = lint.tables.rules(chain).get(rule).map(|rule| &rule.target);
            matches!(target, Some(Target::Masquerade(_) | Target::Snat(_)))
                && met.decides.iter().all(|decides| !decides)
        };
        met.filter(takes_all).map(|(at, _)| *at).collect()
    };
    let of_kube = |found: &[(ChainAt, usize)]| {
        kube.map_or(!found.is_empty(), |kube| found.iter().any(|(chain, _)| *chain == kube))
    };
    if !of_kube(&masquerades(lint, mark)) {
        let leads = kube.is_none_or(|kube| lint.tables.leads_to(post, kube));
        if let (false, Some(kube)) = (leads, kube) {
            let message = format!(
                "nat POSTROUTING does not lead to `{}`: what is marked {mark:#x} is not masqueraded",
                lint.tables.chain(kube).map(|chain| chain.name.to_string()).unwrap_or_default()
            );
            lint.tell(Check::PostroutingMissing, post, None, message);
        } else if kube.is_none() {
            let message = format!("nat POSTROUTING has no rule that masquerades what is marked {mark:#x}");
            lint.tell(Check::PostroutingMissing, post, None, message);
        } else {
            let message =
                format!("packets get the mark {mark:#x}, and nat POSTROUTING does not masquerade that");
            lint.tell(Check::MarkNotMasqueraded, marks, Some(rule), message);
        }
    }
    if let Some(kube) = kube
        && let Some(&(chain, rule)) = masquerades(lint, 0).iter().find(|(chain, _)| *chain == kube)
    {
        let message = "it masquerades packets without a mark too".to_owned();
        lint.tell(Check::MasqueradesAll, chain, Some(rule), message);
    }
    let forward = lint.tables.all_named(TableName::Filter, "KUBE-FORWARD");
    for chain in forward {
        let accepted = lint.tables.rules(chain).iter().enumerate().find_map(|(number, rule)| {
            let asks = rule.matches.iter().find_map(|m| match m {
                Match::Mark(m) => m.mark.filter(|mark| !mark.negated),
                _ => None,
            })?;
            (rule.target == Target::Accept).then_some((number, asks.value))
        });
        if let Some((number, asks)) = accepted.filter(|(_, asks)| !asks.matches(mark)) {
            let message = format!("it accepts the mark {asks}, and KUBE-MARK-MASQ sets {mark:#x}");
            lint.tell(Check::MarkNotAccepted, chain, Some(number), message);
        }
    }
}

/// Packets of every kind that leave with a mark.
fn leaving(lint: &Lint<'_, '_>, mark: u32) -> Class {
    let all = reach::all_addresses(lint.family);
    let class = reach::new_packets(
        all,
        Types::OPEN.and(Types::LOCAL.not()),
        Upper::any(),
        lint.family,
        Start::Arriving,
    );
    let mark = Bits { value: mark, known: u32::MAX };
    Class { mark, states: reach::States::NEW, out_interface: reach::Interfaces::any(), ..class }
}

fn drops(lint: &mut Lint<'_, '_>, marks: ChainAt) {
    let Some((rule, mark)) = mark_of(lint.tables.rules(marks)) else { return };
    if lint.tables.may_lack(TableName::Filter) {
        return;
    }
    let dropped = lint.tables.named(TableName::Filter).any(|(_, _, table)| {
        table.chains.iter().flat_map(|chain| &chain.rules).any(|rule| {
            let asks = rule.matches.iter().any(|m| match m {
                Match::Mark(m) => m.mark.is_some_and(|wanted| !wanted.negated && wanted.value.matches(mark)),
                _ => false,
            });
            asks && rule.target == Target::Drop
        })
    });
    if !dropped {
        let message =
            format!("packets get the mark {mark:#x} to be dropped, and no rule of table filter drops that");
        lint.tell(Check::DropMarkUnused, marks, Some(rule), message);
    }
}
