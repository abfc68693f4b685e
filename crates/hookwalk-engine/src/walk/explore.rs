use super::Limits;
use super::later::Later;
use super::way::{End, Turn, Way};
use crate::program::RuleId;
use crate::state::QuestionId;
use crate::state::{At, State};

/// All ways of a packet: forks, and ends. A fork stands before what follows from it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// In the order they were come to, which is that of outcomes.
    pub(super) ends: Vec<(State, End)>,
    /// The nodes of the ends.
    pub(super) end_nodes: Vec<NodeId>,
    /// States that are still to be followed.
    pending: Vec<(NodeId, State)>,
    /// Whether a question was asked.
    pub(super) asks: bool,
}

/// The index of a node.
pub(super) type NodeId = usize;

#[derive(Debug)]
pub(super) enum Node {
    /// Not followed yet.
    Open,
    /// The index of the end.
    End(usize),
    /// A draw; a side that cannot come up is not there.
    Draw {
        numerator: u32,
        yes: Option<NodeId>,
        no: Option<NodeId>,
    },
    /// A hash picks one of several, each by its share of 2^32.
    Choose(Vec<(u64, NodeId)>),
    Ask {
        question: QuestionId,
        asked_by: Option<RuleId>,
        yes: NodeId,
        no: NodeId,
    },
}

/// Follows every fork, the draw that succeeds and the answer yes first; false when a limit is reached.
pub(super) fn explore(way: &mut Way<'_>, tree: &mut Tree, limits: Limits) -> bool {
    tree.clear();
    tree.add(way.start());
    while let Some((at, mut state)) = tree.pending.pop() {
        if tree.nodes.len() > limits.states {
            return false;
        }
        let node = match way.advance(&mut state) {
            Turn::End(end) => match way.later(&state, &end) {
                Later::Nothing => tree.end(at, state, end),
                Later::Packet(next) => {
                    tree.pending.push((at, next));
                    continue;
                }
                Later::Unknown(end) => tree.end(at, state, end),
            },
            Turn::Draw { numerator, yes, no } => {
                let certain = hookwalk_parser::extensions::StatisticProbability::DENOMINATOR;
                let mut branch = |place| tree.add(State { at: At::Rule(place), ..state });
                let no = (numerator < certain).then(|| branch(no));
                let yes = (numerator > 0).then(|| branch(yes));
                Node::Draw { numerator, yes, no }
            }
            Turn::Choose(ways) => {
                // The first is followed first.
                let rest: Vec<_> = ways.into_iter().rev().collect();
                let mut ways: Vec<_> =
                    rest.into_iter().map(|(share, state)| (share, tree.add(state))).collect();
                ways.reverse();
                Node::Choose(ways)
            }
            Turn::Ask { question, asked_by } => {
                tree.asks = true;
                let [no, yes] = [false, true].map(|is| {
                    let state = way.assuming(&state, question, is);
                    tree.add(state)
                });
                Node::Ask { question, asked_by, yes, no }
            }
            Turn::Exhausted | Turn::Call { .. } | Turn::Returned => return false,
        };
        if let Some(place) = tree.nodes.get_mut(at) {
            *place = node;
        }
    }
    true
}

impl Tree {
    fn clear(&mut self) {
        self.nodes.clear();
        self.ends.clear();
        self.end_nodes.clear();
        self.pending.clear();
        self.asks = false;
    }

    fn add(&mut self, state: State) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node::Open);
        self.pending.push((id, state));
        id
    }

    fn end(&mut self, at: NodeId, state: State, end: End) -> Node {
        self.ends.push((state, end));
        self.end_nodes.push(at);
        Node::End(self.ends.len() - 1)
    }

    /// The end that a node is.
    pub(super) fn end_of(&self, node: NodeId) -> Option<&(State, End)> {
        match self.nodes.get(node) {
            Some(Node::End(end)) => self.ends.get(*end),
            _ => None,
        }
    }
}
