//! Reads the tree of a walk as cases.
//!
//! A case is one way in which the unknown can turn out, with all draws in it. A question before any
//! draw makes two cases. A question behind a draw belongs to the outcomes behind it alone: the cases
//! are put together so that each answer to it is in some case, not so that each answer meets each
//! answer to every other one, which would double the cases with every endpoint.

use super::explore::{EndId, Ended, Node, NodeId, Tree};
use super::way::{PathStep, Way};
use crate::program::RuleId;
use crate::state::QuestionId;

/// One case, its outcomes newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct CaseNodes {
    /// Answers before any draw.
    pub(super) assume: Vec<(QuestionId, bool, Option<RuleId>)>,
    pub(super) leaves: Vec<Leaf>,
    /// Every answer of the case, before and behind draws.
    answers: Vec<(QuestionId, bool)>,
}

/// An end of the tree as an outcome of one case.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) end: EndId,
    /// Answers behind a draw.
    pub(super) assume: Vec<(QuestionId, bool, Option<RuleId>)>,
    /// Ends that another answer would have led to, with the same result.
    pub(super) alike: Vec<EndId>,
}

/// The cases of a tree.
pub(super) fn cases(way: &Way<'_>, tree: &Tree) -> Vec<CaseNodes> {
    if !tree.asks {
        let leaves = (0..tree.ends.len()).rev().map(Leaf::of).collect();
        return vec![CaseNodes { leaves, ..CaseNodes::default() }];
    }
    let mut of: Vec<Vec<CaseNodes>> = Vec::new();
    of.resize_with(tree.nodes.len(), Vec::new);
    // What follows from a fork stands behind it, so that going backwards meets it first.
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        let mut take = |node: Option<NodeId>| {
            node.and_then(|node| of.get_mut(node)).map(std::mem::take).unwrap_or_default()
        };
        let cases = match node {
            Node::Open => vec![CaseNodes::default()],
            &Node::End(end) => vec![CaseNodes { leaves: vec![Leaf::of(end)], ..CaseNodes::default() }],
            &Node::Draw { yes, no } => {
                let (yes, no) = (take(yes), take(no));
                join(way, yes, no)
            }
            Node::Choose(ways) => {
                let last = Vec::new();
                ways.iter().rev().fold(last, |rest, &node| join(way, take(Some(node)), rest))
            }
            &Node::Ask { question, asked_by, below_draw, yes, no } => {
                let (yes, no) = (take(Some(yes)), take(Some(no)));
                match merged(tree, &yes, &no) {
                    Some(merged) => merged,
                    None => {
                        let yes =
                            yes.into_iter().map(|case| case.assuming(question, true, asked_by, below_draw));
                        let no =
                            no.into_iter().map(|case| case.assuming(question, false, asked_by, below_draw));
                        yes.chain(no).collect()
                    }
                }
            }
        };
        if let Some(place) = of.get_mut(at) {
            *place = cases;
        }
    }
    of.first_mut().map(std::mem::take).unwrap_or_default()
}

impl Leaf {
    fn of(end: EndId) -> Leaf {
        Leaf { end, assume: Vec::new(), alike: Vec::new() }
    }
}

impl CaseNodes {
    fn assuming(
        mut self,
        question: QuestionId,
        is: bool,
        asked_by: Option<RuleId>,
        below_draw: bool,
    ) -> CaseNodes {
        self.answers.push((question, is));
        if below_draw {
            for leaf in &mut self.leaves {
                leaf.assume.insert(0, (question, is, asked_by));
            }
        } else {
            self.assume.insert(0, (question, is, asked_by));
        }
        self
    }

    /// The outcomes of both sides of a draw; leaves are kept newest first, so that the longer side,
    /// which is the one that does not match, is never moved.
    fn with(mut self, yes: &CaseNodes) -> CaseNodes {
        self.leaves.extend(yes.leaves.iter().cloned());
        self.answers.extend(yes.answers.iter().copied());
        self
    }
}

/// Puts the cases of both sides of a draw together, so that each stands in at least one whole.
fn join(way: &Way<'_>, yes: Vec<CaseNodes>, no: Vec<CaseNodes>) -> Vec<CaseNodes> {
    if no.is_empty() {
        return yes;
    }
    if yes.is_empty() {
        return no;
    }
    let agree = |a: &CaseNodes, b: &CaseNodes| way.facts.agree(&a.answers, &b.answers);
    let mut used = vec![false; no.len()];
    let mut pairs: Vec<(usize, usize)> = Vec::with_capacity(yes.len().max(no.len()));
    for (y, case) in yes.iter().enumerate() {
        let fits = |unused: bool| {
            no.iter()
                .enumerate()
                .position(|(n, other)| (!unused || used.get(n) == Some(&false)) && agree(case, other))
        };
        if let Some(n) = fits(true).or_else(|| fits(false)) {
            if let Some(used) = used.get_mut(n) {
                *used = true;
            }
            pairs.push((y, n));
        }
    }
    for (n, other) in no.iter().enumerate().filter(|(n, _)| used.get(*n) == Some(&false)) {
        if let Some(y) = yes.iter().position(|case| agree(case, other)) {
            pairs.push((y, n));
        }
    }
    let mut left = vec![0_usize; no.len()];
    for &(_, n) in &pairs {
        if let Some(left) = left.get_mut(n) {
            *left += 1;
        }
    }
    let mut no: Vec<Option<CaseNodes>> = no.into_iter().map(Some).collect();
    pairs
        .into_iter()
        .filter_map(|(y, n)| {
            let count = left.get_mut(n)?;
            *count -= 1;
            let place = no.get_mut(n)?;
            // The last use moves the case, so that a long chain of draws is put together in linear time.
            let case = if *count == 0 { place.take()? } else { place.clone()? };
            Some(case.with(yes.get(y)?))
        })
        .collect()
}

