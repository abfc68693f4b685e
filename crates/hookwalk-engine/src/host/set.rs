//! Sets of ipset(8), as the kernel looks them up (`net/netfilter/ipset/`).

use std::net::IpAddr;

use hookwalk_parser::types::{Family, MacAddress, Protocol, Text};
use ipnet::IpNet;
use rustc_hash::FxHashMap;

use crate::packet::InterfaceName;

/// One entry of a set of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetEntry {
    network: IpNet,
    nomatch: bool,
}

impl SetEntry {
    /// A network; none when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        Some(SetEntry { network: IpNet::new(address, prefix_len).ok()?.trunc(), nomatch: false })
    }

    /// An entry marked `nomatch`: its addresses are not in the set, whatever wider entry covers them.
    #[must_use]
    pub fn nomatch(mut self) -> Self {
        self.nomatch = true;
        self
    }
}

/// What one dimension of a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetDimension {
    /// `ip`, `net`: networks, single addresses as the longest ones.
    Address,
    /// `port`: a protocol with a port, or with an ICMP type and code.
    Port,
    /// `port` of a `bitmap:port`: the port of TCP or UDP, whichever.
    BarePort,
    /// `mac`
    Mac,
    /// `mac` of a `bitmap:ip,mac`: an entry may have none, which is any.
    OptionalMac,
    /// `mark`
    Mark {
        /// `markmask`: the bits that are looked up.
        mask: u32,
    },
    /// `iface`
    Interface,
}

/// One part of a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetPart {
    /// An address or network.
    Network(IpNetwork),
    /// A protocol and its port; of ICMP, type times 256 plus code; 0 where it has none.
    Port(Protocol, u16),
    /// An Ethernet address; none is any.
    Mac(Option<MacAddress>),
    /// A mark.
    Mark(u32),
    /// An interface, or with `wildcard` the start of its name.
    Interface {
        /// The name.
        name: InterfaceName,
        /// Whether longer names match too.
        wildcard: bool,
    },
}

/// A network, without the bits behind its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork(IpNet);

impl IpNetwork {
    /// A network; none when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        Some(IpNetwork(IpNet::new(address, prefix_len).ok()?.trunc()))
    }

    /// How many bits the prefix has.
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether an address lies in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// One member of a set of any type but `list:set`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetMember {
    /// As many parts as the set has dimensions.
    pub parts: Vec<SetPart>,
    /// `nomatch`
    pub nomatch: bool,
    /// Seconds until it goes; none when it stays.
    pub timeout: Option<u64>,
    /// `skbmark`: a mark and its mask, which `SET --map-mark` gives to packets.
    pub mark: Option<(u32, u32)>,
}

impl SetMember {
    /// A member that stays.
    pub fn new(parts: Vec<SetPart>) -> Self {
        SetMember { parts, nomatch: false, timeout: None, mark: None }
    }
}

/// The contents of an ipset.
///
/// ```
/// use hookwalk_engine::{IpNetwork, IpSet, SetDimension, SetMember, SetPart};
/// use hookwalk_parser::types::{Family, Protocol};
/// let web = SetMember::new(vec![
///     SetPart::Network(IpNetwork::new("10.0.0.0".parse().unwrap(), 8).unwrap()),
///     SetPart::Port(Protocol::TCP, 80),
/// ]);
/// let set = IpSet::new(Some(Family::V4), vec![SetDimension::Address, SetDimension::Port], vec![web]);
/// assert_eq!(set.dimensions().len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IpSet {
    /// The family of its addresses; none for sets that have none.
    family: Option<Family>,
    kind: Kind,
    /// Members may be missing from what was told.
    lacks: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Members {
        dimensions: Vec<SetDimension>,
        /// For each dimension the prefix lengths that occur, longest first.
        prefix_lens: Vec<Vec<u8>>,
        by_parts: FxHashMap<Vec<SetPart>, Held>,
        /// Members whose interface is the start of a name, or whose MAC address is any.
        patterns: Vec<SetMember>,
        has_nomatch: bool,
    },
    List(Vec<Text>),
}

/// What is kept of a member beside its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    nomatch: bool,
    timeout: Option<u64>,
    mark: Option<(u32, u32)>,
}

impl Default for Kind {
    fn default() -> Self {
        Kind::Members {
            dimensions: vec![SetDimension::Address],
            prefix_lens: vec![Vec::new()],
            by_parts: FxHashMap::default(),
            patterns: Vec::new(),
            has_nomatch: false,
        }
    }
}

/// What a packet has for one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Address(IpAddr),
    Port(Protocol, u16),
    BarePort(u16),
    Mac(MacAddress),
    Mark(u32),
    Interface(InterfaceName),
    /// The packet has nothing such: it is in no such set.
    Nothing,
    /// It has, but nobody said what.
    Unknown,
}

