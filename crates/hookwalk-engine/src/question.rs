//! What a walk can be unable to tell, and what earlier answers on the same way say about it.

use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::extensions::AddressType;
use hookwalk_parser::types::{InterfacePattern, PortRange, Text};

use crate::outcome::HostPart;

/// A question that neither packet nor host answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Whether a number lies in some ranges.
    Number { field: Field, wanted: Ranges },
    /// Whether packets to an address leave by such an interface.
    LeavesBy { dst: IpAddr, interface: InterfacePattern },
    /// Whether a set holds what a rule looks up in it.
    SetHolds { set: Text, element: String },
    /// Whether the packet crosses a bridge so.
    Bridge(BridgeFact),
    /// Whether a part of a rule that cannot be judged holds; `seen` tells apart the forms that a
    /// packet takes on its way.
    Opaque { text: String, seen: u32 },
}

/// A number of the packet or the host that can be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    /// The port as the packet came.
    SourcePort,
    /// The port as the packet came.
    DestinationPort,
    /// A port that NAT drew.
    DrawnPort { source: bool },
    /// ICMP type times 256 plus code.
    IcmpTypeAndCode,
    /// The length from the IP header on.
    Length,
    /// The user that owns the sending socket.
    Uid,
    /// The group that owns the sending socket.
    Gid,
    /// What the routing tables call an address: an [`AddressType`] as number.
    TypeOf(IpAddr),
}

/// What `-m physdev` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BridgeFact {
    /// It came in by a bridge port.
    In,
    /// It leaves by a bridge port.
    Out,
    /// It is bridged, not routed.
    Bridged,
}

/// Numbers as ranges, both ends included, sorted and apart from each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    pub(crate) fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Ranges(merged)
    }

    pub(crate) fn ports(ranges: &[PortRange]) -> Self {
        Ranges::new(ranges.iter().map(|r| (u32::from(r.first), u32::from(r.last))))
    }

    pub(crate) fn types(types: impl Iterator<Item = AddressType>) -> Self {
        Ranges::new(types.map(|kind| (kind as u32, kind as u32)))
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    /// The ranges of all other numbers, in order.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (u32, u32)> {
        let firsts = std::iter::once(Some(0)).chain(self.0.iter().map(|(_, last)| last.checked_add(1)));
        let lasts = self.0.iter().map(|(first, _)| first.checked_sub(1)).chain([Some(u32::MAX)]);
        firsts.zip(lasts).filter_map(|(first, last)| first.zip(last)).filter(|(first, last)| first <= last)
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|&(first, last)| first <= number && number <= last)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn intersection(&self, other: &Ranges) -> Ranges {
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
        Ranges::new(pairs)
    }

    fn without(&self, other: &Ranges) -> Ranges {
        let mut left = self.0.clone();
        for &(first, last) in &other.0 {
            left = left
                .into_iter()
                .flat_map(|(from, to)| {
                    let before = (from < first).then(|| (from, to.min(first.saturating_sub(1))));
                    let behind = (to > last).then(|| (from.max(last.saturating_add(1)), to));
                    [before, behind].into_iter().flatten()
                })
                .collect();
        }
        Ranges::new(left)
    }
}

impl Question {
    /// Whether an address is one of this node's.
    pub(crate) fn is_of_this_node(address: IpAddr) -> Self {
        let wanted = Ranges::types(std::iter::once(AddressType::Local));
        Question::Number { field: Field::TypeOf(address), wanted }
    }

    /// What of the host would have told it.
    pub(crate) fn told_by(&self) -> Option<HostPart> {
        match self {
            Question::Number { field: Field::TypeOf(_), .. } => Some(HostPart::Addresses),
            Question::LeavesBy { .. } => Some(HostPart::Routes),
            Question::SetHolds { .. } => Some(HostPart::Sets),
            Question::Opaque { text, .. } if text.contains(" is of type ") => Some(HostPart::Addresses),
            Question::Opaque { text, .. } => {
                let of_routes = ["the way back to ", "there is a route back to "];
                let is =
                    of_routes.iter().any(|start| text.starts_with(start)) || text.ends_with(" has a route");
                is.then_some(HostPart::Routes)
            }
            _ => None,
        }
    }

    /// Whether earlier answers settle it. `facts` are other questions of the same way, answered.
    pub(crate) fn settled_by<'q>(
        &self,
        mut facts: impl Iterator<Item = (&'q Question, bool)>,
    ) -> Option<bool> {
        match self {
            Question::Number { field, wanted } => {
                let mut possible = field.domain();
                for (fact, is) in facts {
                    if let Question::Number { field: known, wanted } = fact
                        && known == field
                    {
                        possible = if is { possible.intersection(wanted) } else { possible.without(wanted) };
                    }
                }
                if possible.intersection(wanted).is_empty() {
                    Some(false)
                } else {
                    possible.without(wanted).is_empty().then_some(true)
                }
            }
            Question::LeavesBy { dst, interface } => {
                facts.find_map(|(fact, is)| fact.implies_interface(is, *dst, interface))
            }
            _ => facts.find(|(fact, _)| *fact == self).map(|(_, is)| is),
        }
    }

    /// What knowing about one interface says of another: of `eth+` and `eth0` each may follow from the
    /// other's yes or no.
    fn implies_interface(&self, is: bool, to: IpAddr, asked: &InterfacePattern) -> Option<bool> {
        let Question::LeavesBy { dst, interface } = self else { return None };
        if *dst != to {
            return None;
        }
        let asked_covers_known = covers(asked, interface);
        let known_covers_asked = covers(interface, asked);
        match is {
            true if asked_covers_known => Some(true),
            true if !known_covers_asked => Some(false),
            false if known_covers_asked => Some(false),
            _ => None,
        }
    }
}

