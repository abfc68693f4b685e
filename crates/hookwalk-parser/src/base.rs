use std::fmt;
use std::net::Ipv4Addr;

use crate::extensions::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionText, OptionWriter};
use crate::types::{InterfacePattern, MaskedAddress, Negatable, Protocol};

/// The options every rule may have without `-m` (man iptables, PARAMETERS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BaseMatches {
    /// `-s`
    pub source: Option<Negatable<MaskedAddress>>,
    /// `-d`
    pub destination: Option<Negatable<MaskedAddress>>,
    /// `-i`
    pub in_interface: Option<Negatable<InterfacePattern>>,
    /// `-o`
    pub out_interface: Option<Negatable<InterfacePattern>>,
    /// `-p`; none for `-p all`
    pub protocol: Option<Negatable<Protocol>>,
    /// `-f`: second and later fragments, IPv4 only
    pub fragment: Option<Negatable<()>>,
}

impl BaseMatches {
    /// The options as iptables-save prints them.
    pub fn options(&self) -> Vec<OptionText> {
        let mut out = OptionWriter::default();
        self.write(&mut out);
        out.into_options()
    }
}

impl Extension for BaseMatches {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"-s" | b"--source" | b"--src" => self.source = Some(option.negatable()?),
            b"-d" | b"--destination" | b"--dst" => self.destination = Some(option.negatable()?),
            b"-i" | b"--in-interface" => self.in_interface = Some(option.negatable()?),
            b"-o" | b"--out-interface" => self.out_interface = Some(option.negatable()?),
            b"-p" | b"--protocol" | b"--proto" => {
                let protocol = option.negatable::<Protocol>()?;
                match (protocol.value, protocol.negated) {
                    (Protocol::ANY, false) => self.protocol = None,
                    (Protocol::ANY, true) => {
                        return option.expected("a protocol: `! -p all` matches nothing");
                    }
                    _ => self.protocol = Some(protocol),
                }
            }
            b"-f" | b"--fragment" => self.fragment = Some(option.negatable_flag()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        // A plain "any" prints as nothing; `! -s 0.0.0.0/0` matches no packet and must print.
        let told =
            |address: Option<Negatable<MaskedAddress>>| address.filter(|a| a.negated || !a.value.is_any());
        out.negatable("-s", told(self.source).as_ref());
        out.negatable("-d", told(self.destination).as_ref());
        let any =
            |i: &Negatable<InterfacePattern>| !i.negated && i.value.is_prefix() && i.value.name().is_empty();
        out.interface("-i", self.in_interface.filter(|i| !any(i)).as_ref());
        out.interface("-o", self.out_interface.filter(|i| !any(i)).as_ref());
        out.negatable("-p", self.protocol.as_ref());
        out.negatable_flag("-f", self.fragment);
    }
}

/// [`BaseMatches`] as a rule keeps them: in 16 bytes where there are only IPv4 prefixes and a protocol, as in most
/// rules of a large dump, and apart from the rule else.
///
/// ```
/// let dump = hookwalk_parser::parse("*nat\n-A PREROUTING -d 10.96.0.10 -p udp -j ACCEPT\nCOMMIT\n");
/// let rule = &dump.tables()[0].chains[0].rules[0];
/// assert_eq!(rule.base.destination().unwrap().value.to_string(), "10.96.0.10/32");
/// assert_eq!(rule.base.source(), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PackedBase(Repr);

/// Equal options have equal forms: what fits is narrow.
#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Narrow(Narrow),
    Wide(Box<BaseMatches>),
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Narrow {
    source: Prefix,
    destination: Prefix,
    protocol: u8,
    /// Which of `-s`, `-d`, `-p` and `-f` are there, and four bits above, which of them stand behind `!`.
    told: u8,
}

/// An IPv4 address and how many of its first bits count.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Prefix {
    address: [u8; 4],
    len: u8,
}

impl Narrow {
    const SOURCE: u8 = 1;
    const DESTINATION: u8 = 2;
    const PROTOCOL: u8 = 4;
    const FRAGMENT: u8 = 8;
    const NEGATED: u8 = 4;

    /// The options, unless one of them takes more room.
    fn of(base: &BaseMatches) -> Option<Self> {
        if base.in_interface.is_some() || base.out_interface.is_some() {
            return None;
        }
        let mut narrow = Narrow::default();
        narrow.source = narrow.put(Self::SOURCE, base.source, Prefix::of)?;
        narrow.destination = narrow.put(Self::DESTINATION, base.destination, Prefix::of)?;
        narrow.protocol = narrow.put(Self::PROTOCOL, base.protocol, |protocol| Some(protocol.0))?;
        narrow.put(Self::FRAGMENT, base.fragment, Some)?;
        Some(narrow)
    }

    fn put<T, P: Default>(
        &mut self,
        bit: u8,
        option: Option<Negatable<T>>,
        pack: impl FnOnce(T) -> Option<P>,
    ) -> Option<P> {
        let Some(option) = option else { return Some(P::default()) };
        self.told |= bit | if option.negated { bit << Self::NEGATED } else { 0 };
        pack(option.value)
    }

    fn get<T>(&self, bit: u8, value: T) -> Option<Negatable<T>> {
        let negated = self.told & bit << Self::NEGATED != 0;
        (self.told & bit != 0).then_some(Negatable { negated, value })
    }
}