/// What a lookup finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    No,
    Yes(Option<(u32, u32)>),
    Unknown,
}

impl IpSet {
    /// A set of members with these dimensions; members of other parts are left out.
    pub fn new(family: Option<Family>, dimensions: Vec<SetDimension>, members: Vec<SetMember>) -> Self {
        let mut set = Kind::default();
        if let Kind::Members { dimensions: all, prefix_lens, by_parts, patterns, has_nomatch } = &mut set {
            *prefix_lens = vec![Vec::new(); dimensions.len()];
            for member in members {
                if member.parts.len() != dimensions.len() {
                    continue;
                }
                *has_nomatch |= member.nomatch;
                for (part, lens) in member.parts.iter().zip(prefix_lens.iter_mut()) {
                    if let SetPart::Network(network) = part
                        && !lens.contains(&network.prefix_len())
                    {
                        lens.push(network.prefix_len());
                    }
                }
                let is_pattern = |part: &SetPart| {
                    matches!(part, SetPart::Interface { wildcard: true, .. } | SetPart::Mac(None))
                };
                if member.parts.iter().any(is_pattern) {
                    patterns.push(member);
                } else {
                    let SetMember { parts, nomatch, timeout, mark } = member;
                    by_parts.insert(parts, Held { nomatch, timeout, mark });
                }
            }
            for lens in prefix_lens.iter_mut() {
                lens.sort_unstable_by(|a, b| b.cmp(a));
            }
            *all = dimensions;
        }
        IpSet { family, kind: set, lacks: false }
    }

    /// A `list:set`: what one of its sets holds.
    pub fn list(sets: Vec<Text>) -> Self {
        IpSet { family: None, kind: Kind::List(sets), lacks: false }
    }

    /// Some entries could not be read: an element that is not listed may be in the set all the same.
    #[must_use]
    pub fn with_entries_missing(mut self) -> Self {
        self.lacks = true;
        self
    }

    /// What its dimensions hold; nothing of a `list:set`.
    pub fn dimensions(&self) -> &[SetDimension] {
        match &self.kind {
            Kind::Members { dimensions, .. } => dimensions,
            Kind::List(_) => &[],
        }
    }

    /// Whether an address is in a set of addresses, where that is known; of other sets it never is.
    pub fn lookup(&self, address: IpAddr) -> Option<bool> {
        let of_addresses = self.dimensions() == [SetDimension::Address];
        (of_addresses && !self.lacks).then(|| self.contains(address))
    }

    /// Whether an address is in a set of addresses, by the entries that are told.
    pub fn contains(&self, address: IpAddr) -> bool {
        matches!(self.find(&[Wanted::Address(address)], 0), Lookup::Yes(_))
    }

    /// The sets of a `list:set`.
    pub(crate) fn members_of_list(&self) -> Option<&[Text]> {
        match &self.kind {
            Kind::List(sets) => Some(sets),
            Kind::Members { .. } => None,
        }
    }

    pub(crate) const fn lacks(&self) -> bool {
        self.lacks
    }

    pub(crate) fn is_of(&self, family: Family) -> bool {
        self.family.is_none_or(|own| own == family)
    }

    /// Looks an element up, so many seconds after the set was told. Of networks the longest entry decides,
    /// the first dimension before the second (kernel: `ip_set_hash_gen.h`, `mtype_test_cidrs`).
    pub(crate) fn find(&self, wanted: &[Wanted], elapsed: u64) -> Lookup {
        let Kind::Members { prefix_lens, by_parts, patterns, .. } = &self.kind else { return Lookup::No };
        if wanted.contains(&Wanted::Nothing) {
            return Lookup::No;
        }
        if wanted.contains(&Wanted::Unknown) {
            return Lookup::Unknown;
        }
        let alive = |timeout: Option<u64>| timeout.is_none_or(|left| elapsed < left);
        if let [Wanted::Address(address), Wanted::Interface(name)] = *wanted {
            let exact = by_parts.iter().map(|(parts, held)| (parts.as_slice(), *held));
            let patterns = patterns.iter().map(|member| {
                let SetMember { parts, nomatch, timeout, mark } = member;
                (parts.as_slice(), Held { nomatch: *nomatch, timeout: *timeout, mark: *mark })
            });
            return by_interface(
                exact.chain(patterns).filter(|(_, held)| alive(held.timeout)),
                address,
                name,
            );
        }
        let mut parts = Vec::with_capacity(wanted.len());
        let exact = lookup(wanted, prefix_lens, &mut parts, &|parts: &[SetPart]| {
            by_parts.get(parts).filter(|held| alive(held.timeout)).copied()
        });
        let by_pattern = patterns.iter().filter(|member| alive(member.timeout) && fits(member, wanted));
        // Patterns have networks too, of which the longest decides.
        let by_pattern = by_pattern.max_by_key(|member| network_lens(&member.parts));
        let exact = exact.map(|(parts, held)| (network_lens(&parts), held));
        let found = match (exact, by_pattern) {
            (Some((lens, held)), Some(member)) if network_lens(&member.parts) <= lens => Some(held),
            (_, Some(member)) => Some(Held { nomatch: member.nomatch, timeout: None, mark: member.mark }),
            (Some((_, held)), None) => Some(held),
            (None, None) => None,
        };
        match found {
            Some(held) if !held.nomatch => Lookup::Yes(held.mark),
            _ => Lookup::No,
        }
    }

