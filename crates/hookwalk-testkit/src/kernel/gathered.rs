//! From everything that was said about a packet to what became of it.

use super::connections::{Connection, Handle};
use super::error::Error;
use super::events::{Sight, Spot};
use super::observation::{At, Hook, Observation, Place, Reply, ReplyKind, Step, Verdict};
use crate::arbiter::Backend;

/// The index of `lo` in every namespace.
const LOOPBACK: u32 = 1;

/// A packet that was read from a device.
#[derive(Debug)]
pub(super) struct Left {
    pub index: u32,
    pub packet: Vec<u8>,
}

/// Everything that was said while one packet was on its way, in order.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub sights: Vec<Sight>,
    pub left: Vec<Left>,
    pub replies: Vec<(ReplyKind, Vec<u8>)>,
    pub replies_on_loopback: usize,
    pub connections: Vec<Connection>,
    pub handles: Vec<Handle>,
    pub refused: Option<i32>,
}

/// The place of the arbiter's own that a packet passed last.
#[derive(Debug, Clone, Copy)]
struct Point {
    first: bool,
    hook: Hook,
    in_index: u32,
    out_index: u32,
}

impl Gathered {
    /// It passed the last hook but has not come out yet.
    pub(super) fn is_under_way(&self) -> bool {
        match self.passed().last() {
            Some(Point { first: false, hook: Hook::Postrouting, out_index, .. }) => {
                out_index == LOOPBACK || self.own_departure(out_index).is_none()
            }
            _ => false,
        }
    }

    /// It was sent to the node itself.
    pub(super) fn went_through_loopback(&self) -> bool {
        self.passed().any(|point| point.hook == Hook::Postrouting && point.out_index == LOOPBACK)
    }

    /// It reached the node itself.
    pub(super) fn is_delivered(&self) -> bool {
        matches!(self.passed().last(), Some(Point { first: false, hook: Hook::Input, .. }))
    }

    /// What became of it. `name` tells the name of a device.
    pub(super) fn conclude<'a>(
        mut self,
        is_sent: bool,
        name: impl Fn(u32) -> Option<&'a str>,
    ) -> Result<Observation, Error> {
        let named = |index| if index == LOOPBACK { "lo" } else { name(index).unwrap_or("?") }.to_owned();
        let last = self.passed().last();
        let stopped = |place| {
            if self.replies.is_empty() { Verdict::Dropped { place } } else { Verdict::Rejected { place } }
        };
        let (mut own, mut mark) = (None, self.sights.last().map_or(0, |sight| sight.mark));
        let verdict = match last {
            None if is_sent => stopped(Place::Routing),
            None => stopped(Place::Receive),
            Some(Point { first: true, hook, .. }) => stopped(Place::Hook(hook)),
            Some(Point { hook: Hook::Input, in_index, .. }) => Verdict::Local { interface: named(in_index) },
            // What leaves by `lo` and does not come in again was refused there.
            Some(Point { hook: Hook::Postrouting, out_index: LOOPBACK, .. }) => stopped(Place::Routing),
            Some(Point { hook: Hook::Postrouting, out_index, .. }) => {
                let interface = named(out_index);
                own = self.own_departure(out_index);
                if own.is_none() {
                    return Err(Error::Lost(interface));
                }
                if is_sent { Verdict::Sent { interface } } else { Verdict::Forwarded { interface } }
            }
            Some(_) => stopped(Place::Routing),
        };
        let packet = match own {
            Some(index) => self.left.remove(index).packet,
            None => self.sights.iter().rev().find_map(|sight| sight.headers.clone()).unwrap_or_default(),
        };
        let hooks = self.passed().filter(|point| point.first).map(|point| point.hook);
        let hooks: Vec<Hook> = hooks.collect();
        let mut left = self.left.into_iter();
        let replies = self.replies.into_iter().enumerate().map(|(count, (kind, packet))| {
            let on_loopback = (count < self.replies_on_loopback).then_some(LOOPBACK);
            let left_by = left.next().map(|left| left.index).or(on_loopback).map(named);
            Reply { kind, packet, left_by }
        });
        let replies = replies.collect();
        let steps = steps(self.sights, &mut mark);
        let connection = self.connections.first().copied();
        Ok(Observation { verdict, packet, mark, hooks, steps, replies, connection, refused: self.refused })
    }

    fn passed(&self) -> impl DoubleEndedIterator<Item = Point> + '_ {
        self.sights.iter().filter_map(|sight| match sight.at {
            Spot::Point { first, hook, in_index, out_index } => {
                Some(Point { first, hook, in_index, out_index })
            }
            Spot::Step(_) => None,
        })
    }

    /// Which of the packets that left is the one that was seen last: it has the same IP header, while
    /// a reply of the kernel has not.
    fn own_departure(&self, out_index: u32) -> Option<usize> {
        let seen = self.sights.iter().rev().find_map(|sight| sight.headers.as_ref())?;
        let length = if seen.first()? >> 4 == 6 { 40 } else { 20 };
        let header = seen.get(..length)?;
        self.left.iter().position(|left| left.index == out_index && left.packet.get(..length) == Some(header))
    }
}

/// The steps in order, each with the mark after it. A legacy trace is written before the rule's target
/// runs, so the mark after it is the one with which the packet is seen next. At the end of a base chain nft
/// tells of a return and of the policy, legacy of the policy alone, and so do the steps.
fn steps(sights: Vec<Sight>, last_mark: &mut u32) -> Vec<Step> {
    let mut next_mark = *last_mark;
    let mut steps = Vec::new();
    for sight in sights.into_iter().rev() {
        let before = sight.mark;
        if let Spot::Step(mut step) = sight.at {
            if step.backend == Backend::Legacy {
                step.mark = next_mark;
            }
            let is_before_policy = steps.last().is_some_and(|next: &Step| {
                next.at == At::Policy && next.table == step.table && next.chain == step.chain
            });
            if step.at != At::Return || !is_before_policy {
                steps.push(step);
            }
        }
        next_mark = before;
    }
    steps.reverse();
    // Of a packet that a target took (`NF_STOLEN`) nft tells no mark.
    if let [.., before, last] = steps.as_mut_slice()
        && last.backend == Backend::Nft
        && last.mark == 0
        && last.rule().is_some()
        && *last_mark == 0
    {
        last.mark = before.mark;
        *last_mark = before.mark;
    }
    steps
}
