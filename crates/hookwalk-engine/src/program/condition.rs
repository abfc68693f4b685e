//! Conditions of rules in a form that is judged without looking at the dump.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::types::{ConnStates, InterfacePattern, MaskedAddress, Negatable, PortRange, Protocol};
use hookwalk_parser::{BaseMatches, Rule};

use crate::extensions;
use crate::packet::{InterfaceName, Packet};
use crate::state::{Interface, State};

/// One condition of a rule; a rule matches when all of its hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `-s`
    Source(Net, bool),
    /// `-d`
    Destination(Net, bool),
    /// `-p`
    Protocol(Protocol, bool),
    /// A packet of the protocol with its header: what a match such as `tcp` asks before anything else.
    Header(Protocol),
    /// `-i`
    InInterface(InterfaceName, Reach),
    /// `-o`
    OutInterface(InterfaceName, Reach),
    /// `--sport`
    SourcePorts(PortRange, bool),
    /// `--dport`
    DestinationPorts(PortRange, bool),
    /// `-m mark --mark`
    Mark { value: u32, mask: u32, negated: bool },
    /// `--ctstate`
    States(ConnStates, bool),
    /// `-m statistic --mode random`: 31 random bits are fewer than this.
    Draw(u32),
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Net {
    /// Of IPv4: any mask.
    V4 { address: u32, mask: u32 },
    /// Of IPv6: a prefix.
    V6 { address: [u8; 16], prefix_len: u8 },
}

/// Which interfaces a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    This,
    AllButThis,
    /// All that begin so.
    Prefix,
    AllButPrefix,
}

/// What the conditions of a rule make of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    No,
    Yes,
    /// Yes when 31 random bits are fewer than this.
    Draw(u32),
    /// What the conditions do not tell: the rule itself must be looked at.
    Open,
}

/// What conditions look at of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Looks {
    /// Mark, protocol and what connection tracking says, at most.
    #[default]
    Little,
    /// Interfaces too.
    Interfaces,
    Everything,
}

impl Looks {
    pub(super) fn of(told: bool, conditions: &[Condition]) -> Looks {
        let all = conditions.iter().map(|condition| match condition {
            Condition::Protocol(..)
            | Condition::Header(_)
            | Condition::Mark { .. }
            | Condition::States(..) => Looks::Little,
            Condition::InInterface(..) | Condition::OutInterface(..) => Looks::Interfaces,
            _ => Looks::Everything,
        });
        if told { all.max().unwrap_or_default() } else { Looks::Everything }
    }

    /// Both together.
    #[inline]
    pub(crate) fn and(self, other: Looks) -> Looks {
        self.max(other)
    }
}

impl Condition {
    /// Puts the conditions of a rule in place of others; returns whether they tell all of it.
    pub(super) fn read(rule: &Rule, conditions: &mut Vec<Condition>) -> bool {
        conditions.clear();
        let mut told = Self::add_base(&rule.base.unpack(), conditions);
        for candidate in &rule.matches {
            told &= extensions::add_conditions(candidate, conditions);
        }
        told
    }

    fn add_base(base: &BaseMatches, conditions: &mut Vec<Condition>) -> bool {
        let mut told = base.fragment.is_none();
        let mut add = |condition: Option<Condition>| match condition {
            Some(condition) => conditions.push(condition),
            None => told = false,
        };
        // What most often tells rules apart comes first.
        if let Some(wanted) = base.destination {
            add(Net::new(wanted.value).map(|net| Condition::Destination(net, wanted.negated)));
        }
        if let Some(wanted) = base.source {
            add(Net::new(wanted.value).map(|net| Condition::Source(net, wanted.negated)));
        }
        if let Some(wanted) = base.protocol {
            add(Some(Condition::Protocol(wanted.value, wanted.negated)));
        }
        if let Some(wanted) = base.in_interface {
            add(interface(wanted, Condition::InInterface));
        }
        if let Some(wanted) = base.out_interface {
            add(interface(wanted, Condition::OutInterface));
        }
        told
    }

    /// Whether it holds, where this form of it tells.
    // Inline the compiler would prepare all fields of the state before each loop over conditions.
    #[inline(never)]
    pub(super) fn holds(&self, packet: &Packet, state: &State) -> Option<bool> {
        Some(match *self {
            Condition::Source(..) if state.src_unknown => return None,
            Condition::Source(net, negated) => net.contains(state.src) != negated,
            Condition::Destination(net, negated) => net.contains(state.dst) != negated,
            Condition::Protocol(wanted, negated) => (packet.protocol == wanted) != negated,
            // The backends differ in what they make of a later fragment.
            Condition::Header(wanted) if packet.fragment_offset > 0 && packet.protocol == wanted => {
                return None;
            }
            Condition::Header(wanted) => packet.protocol == wanted,
            Condition::InInterface(name, reach) => return reach.holds(name, state.in_interface),
            Condition::OutInterface(name, reach) => return reach.holds(name, state.out),
            Condition::SourcePorts(range, negated) => range.contains(state.sport?) != negated,
            Condition::DestinationPorts(range, negated) => range.contains(state.dport?) != negated,
            Condition::Mark { value, mask, negated } => (state.mark & mask == value) != negated,
            Condition::States(wanted, negated) => extensions::is_in_states(wanted, state) != negated,
            Condition::Draw(_) => return None,
        })
    }