    /// The ports with which an element would be in the set, where a dimension asks for a port that is not
    /// known; none where that cannot be told so.
    pub(crate) fn ports(&self, wanted: &[Wanted], protocol: Protocol, elapsed: u64) -> Option<Vec<u16>> {
        let Kind::Members { by_parts, patterns, has_nomatch, .. } = &self.kind else { return None };
        let mut open = wanted.iter().enumerate().filter(|(_, part)| **part == Wanted::Unknown);
        let (at, _) = open.next()?;
        if open.next().is_some() || *has_nomatch || !patterns.is_empty() {
            return None;
        }
        let mut ports = Vec::new();
        for (parts, held) in by_parts {
            if held.timeout.is_some_and(|left| elapsed >= left) {
                continue;
            }
            let Some(SetPart::Port(of, port)) = parts.get(at) else { continue };
            let bare = *of == Protocol(0);
            let others = parts.iter().zip(wanted).enumerate();
            if (bare || *of == protocol)
                && others
                    .filter(|(dimension, _)| *dimension != at)
                    .all(|(_, (part, wanted))| fits_part(part, *wanted))
            {
                ports.push(*port);
            }
        }
        Some(ports)
    }
}

/// Of networks with interfaces the longest network that holds the address decides, also where it goes with other
/// interfaces alone (kernel: `ip_set_hash_netiface.c`, `hash_netiface4_data_equal`, which counts before it
/// looks at the interface).
fn by_interface<'m>(
    members: impl Iterator<Item = (&'m [SetPart], Held)>,
    address: IpAddr,
    name: InterfaceName,
) -> Lookup {
    let (mut longest, mut found) = (None, None);
    for (parts, held) in members {
        let [SetPart::Network(network), interface] = parts else { continue };
        if !network.contains(address) || longest > Some(network.prefix_len()) {
            continue;
        }
        if longest < Some(network.prefix_len()) {
            (longest, found) = (Some(network.prefix_len()), None);
        }
        if fits_part(interface, Wanted::Interface(name)) {
            found = Some(held);
        }
    }
    match found {
        Some(held) if !held.nomatch => Lookup::Yes(held.mark),
        _ => Lookup::No,
    }
}

/// The prefix lengths of a member's networks, in order.
fn network_lens(parts: &[SetPart]) -> Vec<u8> {
    let lens = parts.iter().filter_map(|part| match part {
        SetPart::Network(network) => Some(network.prefix_len()),
        _ => None,
    });
    lens.collect()
}

fn fits(member: &SetMember, wanted: &[Wanted]) -> bool {
    member.parts.iter().zip(wanted).all(|(part, wanted)| fits_part(part, *wanted))
}

fn fits_part(held: &SetPart, wanted: Wanted) -> bool {
    match (held, wanted) {
        (SetPart::Network(network), Wanted::Address(address)) => network.contains(address),
        (SetPart::Port(protocol, port), Wanted::Port(of, wanted)) => (*protocol, *port) == (of, wanted),
        (SetPart::Port(_, port), Wanted::BarePort(wanted)) => *port == wanted,
        (SetPart::Mac(None), Wanted::Mac(_)) => true,
        (SetPart::Mac(Some(mac)), Wanted::Mac(wanted)) => *mac == wanted,
        (SetPart::Mark(mark), Wanted::Mark(wanted)) => *mark == wanted,
        (SetPart::Interface { name, wildcard: true }, Wanted::Interface(wanted)) => {
            wanted.as_bytes().starts_with(name.as_bytes())
        }
        (SetPart::Interface { name, .. }, Wanted::Interface(wanted)) => *name == wanted,
        _ => false,
    }
}

