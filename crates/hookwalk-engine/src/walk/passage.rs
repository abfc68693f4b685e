//! Tables that do the same to all packets that are alike in a few things.
//!
//! Where no rule on the way through a table looks at more than mark, protocol, interfaces and what connection
//! tracking says, as is common in FORWARD and POSTROUTING, the steps that one packet took are those of the
//! next one. The outcomes of one packet most often differ in the destination alone, and take them together.

use hookwalk_parser::types::Protocol;

use super::way::{Move, PathKind, PathStep, Way};
use crate::packet::PacketState;
use crate::program::{ChainId, Hook, Looks};
use crate::state::{Decider, Interface, State};

/// The ways through such tables that were walked before.
#[derive(Debug, Default)]
pub(crate) struct Passages(Vec<Passage>);

/// Past so many the oldest is forgotten.
const MOST_PASSAGES: usize = 16;

/// A way through a table that let the packet pass.
#[derive(Debug)]
struct Passage {
    of: Alike,
    /// None where no rule looked at them.
    interfaces: Option<(Interface, Interface)>,
    steps: Vec<PathKind>,
    /// How many rules were looked at.
    looked: u64,
    /// What accepted it, where it is of table filter.
    accepted_by: Option<Decider>,
}

/// What packets have in common that go the same way through a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Alike {
    base: ChainId,
    is_ipv6: bool,
    mark: u32,
    protocol: Protocol,
    tracking: PacketState,
    tracked: bool,
    dnat: bool,
    snat: bool,
}

impl Way<'_> {
    /// Through a table from its built-in chain on, where it can be as a packet went before that was alike.
    pub(super) fn pass(&mut self, state: &mut State, hook: Hook, base: ChainId) -> Move {
        let packet = self.packet_of(state);
        let of = Alike {
            base,
            is_ipv6: packet.src.is_ipv6(),
            mark: state.mark,
            protocol: packet.protocol,
            tracking: state.tracking,
            tracked: state.tracked,
            dnat: state.dnat,
            snat: state.snat,
        };
        let interfaces = (state.in_interface, state.out);
        // A condition tells less of a fragment; and of merged ways no steps are kept.
        let as_ever = packet.fragment_offset > 0
            || self.index.is_none()
            || self.merging
            || state.other_backend.is_some();
        let is_known =
            |known: &Passage| known.of == of && known.interfaces.is_none_or(|known| known == interfaces);
        if as_ever {
            let place = self.first_of(hook, base, base)?;
            return self.rules(state, place);
        }
        match self.passages.0.iter().position(is_known) {
            Some(known) => self.repeat(state, hook, base, known),
            None => self.record(state, hook, of),
        }
    }

    fn repeat(&mut self, state: &mut State, hook: Hook, base: ChainId, known: usize) -> Move {
        let Some(known) = self.passages.0.get(known) else { return Ok(()) };
        for &kind in &known.steps {
            state.path = self.path.push(state.path, PathStep { kind, mark: state.mark });
        }
        state.accepted_by = known.accepted_by.or(state.accepted_by);
        self.charge(known.looked)?;
        if let Some(chain) = self.program.chain(base) {
            self.behind(state, hook, chain.table);
        }
        Ok(())
    }

    fn record(&mut self, state: &mut State, hook: Hook, of: Alike) -> Move {
        let place = self.first_of(hook, of.base, of.base)?;
        let (interfaces, accepted_by) = ((state.in_interface, state.out), state.accepted_by.take());
        let (path, budget) = (state.path, self.budget);
        self.looks = Looks::Little;
        let moved = self.rules(state, place);
        if moved.is_ok() && self.looks != Looks::Everything {
            let mut steps: Vec<PathKind> = self.path.since(state.path, path).map(|step| step.kind).collect();
            steps.reverse();
            if self.passages.0.len() == MOST_PASSAGES {
                self.passages.0.remove(0);
            }
            self.passages.0.push(Passage {
                of,
                interfaces: (self.looks == Looks::Interfaces).then_some(interfaces),
                steps,
                looked: budget - self.budget,
                accepted_by: state.accepted_by,
            });
        }
        state.accepted_by = state.accepted_by.or(accepted_by);
        moved
    }
}
