//! Fewer packets, and plainer ones.

use std::net::IpAddr;

use hookwalk_parser::types::Family;

use super::{Search, Specimen};
use crate::arbiter::{Moment, Shot};
use crate::packets::{PacketSpec, flag, proto};

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
        let usual: [&dyn Fn(&mut PacketSpec); 12] = [
            &|packet| packet.fragment = None,
            &|packet| packet.tos = 0,
            &|packet| packet.mark = 0,
            &|packet| packet.ttl = 64,
            &|packet| packet.data = 8,
            &|packet| packet.flags = flag::SYN,
            &|packet| packet.icmp_code = 0,
            &|packet| packet.proto = proto::UDP,
            &|packet| packet.sport = 40000,
            &|packet| packet.dport = 80,
            // A local process has an address of the node.
            &|packet| {
                if packet.in_iface.is_some() {
                    packet.src = src;
                }
            },
            &|packet| packet.dst = dst,
        ];
        for at in 0..self.best.shots.len() {
            self.attempt(|specimen| {
                if let Some(shot) = specimen.shots.get_mut(at) {
                    *shot = Shot { moment: Moment::First, ..shot.clone() };
                }
            });
            for set in usual {
                self.attempt(|specimen| {
                    if let Some(shot) = specimen.shots.get_mut(at) {
                        set(&mut shot.first);
                    }
                });
            }
        }
    }
}
