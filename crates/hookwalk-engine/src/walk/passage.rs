//! Tables that do the same to all packets that are alike in a few things.
//!
//! Where no rule on the way through a table looks at more than mark, protocol, interfaces and what connection
//! tracking says, as is common in FORWARD and POSTROUTING, the steps that one packet took are those of the
//! next one. The outcomes of one packet most often differ in the destination alone, and take them together:
//! where all tables behind routing are such, all of them at once.

use super::path::PathKind;
use super::way::{Move, Way};
use crate::program::{ChainId, Hook, Looks, TableName};
use crate::state::{At, Decider, Interface, State};

/// The ways through such tables that were walked before.
#[derive(Debug, Default)]
pub(crate) struct Passages {
    all: Vec<Passage>,
    /// The one that was taken last: most often it is taken again.
    last: usize,
}

/// So many are kept; of more the older half is forgotten before the next packet, since paths name them.
const MOST_PASSAGES: usize = 16;

/// The index of a passage, as long as a packet is walked.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassageId(u32);

impl Passages {
    /// Before the next packet.
    #[inline]
    pub(super) fn restart(&mut self) {
        if self.all.len() >= MOST_PASSAGES {
            self.all.drain(..MOST_PASSAGES / 2);
            self.last = 0;
        }
    }

    /// The steps of a passage, newest first.
    #[inline]
    pub(super) fn steps(&self, passage: PassageId) -> &[PathKind] {
        self.all.get(passage.0 as usize).map_or(&[], |passage| &passage.steps)
    }
}

/// A way through tables that let the packet pass.
#[derive(Debug)]
struct Passage {
    of: Alike,
    /// None where no rule looked at them.
    interfaces: Option<Interfaces>,
    /// Newest first.
    steps: Vec<PathKind>,
    /// How many rules were looked at.
    looked: u64,
    /// What accepted it, where one of them is table filter.
    accepted_by: Option<Decider>,
}

/// What `-i` and `-o` see, and what `-o` sees after POSTROUTING has looked at the route.
type Interfaces = (Interface, Interface, Interface);

/// What packets have in common that go the same way through tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Alike {
    /// The stretch and the family, as a number.
    place: u64,
    /// Mark, protocol, and what connection tracking says, as a number: it is compared for every passage.
    seen: u64,
}

/// How far a passage leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    /// Through one table, from a built-in chain on.
    Table(ChainId),
    /// From a hook behind routing on, INPUT or FORWARD, through all that follows.
    Onward(Hook),
}

