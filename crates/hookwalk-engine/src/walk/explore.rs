use hookwalk_parser::extensions::StatisticProbability;

use super::Limits;
use super::later::Later;
use super::way::{End, Turn, Way};
use crate::probability::Probability;
use crate::program::RuleId;
use crate::state::QuestionId;
use crate::state::{At, State};

/// All ways of a packet: forks, and ends. A fork stands before what follows from it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// In the order they were come to, which is that of outcomes.
    pub(super) ends: Vec<Ended>,
    pending: Vec<Pending>,
    /// The states of those pending, and behind them the one that is followed.
    states: Vec<State>,
    /// Whether a question was asked.
    pub(super) asks: bool,
}

/// The index of a node.
pub(super) type NodeId = usize;

/// The index of an end.
pub(super) type EndId = usize;

#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    /// Not followed yet.
    Open,
    End(EndId),
    /// A draw; a side that cannot come up is not there.
    Draw {
        yes: Option<NodeId>,
        no: Option<NodeId>,
    },
    /// A hash picks one of several: the first is the last node of them.
    Choose {
        first: NodeId,
        last: NodeId,
    },
    Ask {
        question: QuestionId,
        asked_by: Option<RuleId>,
        /// Whether chance has had its part before.
        below_draw: bool,
        yes: NodeId,
        no: NodeId,
    },
}

/// A state where its way ends, and how likely it comes there.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) state: State,
    pub(crate) end: End,
    pub(crate) probability: Probability,
}

/// A state that is still to be followed, from its node on.
#[derive(Debug)]
struct Pending {
    node: NodeId,
    probability: Probability,
}

/// Follows every fork, the draw that succeeds and the answer yes first; false when a limit is reached.
pub(super) fn explore(way: &mut Way<'_>, tree: &mut Tree, limits: Limits) -> bool {
    tree.clear();
    tree.wait(&way.start(), Probability::ONE);
    while let Some(pending) = tree.pending.pop() {
        if !tree.follow(way, pending, limits) {
            return false;
        }
    }
    true
}

impl Tree {
    fn clear(&mut self) {
        self.nodes.clear();
        self.ends.clear();
        self.pending.clear();
        self.states.clear();
        self.asks = false;
    }

    /// Follows the last state to its end. Of a fork it goes the first way, and the others wait before it.
    fn follow(&mut self, way: &mut Way<'_>, from: Pending, limits: Limits) -> bool {
        let Pending { node: mut at, mut probability } = from;
        loop {
            if self.nodes.len() > limits.states {
                return false;
            }
            let Some(state) = self.states.last_mut() else { return true };
            match way.advance(state) {
                Turn::End(mut end) => {
                    if way.later.is_some() {
                        match way.later(state, &end) {
                            Later::Packet(next) => {
                                *state = next;
                                continue;
                            }
                            Later::Nothing => {}
                            Later::Unknown(unknown) => end = unknown,
                        }
                    }
                    self.set(at, Node::End(self.ends.len()));
                    self.ends.extend(self.states.pop().map(|state| Ended { state, end, probability }));
                    return true;
                }
                Turn::Draw { numerator, yes, no } => {
                    let (may, may_not) = (numerator > 0, numerator < StatisticProbability::DENOMINATOR);
                    state.at = At::Rule(if may_not { no } else { yes });
                    let no = may_not.then(|| self.pend(probability.draw_complement(numerator)));
                    let next = may.then(|| self.open());
                    self.set(at, Node::Draw { yes: next, no });
                    let Some(next) = next else { return true };
                    if may_not {
                        self.fork(At::Rule(yes));
                    }
                    (at, probability) = (next, probability.draw(numerator));
                }
                Turn::Choose(ways) => {
                    self.states.pop();
                    let last = self.nodes.len();
                    // The first is followed first, and so waits last.
                    for (share, state) in ways.into_iter().rev() {
                        self.wait(&state, probability.share(share));
                    }
                    // A hash has one way at least.
                    self.set(at, Node::Choose { first: self.nodes.len().saturating_sub(1), last });
                    return true;
                }
                Turn::Ask { question, asked_by } => {
                    self.asks = true;
                    let before = *state;
                    *state = way.assuming(&before, question, false);
                    let no = self.pend(probability.clone());
                    let yes = self.open();
                    let below_draw = probability.draws() > 0;
                    self.set(at, Node::Ask { question, asked_by, below_draw, yes, no });
                    self.states.push(way.assuming(&before, question, true));
                    at = yes;
                }
                Turn::Exhausted | Turn::Call { .. } | Turn::Returned => return false,
            }
        }
    }

    fn open(&mut self) -> NodeId {
        self.nodes.push(Node::Open);
        self.nodes.len() - 1
    }

    /// A state that waits behind all others.
    fn wait(&mut self, state: &State, probability: Probability) -> NodeId {
        self.states.extend_from_slice(std::slice::from_ref(state));
        self.pend(probability)
    }

    /// The last state waits.
    fn pend(&mut self, probability: Probability) -> NodeId {
        let node = self.open();
        self.pending.push(Pending { node, probability });
        node
    }

    /// The last state again, at another place.
    fn fork(&mut self, at: At) {
        let last = self.states.len().saturating_sub(1);
        self.states.extend_from_within(last..);
        if let Some(state) = self.states.last_mut() {
            state.at = at;
        }
    }

    fn set(&mut self, at: NodeId, node: Node) {
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
    }
}
