use std::net::IpAddr;

use hookwalk_engine::Host;
use hookwalk_parser::extensions::AddressType;
use hookwalk_parser::types::{ConnState, Family, MaskedAddress};

use super::interfaces::Interfaces;
use super::spans::Spans;
use super::upper::Upper;

/// A class of packets: all that agree with each of its fields.
///
/// Rules split a class exactly where its fields tell; what they do not tell (sets, owners, time, chance)
/// leaves the class in both parts. A class so never loses a packet that the kernel could see there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Class {
    pub(crate) dst: Spans,
    pub(crate) dst_types: Types,
    pub(crate) src: Spans,
    pub(crate) src_types: Types,
    pub(crate) upper: Upper,
    pub(crate) sport: Spans,
    pub(crate) in_interface: Interfaces,
    pub(crate) out_interface: Interfaces,
    pub(crate) mark: Bits,
    pub(crate) states: States,
    /// Whether the connection has the destination rewritten.
    pub(crate) dnat: bool,
    /// Whether the connection has its mapping: table nat is not asked, though the state may be NEW still.
    pub(crate) mapped: bool,
    /// How often an address, port or mark has changed.
    pub(crate) rewritten: u8,
}

/// What the routing tables can call an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Types(u16);

impl Types {
    pub(crate) const UNICAST: Types = Types(1 << AddressType::Unicast as u16);
    pub(crate) const LOCAL: Types = Types(1 << AddressType::Local as u16);
    /// What an arriving packet reaches this node by.
    pub(crate) const TO_NODE: Types = Types(
        Self::LOCAL.0
            | 1 << AddressType::Broadcast as u16
            | 1 << AddressType::Anycast as u16
            | 1 << AddressType::Multicast as u16,
    );
    /// What an address can be that is not known to be special.
    pub(crate) const OPEN: Types = Types(
        1 << AddressType::Unicast as u16
            | 1 << AddressType::Local as u16
            | 1 << AddressType::Broadcast as u16
            | 1 << AddressType::Anycast as u16,
    );

    pub(crate) fn of(kinds: impl Iterator<Item = AddressType>) -> Self {
        Types(kinds.fold(0, |bits, kind| bits | 1 << kind as u16))
    }