impl Way<'_> {
    /// Through a table from its built-in chain on, where it can be as a packet went before that was alike.
    pub(super) fn pass(&mut self, state: &mut State, hook: Hook, base: ChainId) -> Move {
        if self.goes_alone(state) || state.other_backend.is_some() {
            let place = self.first_of(hook, base, base)?;
            return self.rules(state, place);
        }
        let of = self.alike(state, Stretch::Table(base));
        if self.finds_passage(&of, state) {
            self.repeat(state)?;
            if let Some(chain) = self.program.chain(base) {
                self.behind(state, hook, chain.table);
            }
            return Ok(());
        }
        self.record(state, of, |way, state| {
            let place = way.first_of(hook, base, base)?;
            way.rules(state, place)
        })
    }

    /// From INPUT or FORWARD on to behind the last table.
    pub(super) fn onward(&mut self, state: &mut State, hook: Hook) -> Move {
        // Later packets are mapped without a rule, and what comes in again by lo meets no nat.
        if self.goes_alone(state) || state.connection.is_some() || state.looped_back {
            return self.enter(state, hook, TableName::Mangle);
        }
        let of = self.alike(state, Stretch::Onward(hook));
        if self.finds_passage(&of, state) {
            self.repeat(state)?;
            // As entering each of the tables leaves it.
            (state.at_table, state.nat_settled, state.other_backend) = (state.for_route(), false, None);
            if let (Hook::Forward, Some(route)) = (hook, state.route) {
                state.out = route.out;
            }
            state.at = At::Done;
            return self.leave(state);
        }
        self.record(state, of, |way, state| {
            loop {
                match state.at {
                    At::Table(hook, table) => way.enter(state, hook, table)?,
                    At::Rule(place) => way.rules(state, place)?,
                    _ => return Ok(()),
                }
            }
        })
    }

    /// Whether a packet is not to go as another one went: a condition tells less of a fragment and more of what `CT`
    /// has prepared, and of merged ways no steps are kept.
    fn goes_alone(&self, state: &State) -> bool {
        self.index.is_none()
            || self.merging
            || state.template().is_some()
            || self.packet_of(state).fragment_offset > 0
    }

    fn alike(&self, state: &State, stretch: Stretch) -> Alike {
        let (kind, number) = match stretch {
            Stretch::Table(base) => (0, base.0),
            Stretch::Onward(hook) => (1, hook as u32),
        };
        let flags = [state.tracked, state.dnat, state.snat];
        let flags = flags.into_iter().fold(0, |all, flag| all << 1 | u64::from(flag));
        let protocol = u64::from(self.packet_of(state).protocol.0);
        Alike {
            place: u64::from(number) << 2 | kind << 1 | u64::from(state.src.is_ipv6()),
            seen: u64::from(state.mark) << 32 | protocol << 16 | (state.tracking as u64) << 8 | flags,
        }
    }

    /// Whether there is a passage of packets like this one, which is the last taken then.
    #[expect(
        clippy::inline_always,
        reason = "calls are a twentieth of a walk, and two callers keep it from inlining"
    )]
    #[inline(always)]
    fn finds_passage(&mut self, of: &Alike, state: &State) -> bool {
        let fits = |known: &Passage| {
            known.of == *of && known.interfaces.is_none_or(|known| known == Self::interfaces(state))
        };
        let Passages { all, last } = &mut self.passages;
        if all.get(*last).is_some_and(fits) {
            return true;
        }
        let found = all.iter().position(fits);
        *last = found.unwrap_or(*last);
        found.is_some()
    }

    fn interfaces(state: &State) -> Interfaces {
        (state.in_interface, state.out, state.route.map_or(Interface::None, |route| route.out))
    }

    /// Takes the last passage again.
    #[expect(
        clippy::inline_always,
        reason = "calls are a twentieth of a walk, and two callers keep it from inlining"
    )]
    #[inline(always)]
    fn repeat(&mut self, state: &mut State) -> Move {
        let Some(known) = self.passages.all.get(self.passages.last) else { return Ok(()) };
        let passage = PassageId(u32::try_from(self.passages.last).unwrap_or(u32::MAX));
        state.path = self.paths.push_passage(state.path, passage, state.mark);
        state.accepted_by = known.accepted_by.or(state.accepted_by);
        // A passage that this one is part of looks at the same.
        let looks = if known.interfaces.is_some() { Looks::Interfaces } else { Looks::Little };
        self.looks = self.looks.and(looks);
        let looked = known.looked;
        self.charge(looked)
    }

    #[inline(never)]
    fn record(
        &mut self,
        state: &mut State,
        of: Alike,
        walk: impl FnOnce(&mut Self, &mut State) -> Move,
    ) -> Move {
        if self.passages.all.len() >= MOST_PASSAGES {
            return walk(self, state);
        }
        let (interfaces, accepted_by) = (Self::interfaces(state), state.accepted_by.take());
        let (path, missing, budget) = (state.path, state.missing, self.budget);
        let looks_before = std::mem::take(&mut self.looks);
        let moved = walk(self, state);
        let looks = self.looks;
        self.looks = looks_before.and(looks);
        if moved.is_ok() && looks != Looks::Everything && state.missing == missing {
            let steps = self.paths.since(&self.passages, state.path, path).map(|step| step.kind).collect();
            self.passages.all.push(Passage {
                of,
                interfaces: (looks == Looks::Interfaces).then_some(interfaces),
                steps,
                looked: budget - self.budget,
                accepted_by: state.accepted_by,
            });
        }
        state.accepted_by = state.accepted_by.or(accepted_by);
        moved
    }
}
