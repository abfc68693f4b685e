use hookwalk_parser::extensions::StatisticProbability;

use super::Limits;
use super::later::Later;
use super::way::{End, Turn, Way};
use super::weights::Weights;
use crate::probability::Probability;
use crate::program::RuleId;
use crate::state::QuestionId;
use crate::state::{At, InChain, List, State};

/// All ways of a packet: forks, and ends. A fork stands before what follows from it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// In the order they were come to, which is that of outcomes.
    ends: Vec<Reached>,
    pending: Vec<Pending>,
    weights: Weights,
    /// Every state: each stays where it is, from the fork that it came from to its end.
    states: Vec<State>,
    /// Whether a question was asked.
    pub(super) asks: bool,
}

/// The index of a node.
pub(super) type NodeId = usize;

/// The index of a state.
type StateId = usize;

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

/// The same where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndedRef<'t> {
    pub(crate) state: &'t State,
    pub(crate) end: &'t End,
    weight: WeightRef<'t>,
}

#[derive(Clone, Copy, Debug)]
enum WeightRef<'t> {
    Known(&'t Probability),
    Of(&'t Weights, List),
}

impl<'t> EndedRef<'t> {
    /// How likely it is, which may take a while to find out the first time.
    #[inline]
    pub(crate) fn probability(&self) -> &'t Probability {
        match self.weight {
            WeightRef::Known(probability) => probability,
            WeightRef::Of(weights, weight) => weights.of(weight),
        }
    }
}

impl Ended {
    pub(super) const fn as_ref(&self) -> EndedRef<'_> {
        EndedRef { state: &self.state, end: &self.end, weight: WeightRef::Known(&self.probability) }
    }
}

/// The end of a state of the tree.
#[derive(Debug)]
struct Reached {
    state: StateId,
    end: End,
    weight: List,
}

/// A state that is still to be followed, from its node on.
#[derive(Clone, Copy, Debug)]
struct Pending {
    node: NodeId,
    state: StateId,
    weight: List,
}

/// Follows every fork, the draw that succeeds and the answer yes first; false when a limit is reached.
pub(super) fn explore(way: &mut Way<'_>, tree: &mut Tree, limits: Limits) -> bool {
    tree.clear();
    tree.wait(&way.start(), List::EMPTY);
    while let Some(pending) = tree.pending.pop() {
        if !tree.follow(way, pending, limits) {
            return false;
        }
    }
    tree.weights.settle();
    true
}

impl Tree {
    fn clear(&mut self) {
        self.nodes.clear();
        self.ends.clear();
        self.pending.clear();
        self.weights.clear();
        self.states.clear();
        self.asks = false;
    }

    /// How many ends there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// An end.
    pub(super) fn end(&self, end: EndId) -> Option<EndedRef<'_>> {
        let Reached { state, end, weight } = self.ends.get(end)?;
        let weight = WeightRef::Of(&self.weights, *weight);
        Some(EndedRef { state: self.states.get(*state)?, end, weight })
    }

    /// All ends, in order.
    pub(super) fn all(&self) -> Option<impl ExactSizeIterator<Item = EndedRef<'_>>> {
        let first = self.states.first()?;
        Some(self.ends.iter().map(move |Reached { state, end, weight }| EndedRef {
            // Each has its own; the first is there in any case.
            state: self.states.get(*state).unwrap_or(first),
            end,
            weight: WeightRef::Of(&self.weights, *weight),
        }))
    }

    /// Follows a state to its end. Of a fork it goes the first way, and the others wait.
    fn follow(&mut self, way: &mut Way<'_>, from: Pending, limits: Limits) -> bool {
        let Pending { node: mut at, state: id, mut weight } = from;
        loop {
            if self.nodes.len() > limits.states {
                return false;
            }
            let Some(state) = self.states.get_mut(id) else { return true };
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
                    self.ends.push(Reached { state: id, end, weight });
                    return true;
                }
                Turn::Draw { numerator, place } => {
                    let Some(next) = self.draw(way, (at, id, weight), (numerator, place)) else {
                        return true;
                    };
                    (at, weight) = next;
                }
                Turn::Choose(ways) => {
                    let last = self.nodes.len();
                    // The first is followed first, and so waits last.
                    for (share, state) in ways.into_iter().rev() {
                        let weight = self.weights.share(weight, share);
                        self.wait(&state, weight);
                    }
                    // A hash has one way at least.
                    self.set(at, Node::Choose { first: self.nodes.len().saturating_sub(1), last });
                    return true;
                }
                Turn::Ask { question, asked_by } => {
                    self.asks = true;
                    let no = way.assuming(state, question, false);
                    *state = way.assuming(state, question, true);
                    let no = self.wait(&no, weight);
                    let yes = self.open();
                    let below_draw = !weight.is_empty();
                    self.set(at, Node::Ask { question, asked_by, below_draw, yes, no });
                    at = yes;
                }
                Turn::Exhausted | Turn::Call { .. } | Turn::Returned => return false,
            }
        }
    }

    /// Forks at a draw, and at those that follow where it turns the rule away: rules that share out a service stand
    /// one behind the other. The way to follow first.
    fn draw(
        &mut self,
        way: &mut Way<'_>,
        (mut at, id, mut left): (NodeId, StateId, List),
        (mut numerator, mut place): (u32, InChain),
    ) -> Option<(NodeId, List)> {
        let waiting = self.pending.len();
        let mut first = None;
        loop {
            let (may, may_not) = (numerator > 0, numerator < StatisticProbability::DENOMINATOR);
            let yes = may.then(|| self.open());
            let no = may_not.then(|| self.open());
            self.set(at, Node::Draw { yes, no });
            if let Some(yes) = yes {
                let weight = self.weights.draw(left, numerator);
                match first {
                    None => first = Some((yes, place.drawn(), weight)),
                    Some(_) => self.fork(id, place.drawn(), yes, weight),
                }
            }
            let Some(no) = no else { break };
            left = self.weights.draw_complement(left, numerator);
            place = place.turned_away();
            let Some(next) = way.draw_at(place) else {
                self.fork(id, place, no, left);
                break;
            };
            (at, numerator) = (no, next);
        }
        // What waits last is followed first.
        if let Some(forks) = self.pending.get_mut(waiting..) {
            forks.reverse();
        }
        let (node, place, weight) = first?;
        if let Some(state) = self.states.get_mut(id) {
            state.at = At::Rule(place);
        }
        Some((node, weight))
    }

    fn open(&mut self) -> NodeId {
        self.nodes.push(Node::Open);
        self.nodes.len() - 1
    }

    fn wait(&mut self, state: &State, weight: List) -> NodeId {
        let (node, id) = (self.open(), self.states.len());
        self.states.extend_from_slice(std::slice::from_ref(state));
        self.pending.push(Pending { node, state: id, weight });
        node
    }

    /// A state again, at another place. What was just written is slow to copy, so that is written behind.
    fn fork(&mut self, id: StateId, place: InChain, node: NodeId, weight: List) {
        let other = self.states.len();
        self.states.extend_from_within(id..=id);
        if let Some(state) = self.states.get_mut(other) {
            state.at = At::Rule(place);
        }
        self.pending.push(Pending { node, state: other, weight });
    }

    fn set(&mut self, at: NodeId, node: Node) {
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
    }
}
