//! Reads the tree of a walk as cases.
//!
//! A case is one way in which the unknown can turn out, with all draws in it. A question before any
//! draw makes two cases. A question behind a draw belongs to the outcomes behind it alone: the cases
//! are put together so that each answer to it is in some case, not so that each answer meets each
//! answer to every other one, which would double the cases with every endpoint.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Limits;
use super::explore::{EndId, EndedRef, Node, NodeId, Tree};
use super::path::PathStep;
use super::way::Way;
use crate::program::RuleId;
use crate::state::QuestionId;

/// More cases than this are no use to anybody.
const MOST_CASES: usize = 256;

/// For each state that a walk may have, how often cases may be compared while they are put together.
const COMPARISONS: usize = 64;

/// An answer, and the rule that asked.
pub(super) type Answered = (QuestionId, bool, Option<RuleId>);

/// One case, its outcomes newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct CaseNodes {
    /// Answers before any draw, newest first.
    pub(super) assume: Vec<Answered>,
    pub(super) leaves: Vec<Leaf>,
    /// Every answer of the case, before and behind draws, sorted.
    answers: Vec<(QuestionId, bool)>,
}

/// Ends of the tree as an outcome of one case.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// The end that is told, then those that other answers would have led to, with the same result.
    pub(super) ends: VecDeque<EndId>,
    /// Answers behind a draw, newest first.
    pub(super) assume: Vec<Answered>,
}

/// The cases of a tree; none where they are too many.
pub(super) fn cases(way: &Way<'_>, tree: &Tree, limits: Limits) -> Option<Vec<CaseNodes>> {
    let mut of: Vec<Vec<CaseNodes>> = Vec::new();
    of.resize_with(tree.nodes.len(), Vec::new);
    let mut left = limits.states.saturating_mul(COMPARISONS);
    let mut folded = vec![false; tree.nodes.len()];
    // What follows from a fork stands behind it, so that going backwards meets it first.
    for (at, node) in tree.nodes.iter().enumerate().rev() {
        let mut take = |node: Option<NodeId>| {
            node.and_then(|node| of.get_mut(node)).map(std::mem::take).unwrap_or_default()
        };
        let cases = match node {
            Node::Open => vec![CaseNodes::default()],
            &Node::End(end) => vec![CaseNodes { leaves: vec![Leaf::of(end)], ..CaseNodes::default() }],
            &Node::Draw { yes, no } => {
                let cases = (take(yes), take(no));
                let given = Given { way, tree, folded: &folded };
                join(&given, cases, (yes.as_slice(), no.as_slice()), &mut left)?
            }
            &Node::Choose { first, last } => {
                let nodes: Vec<NodeId> = (last..=first).collect();
                let given = Given { way, tree, folded: &folded };
                let mut rest = Vec::new();
                for (done, node) in nodes.iter().enumerate() {
                    let (before, _) = nodes.split_at(done);
                    let cases = (take(Some(*node)), rest);
                    rest = join(&given, cases, (std::slice::from_ref(node), before), &mut left)?;
                }
                rest
            }
            &Node::Ask { question, asked_by, below_draw, yes, no } => {
                let (yes, no) = (take(Some(yes)), take(Some(no)));
                if are_alike(tree, &yes, &no) {
                    if let Some(is_folded) = folded.get_mut(at) {
                        *is_folded = true;
                    }
                    yes.into_iter().zip(no).map(|(case, other)| case.folded(other)).collect()
                } else {
                    let answer = |is| (question, is, asked_by);
                    let yes = yes.into_iter().map(|case| case.assuming(answer(true), below_draw));
                    let no = no.into_iter().map(|case| case.assuming(answer(false), below_draw));
                    yes.chain(no).collect()
                }
            }
        };
        let outcomes: usize = cases.iter().map(|case| case.leaves.len()).sum();
        if cases.len() > MOST_CASES || outcomes > limits.states {
            return None;
        }
        if let Some(place) = of.get_mut(at) {
            *place = cases;
        }
    }
    of.first_mut().map(std::mem::take)
}

/// The one case of a tree in which nothing was asked.
pub(super) fn certain(tree: &Tree) -> Vec<CaseNodes> {
    let leaves = (0..tree.count()).rev().map(Leaf::of).collect();
    vec![CaseNodes { leaves, ..CaseNodes::default() }]
}

impl Leaf {
    fn of(end: EndId) -> Leaf {
        Leaf { ends: VecDeque::from([end]), assume: Vec::new() }
    }
}

