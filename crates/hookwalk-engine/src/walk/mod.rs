//! Walks a packet: every outcome of every case.
//!
//! [`way`] moves one state on until it ends or forks, through the rules of a [`chain`], which [`judge`] looks at
//! where conditions do not tell, or by a [`passage`] known from before; the [`path`] keeps what it met. [`explore`]
//! follows all forks and keeps them as a tree, with their [`weights`]; [`merged`] takes over where that tree would
//! grow past its limit; [`cases`] reads the tree as cases and outcomes; [`report`] gives the rules their names.

mod after;
mod cases;
mod chain;
mod choose;
mod explore;
mod judge;
mod later;
mod merged;
mod passage;
mod path;
mod report;
mod routing;
mod source;
pub(crate) mod tcp;
mod tracking;
mod way;
mod weights;

pub(crate) use after::{After, Tracked};
use cases::CaseNodes;
pub(crate) use explore::EndedRef;
use explore::{Ended, Tree};
use merged::World;
pub(crate) use path::PathStep;
pub(crate) use way::Way;

use hookwalk_parser::Dump;

use crate::host::{ConnectionTable, Host};
use crate::index::Index;
use crate::outcome::Walk;
use crate::packet::Packet;
use crate::program::Program;
use crate::state::{Granted, Past};

/// How much of a walk is followed. Rulesets that people run stay far below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Forks and ends of the walk.
    pub states: usize,
    /// Rules looked at.
    pub rules: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { states: 32_768, rules: 4_000_000 }
    }
}

impl Limits {
    /// Other limits.
    pub const fn new(states: usize, rules: u64) -> Self {
        Limits { states, rules }
    }
}

/// What a packet is walked through.
#[derive(Clone, Copy)]
pub(crate) struct Given<'e> {
    pub(crate) dumps: &'e [Dump],
    pub(crate) host: &'e Host,
    pub(crate) program: &'e Program,
    /// None for the reference evaluator.
    pub(crate) index: Option<&'e Index>,
    /// The connections that the host has.
    pub(crate) table: &'e ConnectionTable,
    /// What rules with a memory have seen before.
    pub(crate) past: &'e Past,
}

/// Every outcome of every case.
pub(crate) fn walk(given: Given<'_>, packet: &Packet, limits: Limits) -> Walk {
    let mut explored = Explored::new(given);
    explored.explore(given, packet, limits);
    Walk { packet: *packet, ..explored.report() }
}

/// The packet that connection tracking puts together of fragments before any rule, where a rule wants it.
fn defragmented(program: &Program, packet: &Packet) -> Option<Packet> {
    let is_fragment = packet.fragment_offset > 0 || packet.more_fragments;
    let whole = Packet { fragment_offset: 0, more_fragments: false, ..*packet };
    (is_fragment && program.tracks).then_some(whole)
}

/// The next packet of a session: the walk with one outcome left in each case, and what that of the first
/// case leaves behind.
pub(crate) fn step(given: Given<'_>, packet: &Packet, limits: Limits, seed: u64) -> (Walk, Option<After>) {
    let mut explored = Explored::new(given);
    explored.explore(given, packet, limits);
    let mut walk = explored.report();
    walk.packet = *packet;
    let chosen = walk.cases.first().and_then(|case| case.drawn(seed));
    let after = chosen.and_then(|chosen| explored.after(chosen));
    walk = walk.drawn(seed);
    (walk, after)
}

/// Before the first hook of a packet, or of what was put together of it.
fn begin<'e>(way: &mut Way<'e>, given: Given<'e>, packet: &Packet, whole: Option<Packet>, limits: Limits) {
    way.restart(given, whole.as_ref().unwrap_or(packet), limits);
    if whole.is_some() {
        way.granted.insert(Granted::Defragmented);
    }
}

/// A way that has been followed to all its ends. It keeps its memory for the next packet.
pub(crate) struct Explored<'e> {
    pub(crate) way: Way<'e>,
    tree: Tree,
    found: Found,
}

/// What the ends of a way are.
enum Found {
    /// The outcomes.
    Certain,
    /// Outcomes of cases, since something was unknown.
    Cases(Vec<CaseNodes>),
    /// What merged ways came to, when following each apart reached a limit.
    Merged(Vec<World>),
}

impl<'e> Explored<'e> {
    /// Before the first packet.
    pub(crate) fn new(given: Given<'e>) -> Self {
        Explored { way: Way::new(given), tree: Tree::default(), found: Found::Certain }
    }

    /// Follows a packet, or what was put together of it.
    pub(crate) fn explore(&mut self, given: Given<'e>, packet: &Packet, limits: Limits) {
        let Explored { way, tree, found } = self;
        let whole = defragmented(given.program, packet);
        begin(way, given, packet, whole, limits);
        let cases = match explore::explore(way, tree, limits) {
            true if !tree.asks => {
                *found = Found::Certain;
                return;
            }
            true => cases::cases(way, tree, limits),
            false => None,
        };
        *found = match cases {
            Some(cases) => Found::Cases(cases),
            None => {
                // How far the tree had grown must not show.
                begin(way, given, packet, whole, limits);
                Found::Merged(merged::explore(way, limits))
            }
        };
    }

    /// The ends with their probabilities, where nothing was asked and nothing merged.
    pub(crate) fn certain(&self) -> Option<impl ExactSizeIterator<Item = EndedRef<'_>>> {
        matches!(self.found, Found::Certain).then(|| self.tree.all())?
    }

    pub(crate) fn report(&self) -> Walk {
        match &self.found {
            Found::Certain => report::walk(&self.way, &self.tree, &cases::certain(&self.tree)),
            Found::Cases(cases) => report::walk(&self.way, &self.tree, cases),
            Found::Merged(worlds) => report::merged_walk(&self.way, worlds),
        }
    }

    /// What an outcome of the first case leaves behind.
    fn after(&self, outcome: usize) -> Option<After> {
        let way = &self.way;
        match &self.found {
            Found::Certain => {
                let EndedRef { state, end, .. } = self.tree.end(outcome)?;
                Some(way.after(state, end, std::iter::empty()))
            }
            Found::Cases(cases) => {
                let case = cases.first()?;
                let leaf = case.leaves.iter().rev().nth(outcome)?;
                let EndedRef { state, end, .. } = self.tree.end(*leaf.ends.front()?)?;
                Some(way.after(state, end, case.assume.iter().rev().chain(leaf.assume.iter().rev())))
            }
            Found::Merged(worlds) => {
                let world = worlds.first()?;
                let Ended { state, end, .. } = world.ends.get(outcome)?;
                Some(way.after(state, end, world.assume.iter()))
            }
        }
    }
}
