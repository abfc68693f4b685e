//! Walks a packet: every outcome of every case.
//!
//! [`way`] moves one state on until it ends or forks; [`explore`] follows all forks and keeps them as
//! a tree; [`merged`] takes over where that tree would grow past its limit; [`cases`] reads the tree as cases and outcomes; [`report`] gives the rules their names.

mod cases;
mod explore;
mod later;
mod merged;
mod report;
mod routing;
mod source;
mod tracking;
mod way;

use way::Way;

use hookwalk_parser::Dump;

use crate::host::Host;
use crate::outcome::Walk;
use crate::packet::{Packet, PacketState};
use crate::program::{Program, RuleId};
use crate::state::{Facts, Granted, GrantedSet, List, Lists, Memory};

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

pub(crate) fn walk(dumps: &[Dump], host: &Host, program: &Program, packet: &Packet, limits: Limits) -> Walk {
    let mut way = Way {
        dumps,
        host,
        program,
        packet,
        packets: vec![*packet],
        connections: Vec::new(),
        later: match packet.state {
            later @ (PacketState::Second | PacketState::Established | PacketState::Reply) => Some(later),
            _ => None,
        },
        facts: Facts::default(),
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
    way.called = way.calls.push(List::EMPTY, RuleId(0));
    match explore::explore(&mut way, limits) {
        Some(tree) => {
            let cases = cases::cases(&way, &tree);
            report::walk(&way, &tree, cases)
        }
        None => {
            let worlds = merged::explore(&mut way, limits);
            report::merged_walk(&way, &worlds)
        }
    }
}