impl CaseNodes {
    fn assuming(mut self, answered: Answered, below_draw: bool) -> CaseNodes {
        let answer = (answered.0, answered.1);
        if let Err(place) = self.answers.binary_search(&answer) {
            self.answers.insert(place, answer);
        }
        if below_draw {
            for leaf in &mut self.leaves {
                leaf.assume.push(answered);
            }
        } else {
            self.assume.push(answered);
        }
        self
    }

    /// The outcomes of both sides of a draw; leaves are kept newest first, so that the longer side,
    /// which is the one that does not match, is never moved.
    fn with(mut self, yes: &CaseNodes) -> CaseNodes {
        self.leaves.extend(yes.leaves.iter().cloned());
        self.answers.extend_from_slice(&yes.answers);
        self.answers.sort_unstable();
        self.answers.dedup();
        self
    }

    /// The case without a question, when its answer no makes no difference to the outcomes.
    fn folded(mut self, no: CaseNodes) -> CaseNodes {
        for (leaf, mut other) in self.leaves.iter_mut().zip(no.leaves) {
            // The shorter list is moved, so that many questions one behind the other take no longer for that.
            if leaf.ends.len() < other.ends.len() {
                leaf.ends.drain(..).rev().for_each(|end| other.ends.push_front(end));
                leaf.ends = other.ends;
            } else {
                leaf.ends.append(&mut other.ends);
            }
        }
        self
    }
}

/// Reads one case out of a part of the tree: the one that goes with answers that were given elsewhere.
struct Given<'t, 'e> {
    way: &'t Way<'e>,
    tree: &'t Tree,
    /// The questions whose answer makes no difference, by node.
    folded: &'t [bool],
}

impl Given<'_, '_> {
    /// The outcomes of several nodes together, the last one's first; none past a limit.
    fn all(&self, nodes: &[NodeId], known: &[(QuestionId, bool)], left: &mut usize) -> Option<CaseNodes> {
        let mut known = known.to_vec();
        let mut whole = CaseNodes::default();
        for node in nodes {
            whole = whole.with(&self.case(*node, &mut known, left, 0)?);
        }
        Some(whole)
    }

    fn case(
        &self,
        node: NodeId,
        known: &mut Vec<(QuestionId, bool)>,
        left: &mut usize,
        depth: usize,
    ) -> Option<CaseNodes> {
        *left = left.checked_sub(1).filter(|_| depth < MOST_DEEP)?;
        let mut next = |node: NodeId, known: &mut Vec<_>| self.case(node, known, left, depth + 1);
        match self.tree.nodes.get(node)? {
            Node::Open => Some(CaseNodes::default()),
            &Node::End(end) => Some(CaseNodes { leaves: vec![Leaf::of(end)], ..CaseNodes::default() }),
            &Node::Draw { yes, no } => {
                // A side that cannot be has no node.
                let mut side = |node: Option<NodeId>| match node {
                    Some(node) => next(node, known),
                    None => Some(CaseNodes::default()),
                };
                let (yes, no) = (side(yes)?, side(no)?);
                Some(no.with(&yes))
            }
            &Node::Choose { first, last } => {
                let mut whole = CaseNodes::default();
                for node in last..=first {
                    whole = whole.with(&next(node, known)?);
                }
                Some(whole)
            }
            &Node::Ask { question, asked_by, below_draw, yes, no } => {
                if self.folded.get(node) == Some(&true) {
                    let one = next(yes, &mut known.clone())?;
                    let other = next(no, &mut known.clone())?;
                    if are_alike(self.tree, std::slice::from_ref(&one), std::slice::from_ref(&other)) {
                        known.extend_from_slice(&one.answers);
                        return Some(one.folded(other));
                    }
                }
                let is = self.way.facts.agree(known, &[(question, true)]);
                known.push((question, is));
                let case = next(if is { yes } else { no }, known)?;
                Some(case.assuming((question, is, asked_by), below_draw))
            }
        }
    }
}

/// Deeper than this no case is read by itself.
const MOST_DEEP: usize = 512;