/// Whether each interface that `narrow` means is one that `wide` means.
fn covers(wide: &InterfacePattern, narrow: &InterfacePattern) -> bool {
    if wide.is_prefix() { narrow.name().starts_with(wide.name()) } else { wide == narrow }
}

impl Field {
    /// What it can be at all.
    pub(crate) fn domain(self) -> Ranges {
        Ranges(vec![match self {
            Field::SourcePort | Field::DestinationPort | Field::IcmpTypeAndCode => (0, 0xffff),
            Field::DrawnPort { .. } => (1, 0xffff),
            Field::Length => (20, 0xffff),
            Field::Uid | Field::Gid => (0, u32::MAX - 1),
            // Multicast and loopback are known without a table; see `Host::address_type`.
            Field::TypeOf(_) => {
                return Ranges::types(
                    [AddressType::Unicast, AddressType::Local, AddressType::Broadcast, AddressType::Anycast]
                        .into_iter(),
                );
            }
        }])
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Number { field: Field::TypeOf(address), wanted } => {
                if *wanted == Ranges::types(std::iter::once(AddressType::Local)) {
                    return write!(f, "{address} is an address of this node");
                }
                write!(f, "{address} is of type ")?;
                let mut separator = "";
                for kind in ALL_TYPES.into_iter().filter(|kind| wanted.contains(*kind as u32)) {
                    write!(f, "{separator}{kind}")?;
                    separator = " or ";
                }
                Ok(())
            }
            Question::Number { field, wanted } => {
                let name = match field {
                    Field::SourcePort => "the source port",
                    Field::DestinationPort => "the destination port",
                    Field::DrawnPort { source: true } => "the source port that NAT drew",
                    Field::DrawnPort { source: false } => "the destination port that NAT drew",
                    Field::IcmpTypeAndCode => "the ICMP type (256 times, plus the code)",
                    Field::Length => "the length of the packet",
                    Field::Uid => "the sending user's id",
                    Field::Gid => "the sending group's id",
                    Field::TypeOf(_) => "the address type",
                };
                write!(f, "{name} is ")?;
                let mut separator = "";
                for &(first, last) in &wanted.0 {
                    match (first == last, field) {
                        (true, Field::IcmpTypeAndCode) => {
                            write!(f, "{separator}{}/{}", first >> 8, first & 0xff)?;
                        }
                        (true, _) => write!(f, "{separator}{first}")?,
                        (false, _) => write!(f, "{separator}{first} to {last}")?,
                    }
                    separator = " or ";
                }
                Ok(())
            }
            Question::LeavesBy { dst, interface } => write!(f, "packets to {dst} leave by `{interface}`"),
            Question::SetHolds { set, element } => write!(f, "set `{set}` holds {element}"),
            Question::Bridge(BridgeFact::In) => f.write_str("the packet comes in by a port of a bridge"),
            Question::Bridge(BridgeFact::Out) => f.write_str("the packet leaves by a port of a bridge"),
            Question::Bridge(BridgeFact::Bridged) => f.write_str("the packet is bridged, not routed"),
            Question::Opaque { text, .. } if text.starts_with('-') => write!(f, "`{text}` holds"),
            Question::Opaque { text, .. } => f.write_str(text),
        }
    }
}

const ALL_TYPES: [AddressType; 12] = [
    AddressType::Unspec,
    AddressType::Unicast,
    AddressType::Local,
    AddressType::Broadcast,
    AddressType::Anycast,
    AddressType::Multicast,
    AddressType::Blackhole,
    AddressType::Unreachable,
    AddressType::Prohibit,
    AddressType::Throw,
    AddressType::Nat,
    AddressType::Xresolve,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn port(first: u32, last: u32) -> Question {
        Question::Number { field: Field::DestinationPort, wanted: Ranges::new([(first, last)]) }
    }

    #[test]
    fn a_port_that_is_53_is_not_80() {
        let known = port(53, 53);
        let settled = |q: &Question, is| q.settled_by([(&known, is)].into_iter());
        assert_eq!(settled(&port(80, 80), true), Some(false));
        assert_eq!(settled(&port(0, 1023), true), Some(true));
        assert_eq!(settled(&port(53, 53), false), Some(false));
        assert_eq!(settled(&port(80, 80), false), None);
        let low = port(0, 1023);
        let high = port(1024, 65535);
        assert_eq!(high.settled_by([(&low, false)].into_iter()), Some(true));
    }

    #[test]
    fn interfaces_follow_from_each_other() {
        let dst = "10.0.0.5".parse().unwrap();
        let leaves = |text: &str| Question::LeavesBy { dst, interface: text.parse().unwrap() };
        let settled = |q: &str, known: &str, is| leaves(q).settled_by([(&leaves(known), is)].into_iter());
        assert_eq!(settled("eth0", "eth+", true), None);
        assert_eq!(settled("eth0", "eth+", false), Some(false));
        assert_eq!(settled("eth+", "eth0", true), Some(true));
        assert_eq!(settled("cali+", "eth0", true), Some(false));
        assert_eq!(settled("cali+", "eth0", false), None);
        assert_eq!(settled("eth0", "eth0", true), Some(true));
    }
}