/// The cases without the question, when its answer makes no difference to verdict, rewrite or mark.
fn merged(tree: &Tree, yes: &[CaseNodes], no: &[CaseNodes]) -> Option<Vec<CaseNodes>> {
    if yes.len() != no.len() {
        return None;
    }
    let same_leaf = |a: &Leaf, b: &Leaf| {
        let ends = tree.ends.get(a.end).zip(tree.ends.get(b.end));
        a.assume == b.assume && ends.is_some_and(|(a, b)| same_result(a, b))
    };
    let same_case = |a: &CaseNodes, b: &CaseNodes| {
        a.assume == b.assume
            && a.leaves.len() == b.leaves.len()
            && a.leaves.iter().zip(&b.leaves).all(|(a, b)| same_leaf(a, b))
    };
    if !yes.iter().zip(no).all(|(a, b)| same_case(a, b)) {
        return None;
    }
    let merge = |(case, other): (&CaseNodes, &CaseNodes)| {
        let mut case = case.clone();
        for (leaf, alike) in case.leaves.iter_mut().zip(&other.leaves) {
            leaf.alike.push(alike.end);
            leaf.alike.extend(&alike.alike);
        }
        case
    };
    Some(yes.iter().zip(no).map(merge).collect())
}

/// Whether two ends differ in nothing but the rules on the way.
fn same_result(a: &Ended, b: &Ended) -> bool {
    if a.probability != b.probability {
        return false;
    }
    let (Ended { state: a, end: a_end, .. }, Ended { state: b, end: b_end, .. }) = (a, b);
    // Where the dump lacks something the verdict is unknown, and how the way would have gone on is idle.
    let both_lack = !a.missing.is_empty() && !b.missing.is_empty();
    let same_end = a_end.verdict == b_end.verdict
        && a_end.place == b_end.place
        && a_end.reject_with == b_end.reject_with
        && a_end.reason == b_end.reason
        && a.out == b.out
        && a.missing.is_empty()
        && b.missing.is_empty();
    (both_lack || same_end)
        && (a.src, a.dst, a.sport, a.dport, a.mark) == (b.src, b.dst, b.sport, b.dport, b.mark)
        && (a.sport_range, a.dport_range, a.src_unknown) == (b.sport_range, b.dport_range, b.src_unknown)
        && (a.dnat, a.snat, a.masquerade, a.by_hash) == (b.dnat, b.snat, b.masquerade, b.by_hash)
        && (a.dnat_by, a.snat_by, a.connmark) == (b.dnat_by, b.snat_by, b.connmark)
}

/// What every way that led to the same end met, in order, and the rules that only some of them met.
pub(super) fn certain_and_maybe(way: &Way<'_>, tree: &Tree, leaf: &Leaf) -> (Vec<PathStep>, Vec<RuleId>) {
    let state_of = |end: EndId| tree.ends.get(end).map(|ended| &ended.state);
    let path_of = |end: EndId| state_of(end).map(|state| way.path.to_vec(state.path)).unwrap_or_default();
    let mut certain = path_of(leaf.end);
    let mut maybe = Vec::new();
    for &other in &leaf.alike {
        let others = path_of(other);
        let mut rest = others.as_slice();
        let mut both = Vec::new();
        for step in certain {
            match rest.iter().position(|other| other.kind == step.kind) {
                Some(found) => {
                    let (skipped, behind) = rest.split_at(found);
                    maybe.extend_from_slice(skipped);
                    rest = behind.split_first().map_or(&[], |(_, behind)| behind);
                    both.push(step);
                }
                None => maybe.push(step),
            }
        }
        maybe.extend_from_slice(rest);
        certain = both;
    }
    let mut maybe: Vec<RuleId> = maybe.iter().filter_map(|step| step.rule()).collect();
    for end in std::iter::once(leaf.end).chain(leaf.alike.iter().copied()) {
        maybe.extend(state_of(end).map(|state| way.rules.to_vec(state.maybe)).unwrap_or_default());
    }
    maybe.sort_unstable();
    maybe.dedup();
    maybe.retain(|rule| !certain.iter().any(|step| step.rule() == Some(*rule)));
    (certain, maybe)
}
