//! What the rules of a group have in common, and the key by which a packet finds its own among them.

use std::net::IpAddr;

use hookwalk_parser::types::Protocol;

use crate::packet::{InterfaceName, Packet};
use crate::program::{Condition, Net, Reach};
use crate::state::{Interface, State};

/// Which conditions a rule is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// `-d` of a prefix.
    Destination { prefix_len: u8 },
    /// `-d` of a prefix, with a protocol and one destination port.
    DestinationAndPort { prefix_len: u8 },
    /// A protocol and one destination port.
    Port,
    /// `-s` of a prefix.
    Source { prefix_len: u8 },
    /// `-i` of one interface.
    InInterface,
    /// `-o` of one interface.
    OutInterface,
    /// `-m mark` with a mask.
    Mark { mask: u32 },
}

/// What a packet has for a shape.
pub(super) enum Sought {
    /// No rule of the shape matches.
    Nothing,
    /// Only rules with this key match.
    Key(u64),
    /// Any rule of the shape may match.
    Anything,
}

impl Shape {
    /// The shape and key of a rule with these conditions; none when every packet has to look at it.
    pub(super) fn of(conditions: &[Condition]) -> Option<(Shape, u64)> {
        let (mut destination, mut source, mut other) = (None, None, None);
        let (mut protocol, mut port) = (None, None);
        for condition in conditions {
            match *condition {
                Condition::Destination(net, false) => destination = prefix(net),
                Condition::Source(net, false) => source = prefix(net),
                Condition::Header(wanted) => protocol = Some(wanted),
                Condition::DestinationPorts(range, false) if range.first == range.last => {
                    port = Some(range.first);
                }
                Condition::InInterface(name, Reach::This) => other = Some((Shape::InInterface, named(name))),
                Condition::OutInterface(name, Reach::This) => {
                    other = other.or(Some((Shape::OutInterface, named(name))));
                }
                Condition::Mark { value, mask, negated: false } => {
                    other = other.or(Some((Shape::Mark { mask }, u64::from(value))));
                }
                _ => {}
            }
        }
        let port = protocol.zip(port).map(|(protocol, port)| header(protocol, port));
        match (destination, source, port) {
            (Some((shorter, _)), Some((prefix_len, net)), None) if prefix_len > shorter => {
                Some((Shape::Source { prefix_len }, net))
            }
            (Some((prefix_len, net)), _, Some(port)) => {
                Some((Shape::DestinationAndPort { prefix_len }, net ^ port))
            }
            (Some((prefix_len, net)), _, None) => Some((Shape::Destination { prefix_len }, net)),
            (None, Some((prefix_len, net)), None) => Some((Shape::Source { prefix_len }, net)),
            (None, _, Some(port)) => Some((Shape::Port, port)),
            (None, None, None) => other,
        }
    }

    /// What a packet looks for among rules of this shape.
    pub(super) fn sought(self, packet: &Packet, state: &State) -> Sought {
        let port = || match state.dport {
            // A later fragment has no header to look at, but the nft backend looks all the same.
            _ if packet.fragment_offset > 0 => Sought::Anything,
            Some(port) => Sought::Key(header(packet.protocol, port)),
            None => Sought::Anything,
        };
        let interface = |interface| match interface {
            Interface::None => Sought::Nothing,
            Interface::Known(name) => Sought::Key(named(name)),
            Interface::Unknown => Sought::Anything,
        };
        match self {
            Shape::Destination { prefix_len } => Sought::Key(masked(state.dst, prefix_len)),
            Shape::DestinationAndPort { prefix_len } => match port() {
                Sought::Key(port) => Sought::Key(masked(state.dst, prefix_len) ^ port),
                other => other,
            },
            Shape::Port => port(),
            Shape::Source { .. } if state.src_unknown => Sought::Anything,
            Shape::Source { prefix_len } => Sought::Key(masked(state.src, prefix_len)),
            Shape::InInterface => interface(state.in_interface),
            Shape::OutInterface => interface(state.out),
            Shape::Mark { mask } => Sought::Key(u64::from(state.mark & mask)),
        }
    }
}

/// The length and key of a prefix; none when it covers everything.
fn prefix(net: Net) -> Option<(u8, u64)> {
    let prefix_len = net.prefix_len().filter(|len| *len > 0)?;
    Some((prefix_len, masked(net.address(), prefix_len)))
}

/// The leading bits of an address. Different addresses of IPv6 may have one key: rules found by it are
/// judged all the same.
fn masked(address: IpAddr, prefix_len: u8) -> u64 {
    let bits = match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let bits = bits & u128::MAX.checked_shl(128 - u32::from(prefix_len)).unwrap_or(0);
    folded(bits)
}

fn header(protocol: Protocol, port: u16) -> u64 {
    u64::from(protocol.0) << 16 | u64::from(port)
}

fn named(name: InterfaceName) -> u64 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name.as_bytes()) {
        *to = *from;
    }
    folded(u128::from_be_bytes(bytes))
}

/// 128 bits as 64: those of an IPv4 address stay as they are, in the upper half.
fn folded(bits: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
    let (upper, lower) = ((bits >> 64) as u64, bits as u64);
    upper ^ lower.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}