/// Tries each prefix length of each network, the longest of the first dimension first.
fn lookup(
    wanted: &[Wanted],
    prefix_lens: &[Vec<u8>],
    parts: &mut Vec<SetPart>,
    get: &dyn Fn(&[SetPart]) -> Option<Held>,
) -> Option<(Vec<SetPart>, Held)> {
    let Some((first, rest)) = wanted.split_first() else {
        return get(parts).map(|held| (parts.clone(), held));
    };
    let (lens, further) = prefix_lens.split_first()?;
    let mut with = |part: SetPart| {
        parts.push(part);
        let found = lookup(rest, further, parts, get);
        parts.pop();
        found
    };
    match *first {
        Wanted::Address(address) => {
            lens.iter().find_map(|len| with(SetPart::Network(IpNetwork::new(address, *len)?)))
        }
        Wanted::Port(protocol, port) => with(SetPart::Port(protocol, port)),
        Wanted::BarePort(port) => with(SetPart::Port(Protocol(0), port)),
        Wanted::Mac(mac) => with(SetPart::Mac(Some(mac))),
        Wanted::Mark(mark) => with(SetPart::Mark(mark)),
        Wanted::Interface(name) => with(SetPart::Interface { name, wildcard: false }),
        Wanted::Nothing | Wanted::Unknown => None,
    }
}

impl FromIterator<SetEntry> for IpSet {
    /// A set of addresses, `hash:ip` or `hash:net`.
    fn from_iter<I: IntoIterator<Item = SetEntry>>(entries: I) -> Self {
        let mut family = None;
        let members = entries
            .into_iter()
            .map(|entry| {
                family = Some(Family::of(entry.network.addr()));
                let part = SetPart::Network(IpNetwork(entry.network));
                SetMember { nomatch: entry.nomatch, ..SetMember::new(vec![part]) }
            })
            .collect();
        let set = IpSet::new(None, vec![SetDimension::Address], members);
        IpSet { family, ..set }
    }
}

/// A set of addresses, as it is also called.
pub type AddressSet = IpSet;

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str, len: u8) -> SetPart {
        SetPart::Network(IpNetwork::new(text.parse().unwrap(), len).unwrap())
    }

    fn holds(set: &IpSet, wanted: &[Wanted]) -> bool {
        matches!(set.find(wanted, 0), Lookup::Yes(_))
    }

    #[test]
    fn the_longest_entry_decides() {
        let entry = |text: &str, len| SetEntry::new(text.parse().unwrap(), len).unwrap();
        let set: AddressSet = [entry("10.0.0.0", 8), entry("10.1.0.0", 16).nomatch(), entry("10.1.2.3", 32)]
            .into_iter()
            .collect();
        for (address, expected) in
            [("10.9.9.9", true), ("10.1.9.9", false), ("10.1.2.3", true), ("11.0.0.0", false)]
        {
            assert_eq!(set.contains(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn dimensions_go_together() {
        let set = IpSet::new(
            Some(Family::V4),
            vec![SetDimension::Address, SetDimension::Port, SetDimension::Address],
            vec![
                SetMember::new(vec![
                    net("10.0.0.1", 32),
                    SetPart::Port(Protocol::TCP, 80),
                    net("10.1.0.0", 16),
                ]),
                SetMember {
                    nomatch: true,
                    ..SetMember::new(vec![
                        net("10.0.0.1", 32),
                        SetPart::Port(Protocol::TCP, 80),
                        net("10.1.2.0", 24),
                    ])
                },
            ],
        );
        let wanted = |src: &str, port, dst: &str| {
            [
                Wanted::Address(src.parse().unwrap()),
                Wanted::Port(Protocol::TCP, port),
                Wanted::Address(dst.parse().unwrap()),
            ]
        };
        assert!(holds(&set, &wanted("10.0.0.1", 80, "10.1.1.1")));
        assert!(!holds(&set, &wanted("10.0.0.1", 80, "10.1.2.1")));
        assert!(!holds(&set, &wanted("10.0.0.1", 81, "10.1.1.1")));
        assert!(!holds(&set, &wanted("10.0.0.2", 80, "10.1.1.1")));
    }

    #[test]
    fn names_may_go_on_and_members_go() {
        let name = "eth".parse().unwrap();
        let member = SetMember {
            timeout: Some(10),
            ..SetMember::new(vec![net("10.0.0.0", 8), SetPart::Interface { name, wildcard: true }])
        };
        let set =
            IpSet::new(Some(Family::V4), vec![SetDimension::Address, SetDimension::Interface], vec![member]);
        let wanted = |name: &str| {
            [Wanted::Address("10.1.1.1".parse().unwrap()), Wanted::Interface(name.parse().unwrap())]
        };
        assert!(holds(&set, &wanted("eth0")) && !holds(&set, &wanted("wlan0")));
        assert_eq!(set.find(&wanted("eth0"), 10), Lookup::No);
        assert_eq!(set.find(&[wanted("eth0")[0], Wanted::Nothing], 0), Lookup::No);
        assert_eq!(set.find(&[wanted("eth0")[0], Wanted::Unknown], 0), Lookup::Unknown);
    }
}