    /// Whether all conditions of a rule hold; `draws` of them came out so before.
    #[inline]
    pub(super) fn judge(
        conditions: &[Condition],
        told: bool,
        packet: &Packet,
        state: &State,
        draws: u8,
    ) -> Judged {
        let (mut draws_left, mut draw, mut told) = (draws, None, told);
        for condition in conditions {
            match condition.holds(packet, state) {
                Some(true) => {}
                Some(false) => return Judged::No,
                None => match *condition {
                    Condition::Draw(_) if draws_left > 0 => draws_left -= 1,
                    Condition::Draw(numerator) => draw = draw.or(Some(numerator)),
                    _ => told = false,
                },
            }
        }
        match draw {
            _ if !told => Judged::Open,
            Some(numerator) => Judged::Draw(numerator),
            None => Judged::Yes,
        }
    }
}

impl Net {
    fn new(address: MaskedAddress) -> Option<Net> {
        Some(match address {
            MaskedAddress::V4 { address, mask } => {
                Net::V4 { address: address.to_bits(), mask: mask.to_bits() }
            }
            MaskedAddress::V6 { address: masked, .. } => {
                Net::V6 { address: masked.octets(), prefix_len: address.prefix_len()? }
            }
        })
    }

    #[inline]
    fn contains(self, other: IpAddr) -> bool {
        match (self, other) {
            (Net::V4 { address, mask }, IpAddr::V4(other)) => other.to_bits() & mask == address,
            (Net::V6 { address, prefix_len }, IpAddr::V6(other)) => {
                other.to_bits() & Self::mask_v6(prefix_len) == Ipv6Addr::from(address).to_bits()
            }
            _ => false,
        }
    }

    pub(crate) fn address(self) -> IpAddr {
        match self {
            Net::V4 { address, .. } => IpAddr::V4(Ipv4Addr::from_bits(address)),
            Net::V6 { address, .. } => IpAddr::V6(address.into()),
        }
    }

    /// How many leading bits count, when only such do.
    pub(crate) fn prefix_len(self) -> Option<u8> {
        match self {
            Net::V4 { mask, .. } if mask.leading_ones() == mask.count_ones() => {
                u8::try_from(mask.leading_ones()).ok()
            }
            Net::V4 { .. } => None,
            Net::V6 { prefix_len, .. } => Some(prefix_len),
        }
    }

    const fn mask_v6(prefix_len: u8) -> u128 {
        if prefix_len == 0 { 0 } else { u128::MAX << (128 - prefix_len as u32) }
    }
}

fn interface(
    wanted: Negatable<InterfacePattern>,
    condition: fn(InterfaceName, Reach) -> Condition,
) -> Option<Condition> {
    let reach = match (wanted.value.is_prefix(), wanted.negated) {
        (false, false) => Reach::This,
        (false, true) => Reach::AllButThis,
        (true, false) => Reach::Prefix,
        (true, true) => Reach::AllButPrefix,
    };
    InterfaceName::new(wanted.value.name()).map(|name| condition(name, reach))
}

impl Reach {
    #[inline]
    fn holds(self, name: InterfaceName, interface: Interface) -> Option<bool> {
        let is_meant = match interface {
            Interface::Unknown => return None,
            // A packet without the interface has the empty name there.
            Interface::None => false,
            Interface::Known(other) => match self {
                Reach::This | Reach::AllButThis => name == other,
                Reach::Prefix | Reach::AllButPrefix => other.as_bytes().starts_with(name.as_bytes()),
            },
        };
        Some(is_meant != matches!(self, Reach::AllButThis | Reach::AllButPrefix))
    }
}

/// The conditions of `--sport` and `--dport` of one protocol.
pub(crate) fn add_ports(
    protocol: Protocol,
    sport: Option<Negatable<PortRange>>,
    dport: Option<Negatable<PortRange>>,
    conditions: &mut Vec<Condition>,
) {
    match conditions.last_mut() {
        // `-p tcp -m tcp`
        Some(last) if *last == Condition::Protocol(protocol, false) => *last = Condition::Header(protocol),
        _ => conditions.push(Condition::Header(protocol)),
    }
    conditions.extend(dport.map(|wanted| Condition::DestinationPorts(wanted.value, wanted.negated)));
    conditions.extend(sport.map(|wanted| Condition::SourcePorts(wanted.value, wanted.negated)));
}