/// Puts the cases of both sides of a draw together, so that each stands in at least one whole; none when
/// that takes more comparisons than are left. The cases of a side are not all that there could be: where none goes with
/// one of the other side, it is read out of the tree.
fn join(
    given: &Given<'_, '_>,
    (yes, no): (Vec<CaseNodes>, Vec<CaseNodes>),
    (yes_nodes, no_nodes): (&[NodeId], &[NodeId]),
    left: &mut usize,
) -> Option<Vec<CaseNodes>> {
    if no.is_empty() {
        return Some(yes);
    }
    if yes.is_empty() {
        return Some(no);
    }
    let mut agree = |a: &CaseNodes, b: &CaseNodes| {
        *left = left.checked_sub(1)?;
        Some(given.way.facts.agree(&a.answers, &b.answers))
    };
    // Most often both sides ask the same.
    let mut by_answers: FxHashMap<&[(QuestionId, bool)], VecDeque<usize>> = FxHashMap::default();
    for (n, case) in no.iter().enumerate() {
        by_answers.entry(&case.answers).or_default().push_back(n);
    }
    let mut used = vec![0_usize; no.len()];
    let mut alone: (Vec<usize>, Vec<usize>) = Default::default();
    let mut pairs: Vec<(usize, usize)> = Vec::with_capacity(yes.len().max(no.len()));
    for (y, case) in yes.iter().enumerate() {
        let mut found = by_answers.get_mut(case.answers.as_slice()).and_then(|same| {
            // One of the same answers may have been taken by a case that only agrees with it.
            same.retain(|n| used.get(*n) == Some(&0));
            same.pop_front()
        });
        let mut agrees = None;
        for (n, other) in no.iter().enumerate() {
            if found.is_some() {
                break;
            }
            let is_used = used.get(n) != Some(&0);
            if (!is_used || agrees.is_none()) && agree(case, other)? {
                if is_used { agrees = Some(n) } else { found = Some(n) }
            }
        }
        if let Some(n) = found.or(agrees) {
            pairs.push((y, n));
            if let Some(used) = used.get_mut(n) {
                *used += 1;
            }
        } else {
            alone.0.push(y);
        }
    }
    for ((n, other), used) in no.iter().enumerate().zip(&mut used).filter(|(_, used)| **used == 0) {
        for (y, case) in yes.iter().enumerate() {
            if agree(case, other)? {
                pairs.push((y, n));
                *used += 1;
                break;
            }
        }
        if *used == 0 {
            alone.1.push(n);
        }
    }
    let mut more = Vec::new();
    for case in alone.0.iter().filter_map(|y| yes.get(*y)) {
        more.push(given.all(no_nodes, &case.answers, left)?.with(case));
    }
    for case in alone.1.iter().filter_map(|n| no.get(*n)) {
        more.push(case.clone().with(&given.all(yes_nodes, &case.answers, left)?));
    }
    let mut no: Vec<Option<CaseNodes>> = no.into_iter().map(Some).collect();
    let joined = pairs.into_iter().filter_map(|(y, n)| {
        let count = used.get_mut(n)?;
        *count -= 1;
        let place = no.get_mut(n)?;
        // The last use moves the case, so that a long chain of draws is put together in linear time.
        let case = if *count == 0 { place.take()? } else { place.clone()? };
        Some(case.with(yes.get(y)?))
    });
    Some(joined.chain(more).collect())
}

/// Whether the answer to a question makes no difference to verdict, rewrite or mark.
fn are_alike(tree: &Tree, yes: &[CaseNodes], no: &[CaseNodes]) -> bool {
    let same_leaf = |a: &Leaf, b: &Leaf| {
        let end = |leaf: &Leaf| leaf.ends.front().and_then(|end| tree.end(*end));
        a.assume == b.assume && end(a).zip(end(b)).is_some_and(|(a, b)| same_result(&a, &b))
    };
    let same_case = |a: &CaseNodes, b: &CaseNodes| {
        a.assume == b.assume
            && a.leaves.len() == b.leaves.len()
            && a.leaves.iter().zip(&b.leaves).all(|(a, b)| same_leaf(a, b))
    };
    yes.len() == no.len() && yes.iter().zip(no).all(|(a, b)| same_case(a, b))
}

/// Whether two ends differ in nothing but the rules on the way.
fn same_result(a: &EndedRef<'_>, b: &EndedRef<'_>) -> bool {
    if a.probability() != b.probability() {
        return false;
    }
    let (EndedRef { state: a, end: a_end, .. }, EndedRef { state: b, end: b_end, .. }) = (a, b);
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
    let state_of = |end: EndId| tree.end(end).map(|ended| ended.state);
    let path_of = |end: EndId| state_of(end).map(|state| way.path_of(state)).unwrap_or_default();
    let mut ends = leaf.ends.iter().copied();
    let mut certain = ends.next().map(path_of).unwrap_or_default();
    let mut maybe = Vec::new();
    for other in ends {
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
    for &end in &leaf.ends {
        maybe.extend(state_of(end).map(|state| way.rules.to_vec(state.maybe)).unwrap_or_default());
    }
    maybe.sort_unstable();
    maybe.dedup();
    (certain, maybe)
}