    pub(crate) const fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    pub(crate) const fn not(self) -> Types {
        Types(!self.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types that the addresses of a span can have, as far as the host knows.
    pub(crate) fn of_addresses(addresses: &Spans, family: Family, host: &Host) -> Self {
        match addresses.only() {
            Some(only) => {
                let known = host.address_type(address(only, family));
                known.map_or(Types::OPEN, |kind| Types::of(std::iter::once(kind)))
            }
            // Groups may be among them.
            None => Types::OPEN.or(Types::of(std::iter::once(AddressType::Multicast))),
        }
    }
}

/// States of connection tracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct States(u8);

impl States {
    pub(crate) const NEW: States = States(1 << ConnState::New as u8);
    pub(crate) const UNTRACKED: States = States(1 << ConnState::Untracked as u8);
    /// Later packets of a connection, and errors about it.
    pub(crate) const LATER: States =
        States(1 << ConnState::Established as u8 | 1 << ConnState::Related as u8);
    /// What an arriving packet can be that no rule took out of tracking.
    pub(crate) const TRACKED: States = States(Self::NEW.0 | Self::LATER.0 | 1 << ConnState::Invalid as u8);

    pub(crate) const fn one(state: ConnState) -> Self {
        States(1 << state as u8)
    }

    pub(crate) const fn and(self, other: States) -> States {
        States(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: States) -> States {
        States(self.0 | other.0)
    }

    pub(crate) const fn not(self) -> States {
        States(!self.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A mark of which some bits are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bits {
    pub(crate) value: u32,
    pub(crate) known: u32,
}

impl Bits {
    pub(crate) const ZERO: Bits = Bits { value: 0, known: u32::MAX };

    /// `(mark & !mask) ^ value`, as MARK sets it.
    pub(crate) const fn set(self, value: u32, mask: u32) -> Bits {
        let known = self.known | mask;
        Bits { value: ((self.value & !mask) ^ value) & known, known }
    }

    /// The bits of a mask become unknown.
    pub(crate) const fn forget(self, mask: u32) -> Bits {
        let known = self.known & !mask;
        Bits { value: self.value & known, known }
    }

    /// Those for which `mark & mask == value`, and the others.
    pub(crate) fn split(self, value: u32, mask: u32) -> (Option<Bits>, Option<Bits>) {
        let looked_at = mask & self.known;
        if value & !mask != 0 || (self.value ^ value) & looked_at != 0 {
            return (None, Some(self));
        }
        let open = mask & !self.known;
        if open == 0 {
            return (Some(self), None);
        }
        let with = Bits { value: self.value | value & open, known: self.known | open };
        // Only of a single open bit is the contrary a value.
        let others = if open.is_power_of_two() {
            Bits { value: self.value | !value & open, known: self.known | open }
        } else {
            self
        };
        (Some(with), Some(others))
    }

    fn hull(self, other: Bits) -> Bits {
        let known = self.known & other.known & !(self.value ^ other.value);
        Bits { value: self.value & known, known }
    }
}

/// Past so many classes at one point the most alike are taken together, which loses what told them
/// apart and no packet.
pub(crate) const MOST_CLASSES: usize = 192;

impl Class {
    /// Both together, where all fields but one are alike and that one can be said exactly.
    fn exact_union(&self, other: &Class) -> Option<Class> {
        let mut union = self.clone();
        let mut differ = 0;
        macro_rules! field {
            ($field:ident, $joined:expr) => {
                if self.$field != other.$field {
                    differ += 1;
                    if differ > 1 {
                        return None;
                    }
                    union.$field = $joined?;
                }
            };
        }
        field!(dnat, None);
        field!(mapped, None);
        field!(rewritten, None);
        field!(mark, None);
        field!(in_interface, self.in_interface.exact_union(&other.in_interface));
        field!(out_interface, self.out_interface.exact_union(&other.out_interface));
        field!(states, Some(self.states.or(other.states)));
        field!(dst_types, Some(self.dst_types.or(other.dst_types)));
        field!(src_types, Some(self.src_types.or(other.src_types)));
        field!(dst, Some(self.dst.union(&other.dst)));
        field!(src, Some(self.src.union(&other.src)));
        field!(sport, Some(self.sport.union(&other.sport)));
        field!(upper, Some(self.upper.union(&other.upper)));
        Some(union)
    }

    /// Both together and perhaps more.
    fn hull(&self, other: &Class) -> Class {
        Class {
            dst: self.dst.union(&other.dst),
            dst_types: self.dst_types.or(other.dst_types),
            src: self.src.union(&other.src),
            src_types: self.src_types.or(other.src_types),
            upper: self.upper.union(&other.upper),
            sport: self.sport.union(&other.sport),
            in_interface: self.in_interface.hull(&other.in_interface),
            out_interface: self.out_interface.hull(&other.out_interface),
            mark: self.mark.hull(other.mark),
            states: self.states.or(other.states),
            dnat: self.dnat,
            mapped: self.mapped && other.mapped,
            rewritten: self.rewritten.max(other.rewritten),
        }
    }
}

/// The same packets in fewer classes.
pub(crate) fn joined(classes: Vec<Class>) -> Vec<Class> {
    let mut joined: Vec<Class> = Vec::with_capacity(classes.len());
    for class in classes {
        let mut class = class;
        // What one union makes may be what another lacked.
        while let Some((at, union)) =
            joined.iter().enumerate().find_map(|(at, known)| Some((at, known.exact_union(&class)?)))
        {
            joined.swap_remove(at);
            class = union;
        }
        joined.push(class);
        if joined.len() > MOST_CLASSES {
            joined = coarser(joined);
        }
    }
    joined
}

/// Half as many classes at least: those of one mark and state together.
fn coarser(classes: Vec<Class>) -> Vec<Class> {
    let mut coarse: Vec<Class> = Vec::new();
    for class in classes {
        let alike = |known: &&mut Class| {
            (known.mark, known.dnat, known.mapped) == (class.mark, class.dnat, class.mapped)
        };
        match coarse.iter_mut().find(alike) {
            Some(known) => *known = known.hull(&class),
            None => coarse.push(class),
        }
    }
    if coarse.len() > MOST_CLASSES / 2 {
        let all = coarse.into_iter().reduce(|all, class| all.hull(&class));
        return all.into_iter().collect();
    }
    coarse
}

/// An address as a number of its family.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of a number.
pub(crate) fn address(number: u128, family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
        Family::V6 => IpAddr::V6(number.into()),
    }
}

/// Every address of a family.
pub(crate) fn all_addresses(family: Family) -> Spans {
    Spans::up_to(match family {
        Family::V4 => u128::from(u32::MAX),
        Family::V6 => u128::MAX,
    })
}

/// The addresses of a network; none when its mask is no prefix.
pub(crate) fn network(masked: &MaskedAddress) -> Option<Spans> {
    let prefix = u32::from(masked.prefix_len()?);
    let bits = match masked.family() {
        Family::V4 => 32,
        Family::V6 => 128,
    };
    let first = number(masked.address());
    let host_bits = u128::MAX.checked_shr(128 - (bits - prefix)).unwrap_or(0);
    Some(Spans::new([(first, first | host_bits)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_spans() {
        let span = |text: &str| network(&text.parse().unwrap()).map(|spans| spans.ranges().to_vec());
        assert_eq!(span("10.0.0.0/8"), Some(vec![(0x0a00_0000, 0x0aff_ffff)]));
        assert_eq!(span("0.0.0.0/0"), Some(vec![(0, 0xffff_ffff)]));
        assert_eq!(span("::/0"), Some(vec![(0, u128::MAX)]));
        assert_eq!(span("fd00::1/128").unwrap().len(), 1);
        assert_eq!(span("10.0.0.0/255.0.255.0"), None);
    }

    #[test]
    fn a_mark_is_known_bit_by_bit() {
        let marked = Bits::ZERO.set(0x4000, 0x4000);
        assert_eq!(marked.split(0x4000, 0x4000), (Some(marked), None));
        assert_eq!(Bits::ZERO.split(0x4000, 0x4000), (None, Some(Bits::ZERO)));
        // A value outside its mask matches nothing.
        assert_eq!(marked.split(0x4000, 0).0, None);
        let (with, without) = Bits::ZERO.forget(0x4000).split(0x4000, 0x4000);
        assert_eq!((with, without), (Some(marked), Some(Bits::ZERO)));
    }
}
