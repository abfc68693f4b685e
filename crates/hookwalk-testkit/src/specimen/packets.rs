//! Fewer packets, and plainer ones.

use std::net::IpAddr;

use hookwalk_parser::types::Family;

use super::{Search, Specimen};
use crate::arbiter::{Moment, Shot};
use crate::shrink::Shrink as _;

impl<F: FnMut(&Specimen) -> bool> Search<F> {
    pub(super) fn shots(&mut self) {
        let count = self.best.shots.len();
        self.take_away(count, |specimen, stays| {
            let mut number = 0;
            specimen.shots.retain(|_| {
                number += 1;
                stays(number - 1)
            });
        });
    }

    /// Sets each field to what is usual.
    pub(super) fn fields(&mut self) {
        let (src, dst): (IpAddr, IpAddr) = match self.family() {
            Family::V4 => ([10, 0, 0, 5].into(), [10, 1, 0, 5].into()),
            Family::V6 => ([0xfd00, 0, 0, 0, 0, 0, 0, 5].into(), [0xfd00, 1, 0, 0, 0, 0, 0, 5].into()),
        };
        for at in 0..self.best.shots.len() {
            self.change(at, |shot| shot.moment = Moment::First);
            // A local process has an address of the node.
            self.change(at, |shot| {
                if shot.first.in_iface.is_some() {
                    shot.first.src = src;
                }
            });
            self.change(at, |shot| shot.first.dst = dst);
            let mut step = 0;
            while let Some(plainer) = self.best.shots.get(at).and_then(|shot| shot.first.without(step)) {
                // The one behind what was taken has its number now.
                if !self.change(at, |shot| shot.first = plainer) {
                    step += 1;
                }
            }
        }
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut Shot)) -> bool {
        self.attempt(|specimen| {
            if let Some(shot) = specimen.shots.get_mut(at) {
                change(shot);
            }
        })
    }
}