impl Prefix {
    fn of(address: MaskedAddress) -> Option<Self> {
        let MaskedAddress::V4 { address: bits, .. } = address else { return None };
        let prefix = Prefix { address: bits.octets(), len: address.prefix_len()? };
        // Bits behind the mask, which only a value put together by hand has, are kept too.
        (prefix.unpack() == address).then_some(prefix)
    }

    fn unpack(self) -> MaskedAddress {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.len)).unwrap_or(0);
        MaskedAddress::v4(Ipv4Addr::from(self.address), Ipv4Addr::from_bits(mask))
    }
}

impl PackedBase {
    /// `-s`
    pub fn source(&self) -> Option<Negatable<MaskedAddress>> {
        match &self.0 {
            Repr::Narrow(narrow) => narrow.get(Narrow::SOURCE, narrow.source.unpack()),
            Repr::Wide(base) => base.source,
        }
    }

    /// `-d`
    pub fn destination(&self) -> Option<Negatable<MaskedAddress>> {
        match &self.0 {
            Repr::Narrow(narrow) => narrow.get(Narrow::DESTINATION, narrow.destination.unpack()),
            Repr::Wide(base) => base.destination,
        }
    }

    /// `-i`
    pub fn in_interface(&self) -> Option<Negatable<InterfacePattern>> {
        self.wide().and_then(|base| base.in_interface)
    }

    /// `-o`
    pub fn out_interface(&self) -> Option<Negatable<InterfacePattern>> {
        self.wide().and_then(|base| base.out_interface)
    }

    /// `-p`; none for `-p all`
    pub fn protocol(&self) -> Option<Negatable<Protocol>> {
        match &self.0 {
            Repr::Narrow(narrow) => narrow.get(Narrow::PROTOCOL, Protocol(narrow.protocol)),
            Repr::Wide(base) => base.protocol,
        }
    }

    /// `-f`: second and later fragments, IPv4 only
    pub fn fragment(&self) -> Option<Negatable<()>> {
        match &self.0 {
            Repr::Narrow(narrow) => narrow.get(Narrow::FRAGMENT, ()),
            Repr::Wide(base) => base.fragment,
        }
    }

    /// Whether there is none of these options.
    pub fn is_empty(&self) -> bool {
        self.0 == Repr::Narrow(Narrow::default())
    }

    /// All of the options.
    pub fn unpack(&self) -> BaseMatches {
        match &self.0 {
            Repr::Narrow(_) => BaseMatches {
                source: self.source(),
                destination: self.destination(),
                in_interface: None,
                out_interface: None,
                protocol: self.protocol(),
                fragment: self.fragment(),
            },
            Repr::Wide(base) => **base,
        }
    }

    /// The options as iptables-save prints them.
    pub fn options(&self) -> Vec<OptionText> {
        self.unpack().options()
    }

    fn wide(&self) -> Option<&BaseMatches> {
        match &self.0 {
            Repr::Narrow(_) => None,
            Repr::Wide(base) => Some(base),
        }
    }
}

impl From<BaseMatches> for PackedBase {
    fn from(base: BaseMatches) -> Self {
        PackedBase(Narrow::of(&base).map_or_else(|| Repr::Wide(Box::new(base)), Repr::Narrow))
    }
}

impl fmt::Debug for PackedBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpack().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T: Copy>(value: T) -> impl Iterator<Item = Option<Negatable<T>>> + Clone {
        [None, Some(Negatable::plain(value)), Some(Negatable { negated: true, value })].into_iter()
    }

    #[test]
    fn what_is_packed_comes_back() {
        let addresses =
            ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "10.0.1.0/255.0.255.0", "fd00::/8", "::/0"];
        let by_hand = MaskedAddress::V4 { address: [10, 1, 2, 3].into(), mask: [255, 0, 0, 0].into() };
        let addresses: Vec<MaskedAddress> =
            addresses.iter().map(|text| text.parse().expect("an address")).chain([by_hand]).collect();
        let interface = "cali+".parse().expect("an interface");
        let pairs = addresses.iter().flat_map(|s| addresses.iter().map(move |d| (*s, *d)));
        let mut narrow = 0;
        for (source, destination) in
            pairs.flat_map(|(s, d)| told(s).flat_map(move |s| told(d).map(move |d| (s, d))))
        {
            for (in_interface, (protocol, fragment)) in told(interface)
                .flat_map(|i| told(Protocol::ANY).flat_map(move |p| told(()).map(move |f| (i, (p, f)))))
            {
                let out_interface = in_interface.filter(|i| i.negated);
                let base =
                    BaseMatches { source, destination, in_interface, out_interface, protocol, fragment };
                let packed = PackedBase::from(base);
                assert_eq!(packed.unpack(), base);
                assert_eq!((packed.source(), packed.destination()), (source, destination));
                assert_eq!((packed.in_interface(), packed.out_interface()), (in_interface, out_interface));
                assert_eq!((packed.protocol(), packed.fragment()), (protocol, fragment));
                assert_eq!(packed.is_empty(), base == BaseMatches::default());
                narrow += usize::from(matches!(packed.0, Repr::Narrow(_)));
            }
        }
        // Three of the seven addresses are IPv4 prefixes, which fit with and without `!`; no option fits always.
        let ends = 3 * 3 + 4;
        assert_eq!(narrow, ends * ends * 3 * 3);
        assert_eq!(size_of::<PackedBase>(), 16);
    }
}
