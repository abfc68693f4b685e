//! Plainer packets.

use hookwalk_engine::Packet;

use super::{PacketSpec, flag, icmp, proto};
use crate::shrink::Shrink;

/// Makes one field plain at a time, as [`PacketSpec::default`] has it, but for addresses and the interface.
impl Shrink for PacketSpec {
    fn without(&self, step: usize) -> Option<Self> {
        let plain = Self::default();
        let echo = if self.src.is_ipv4() { icmp::ECHO_REQUEST } else { icmp::ECHO_REQUEST_V6 };
        let tries = [
            Self { about: None, ..self.clone() },
            Self { fragment: None, ..self.clone() },
            Self { proto: proto::TCP, ..self.clone() },
            Self { mark: 0, ..self.clone() },
            Self { tos: plain.tos, ..self.clone() },
            Self { ttl: plain.ttl, ..self.clone() },
            Self { flags: flag::SYN, ..self.clone() },
            Self { icmp_type: echo, icmp_code: 0, ..self.clone() },
            Self { icmp_id: plain.icmp_id, id: plain.id, ..self.clone() },
            Self { sport: plain.sport, ..self.clone() },
            Self { dport: plain.dport, ..self.clone() },
            Self { data: plain.data, ..self.clone() },
        ];
        tries.into_iter().filter(|tried| tried != self).nth(step)
    }
}

/// Makes one field plain at a time, as [`Packet::new`] has it, but for addresses, ports that rules are about and
/// the interface.
impl Shrink for Packet {
    fn without(&self, step: usize) -> Option<Self> {
        let plain = Packet::new(self.src, self.dst);
        let steps: [&dyn Fn(&mut Packet); 9] = [
            &|packet| packet.state = plain.state,
            &|packet| (packet.fragment_offset, packet.more_fragments) = (0, false),
            &|packet| packet.mark = 0,
            &|packet| packet.connmark = plain.connmark,
            &|packet| packet.tos = plain.tos,
            &|packet| packet.ttl = plain.ttl,
            &|packet| packet.tcp_flags = plain.tcp_flags,
            &|packet| packet.length = plain.length,
            &|packet| packet.sport = packet.sport.map(|_| 40_000),
        ];
        let tries = steps.into_iter().map(|step| {
            let mut tried = *self;
            step(&mut tried);
            tried
        });
        tries.filter(|tried| tried != self).nth(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shrink::smallest;

    #[test]
    fn only_what_matters_is_left_odd() {
        let odd = PacketSpec { ttl: 3, tos: 9, mark: 4, flags: flag::ACK, dport: 9, ..PacketSpec::default() };
        let small = smallest(odd, |packet| packet.tos == 9 && packet.dport < 80);
        assert_eq!(small, PacketSpec { tos: 9, dport: 9, ..PacketSpec::default() });
    }
}
