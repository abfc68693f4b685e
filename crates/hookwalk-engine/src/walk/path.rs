//! The steps of a packet's way, newest first: rules that matched, chains left, policies.

use super::passage::{PassageId, Passages};
use crate::program::{ChainId, RuleId};
use crate::state::{List, Lists};

/// One step of a way, in the path of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathStep {
    pub(crate) kind: PathKind,
    pub(crate) mark: u32,
}

impl PathStep {
    /// The rule, when the step is one.
    pub(crate) fn rule(self) -> Option<RuleId> {
        match self.kind {
            PathKind::Rule(rule) => Some(rule),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    Rule(RuleId),
    Return(ChainId),
    Policy(ChainId),
}

/// The paths of all states of a walk; those that forked share what came before.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    nodes: Lists<Node>,
}

/// A step, or all those of a passage, which leaves the mark alone.
#[derive(Clone, Copy, Debug)]
struct Node {
    kind: NodeKind,
    mark: u32,
}

#[derive(Clone, Copy, Debug)]
enum NodeKind {
    Step(PathKind),
    Passage(PassageId),
}

impl Paths {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
    }

    #[inline]
    pub(super) fn push(&mut self, path: List, kind: PathKind, mark: u32) -> List {
        self.nodes.push(path, Node { kind: NodeKind::Step(kind), mark })
    }

    #[inline]
    pub(super) fn push_passage(&mut self, path: List, passage: PassageId, mark: u32) -> List {
        self.nodes.push(path, Node { kind: NodeKind::Passage(passage), mark })
    }

    /// The steps that a path has and one that it grew from has not, newest first.
    pub(super) fn since<'w>(&'w self, passages: &'w Passages, path: List, older: List) -> Steps<'w> {
        Steps { nodes: &self.nodes, passages, rest: path, older, inside: [].iter(), mark: 0 }
    }
}

/// Steps of a path, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Steps<'w> {
    nodes: &'w Lists<Node>,
    passages: &'w Passages,
    rest: List,
    older: List,
    /// What is left of a passage, and the mark that all its steps have.
    inside: std::slice::Iter<'w, PathKind>,
    mark: u32,
}

impl Steps<'_> {
    #[inline]
    fn node(&mut self) -> Option<Node> {
        if self.rest == self.older {
            return None;
        }
        let (node, before) = self.nodes.pop(self.rest)?;
        self.rest = before;
        Some(node)
    }
}

impl Iterator for Steps<'_> {
    type Item = PathStep;

    #[inline]
    fn next(&mut self) -> Option<PathStep> {
        loop {
            if let Some(&kind) = self.inside.next() {
                return Some(PathStep { kind, mark: self.mark });
            }
            let Node { kind, mark } = self.node()?;
            match kind {
                NodeKind::Step(kind) => return Some(PathStep { kind, mark }),
                NodeKind::Passage(passage) => {
                    (self.inside, self.mark) = (self.passages.steps(passage).iter(), mark);
                }
            }
        }
    }

    /// The loop that `next` would turn inside out.
    #[inline]
    fn fold<B, F: FnMut(B, PathStep) -> B>(mut self, init: B, mut f: F) -> B {
        let mark = self.mark;
        let mut all = self.inside.clone().fold(init, |all, &kind| f(all, PathStep { kind, mark }));
        while let Some(Node { kind, mark }) = self.node() {
            all = match kind {
                NodeKind::Step(kind) => f(all, PathStep { kind, mark }),
                NodeKind::Passage(passage) => {
                    let steps = self.passages.steps(passage).iter();
                    steps.fold(all, |all, &kind| f(all, PathStep { kind, mark }))
                }
            };
        }
        all
    }
}
