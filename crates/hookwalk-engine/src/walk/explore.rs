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
}

/// The index of a node.
pub(super) type NodeId = usize;

#[derive(Debug)]
pub(super) enum Node {
    /// Not followed yet.
    Open,
    End(Box<(State, End)>),
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

/// Follows every fork, the draw that succeeds and the answer yes first; none when a limit is reached.
pub(super) fn explore(way: &mut Way<'_>, limits: Limits) -> Option<Tree> {
    let mut tree = Tree { nodes: vec![Node::Open] };
    let mut pending = vec![(0, way.start())];
    while let Some((at, mut state)) = pending.pop() {
        if tree.nodes.len() > limits.states {
            return None;
        }
        let node = match way.advance(&mut state) {
            Turn::End(end) => match way.later(&state, &end) {
                Later::Nothing => Node::End(Box::new((state, end))),
                Later::Packet(next) => {
                    pending.push((at, next));
                    continue;
                }
                Later::Unknown(end) => Node::End(Box::new((state, end))),
            },
            Turn::Draw { numerator, yes, no } => {
                let certain = hookwalk_parser::extensions::StatisticProbability::DENOMINATOR;
                let mut branch = |place| tree.add(&mut pending, State { at: At::Rule(place), ..state });
                let no = (numerator < certain).then(|| branch(no));
                let yes = (numerator > 0).then(|| branch(yes));
                Node::Draw { numerator, yes, no }
            }
            Turn::Choose(ways) => {
                // The first is followed first.
                let rest: Vec<_> = ways.into_iter().rev().collect();
                let mut ways: Vec<_> =
                    rest.into_iter().map(|(share, state)| (share, tree.add(&mut pending, state))).collect();
                ways.reverse();
                Node::Choose(ways)
            }
            Turn::Ask { question, asked_by } => {
                let [no, yes] = [false, true].map(|is| {
                    let state = way.assuming(&state, question, is);
                    tree.add(&mut pending, state)
                });
                Node::Ask { question, asked_by, yes, no }
            }
            Turn::Exhausted | Turn::Call { .. } | Turn::Returned => return None,
        };
        if let Some(place) = tree.nodes.get_mut(at) {
            *place = node;
        }
    }
    Some(tree)
}

impl Tree {
    fn add(&mut self, pending: &mut Vec<(NodeId, State)>, state: State) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node::Open);
        pending.push((id, state));
        id
    }
}
