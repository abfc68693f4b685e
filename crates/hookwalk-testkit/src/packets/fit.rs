//! Packets for one rule in particular.

use std::net::Ipv4Addr;

use super::{PacketSpec, flag, proto};
use crate::dice::Dice;
use crate::ruleset::{Masked, Match, Not, Ports, Protocol, Rule, Side};
use crate::topology::Topology;

/// Changes a packet so that the rule's matches hold, as far as they say what has to be; those that say what
/// must not be mostly hold anyway. Addresses for which `usable` is false are not given.
pub(super) fn fit(
    packet: &mut PacketSpec,
    rule: &Rule,
    topology: &Topology,
    dice: &mut Dice,
    usable: impl Fn(Ipv4Addr) -> bool,
) {
    for one in &rule.matches {
        match one {
            Match::Address(Not(false), side, masked) => {
                let address = inside(*masked, dice);
                if usable(address) {
                    match side {
                        Side::Source => packet.src = address,
                        Side::Destination => packet.dst = address,
                    }
                }
            }
            Match::In(Not(false), name) if packet.in_iface.is_some() => {
                let mut known = topology.interfaces.iter();
                if let Some(interface) = known.find(|interface| interface.name == *name) {
                    packet.in_iface = Some(interface.name.clone());
                }
            }
            Match::Protocol(Not(false), protocol) => {
                packet.proto = match protocol {
                    Protocol::Tcp => proto::TCP,
                    Protocol::Udp => proto::UDP,
                    Protocol::Icmp => proto::ICMP,
                    Protocol::Other(number) => *number,
                };
            }
            Match::Ports(Not(false), _, side, range) => set_port(packet, *side, *range, dice),
            Match::Multiport(Not(false), side, ranges) => {
                if let Some(range) = dice.pick(ranges) {
                    set_port(packet, *side, *range, dice);
                }
            }
            Match::TcpFlags(Not(false), mask, set) => {
                packet.flags = packet.flags & !flags(mask) | flags(set);
            }
            Match::IcmpType(Not(false), icmp_type, code) => {
                (packet.icmp_type, packet.icmp_code) = (*icmp_type, code.unwrap_or(0));
            }
            _ => {}
        }
    }
}

/// An address that matches: mostly as written, else the lowest or the highest one.
fn inside(masked: Masked, dice: &mut Dice) -> Ipv4Addr {
    let Masked { address, mask } = masked;
    let free = dice.of([address.to_bits(), address.to_bits(), address.to_bits(), 0, u32::MAX]);
    Ipv4Addr::from_bits(address.to_bits() & mask | free & !mask)
}

fn set_port(packet: &mut PacketSpec, side: Side, range: Ports, dice: &mut Dice) {
    let between = dice.port(range.low..=range.high);
    let port = dice.of([range.low, range.high, between]);
    match side {
        Side::Source => packet.sport = port,
        Side::Destination => packet.dport = port,
    }
}

/// The bits of `SYN,ACK`, `ALL` or `NONE`.
fn flags(names: &str) -> u8 {
    let bit = |name| flag::NAMES.iter().find(|(_, known)| *known == name).map_or(0, |(bit, _)| *bit);
    match names {
        "ALL" => 0x3f,
        _ => names.split(',').fold(0, |bits, name| bits | bit(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::Target;

    #[test]
    fn a_packet_fits() {
        let masked = Masked { address: [10, 96, 0, 10].into(), mask: 0xffff_ff00 };
        let matches = vec![
            Match::Address(Not(false), Side::Destination, masked),
            Match::Protocol(Not(false), Protocol::Udp),
            Match::Ports(Not(false), Protocol::Udp, Side::Destination, Ports { low: 53, high: 55 }),
            Match::In(Not(false), "tun2".into()),
        ];
        let rule = Rule { matches, target: Target::None };
        let mut packet = PacketSpec { in_iface: Some("tun0".into()), ..PacketSpec::default() };
        fit(&mut packet, &rule, &Topology::default(), &mut Dice::new(1), |_| true);
        assert_eq!((packet.proto, packet.in_iface.as_deref()), (proto::UDP, Some("tun2")));
        assert!((53..=55).contains(&packet.dport) && packet.dst.octets()[..3] == [10, 96, 0]);
        assert_eq!(flags("SYN,ACK"), flag::SYN | flag::ACK);
        assert_eq!((flags("NONE"), flags("ALL")), (0, 0x3f));
    }
}
