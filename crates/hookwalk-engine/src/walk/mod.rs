//! Walks a packet: every outcome of every case.
//!
//! [`way`] moves one state on until it ends or forks, through a [`chain`] rule by rule; [`explore`] follows all forks and keeps them as
//! a tree; [`merged`] takes over where that tree would grow past its limit; [`cases`] reads the tree as cases and outcomes; [`report`] gives the rules their names.

mod after;
mod cases;
mod chain;
mod choose;
mod explore;
mod later;
mod merged;
mod report;
mod routing;
mod source;
pub(crate) mod tcp;
mod tracking;
mod way;

pub(crate) use after::{After, Tracked};
use way::Way;

use hookwalk_parser::Dump;

use crate::host::{ConnectionTable, Host};
use crate::index::Index;
use crate::outcome::Walk;
use crate::packet::{Packet, PacketState};
use crate::program::{Program, RuleId};
use crate::state::{Facts, Granted, GrantedSet, List, Lists, Memory, Past};

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
    match defragmented(given.program, packet) {
        Some(whole) => {
            let mut explored = Explored::new(given, &whole, limits);
            explored.way.granted.insert(Granted::Defragmented);
            Walk { packet: *packet, ..explored.report() }
        }
        None => Explored::new(given, packet, limits).report(),
    }
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
    let whole = defragmented(given.program, packet);
    let mut explored = Explored::new(given, whole.as_ref().unwrap_or(packet), limits);
    if whole.is_some() {
        explored.way.granted.insert(Granted::Defragmented);
    }
    let mut walk = explored.report();
    walk.packet = *packet;
    let chosen = walk.cases.first().and_then(|case| case.drawn(seed));
    let after = chosen.and_then(|chosen| explored.after(chosen));
    walk = walk.drawn(seed);
    (walk, after)
}

/// A way that has been followed to all its ends.
struct Explored<'e> {
    way: Way<'e>,
    ends: Ends,
}

enum Ends {
    Apart(explore::Tree, Vec<cases::CaseNodes>, cases::Weights),
    Merged(Vec<merged::World>),
}

impl<'e> Explored<'e> {
    fn new(given: Given<'e>, packet: &'e Packet, limits: Limits) -> Self {
        let Given { dumps, host, program, index, table, past } = given;
        let mut way = Way {
            dumps,
            host,
            table,
            past,
            program,
            index,
            packet,
            packets: vec![*packet],
            connections: Vec::new(),
            later: match packet.state {
                later @ (PacketState::Second
                | PacketState::Established
                | PacketState::Reply
                | PacketState::Related) => Some(later),
                _ => None,
            },
            facts: Facts::default(),
            known: List::EMPTY,
            memory: Memory::default(),
            path: Lists::default(),
            rules: Lists::default(),
            missing: Lists::default(),
            calls: Lists::default(),
            granted: GrantedSet::default(),
            budget: limits.rules,
            merging: false,
            called: List::EMPTY,
        };
        if program.family_taken_for_granted {
            way.granted.insert(Granted::Family);
        }
        for (question, is) in &past.known {
            let question = way.facts.id(question.clone());
            way.known = way.facts.assume(way.known, question, *is);
        }
        way.called = way.calls.push(List::EMPTY, RuleId(0));
        let ends = match explore::explore(&mut way, limits) {
            Some(tree) => {
                let (cases, weights) = cases::cases(&way, &tree);
                Ends::Apart(tree, cases, weights)
            }
            None => Ends::Merged(merged::explore(&mut way, limits)),
        };
        Explored { way, ends }
    }

    fn report(&self) -> Walk {
        match &self.ends {
            Ends::Apart(tree, cases, weights) => report::walk(&self.way, tree, cases, weights),
            Ends::Merged(worlds) => report::merged_walk(&self.way, worlds),
        }
    }

    /// What an outcome of the first case leaves behind.
    fn after(&self, outcome: usize) -> Option<After> {
        let way = &self.way;
        match &self.ends {
            Ends::Apart(tree, cases, _) => {
                let case = cases.first()?;
                let leaf = case.leaves.iter().rev().nth(outcome)?;
                let Some(explore::Node::End(end)) = tree.nodes.get(leaf.node) else { return None };
                let assumed = case.assume.iter().chain(&leaf.assume);
                Some(way.after(&end.0, &end.1, assumed))
            }
            Ends::Merged(worlds) => {
                let world = worlds.first()?;
                let (state, end, _) = world.ends.get(outcome)?;
                Some(way.after(state, end, world.assume.iter()))
            }
        }
    }
}
