use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{all_consuming, map_opt, opt};
use nom::error::{Error, ErrorKind};
use nom::multi::separated_list1;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number_as;

/// The address family of a dump: `iptables` or `ip6tables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `iptables`
    V4,
    /// `ip6tables`
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// An address and the bits of it that count, which need not be a prefix.
///
/// A packet's address matches when it has the bits of `self.address` where `mask` is set. Bits outside
/// the mask are cleared on reading, as iptables does (`-s 10.1.2.3/8` is `10.0.0.0/8`); `conntrack`,
/// `policy` and `srh` keep them in their text, where they decide nothing.
///
/// ```
/// use hookwalk_parser::types::MaskedAddress;
/// let odd: MaskedAddress = "10.9.1.0/255.0.255.0".parse().unwrap();
/// assert!(odd.contains("10.77.1.200".parse().unwrap()));
/// assert_eq!(odd.to_string(), "10.0.1.0/255.0.255.0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaskedAddress {
    /// An IPv4 address and its mask.
    V4 {
        /// The address.
        address: Ipv4Addr,
        /// The bits that count.
        mask: Ipv4Addr,
    },
    /// An IPv6 address and its mask.
    V6 {
        /// The address.
        address: Ipv6Addr,
        /// The bits that count.
        mask: Ipv6Addr,
    },
}

impl MaskedAddress {
    /// One address, all bits of which count.
    pub fn host(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => MaskedAddress::V4 { address, mask: Ipv4Addr::BROADCAST },
            IpAddr::V6(address) => MaskedAddress::V6 { address, mask: Ipv6Addr::from_bits(u128::MAX) },
        }
    }

    /// An IPv4 address of which the bits in `mask` count.
    pub fn v4(address: Ipv4Addr, mask: Ipv4Addr) -> Self {
        MaskedAddress::V4 { address: Ipv4Addr::from_bits(address.to_bits() & mask.to_bits()), mask }
    }

    /// An IPv6 address of which the bits in `mask` count.
    pub fn v6(address: Ipv6Addr, mask: Ipv6Addr) -> Self {
        MaskedAddress::V6 { address: Ipv6Addr::from_bits(address.to_bits() & mask.to_bits()), mask }
    }

    /// Whether an address matches; one of the other family never does.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (*self, other) {
            (MaskedAddress::V4 { address, mask }, IpAddr::V4(other)) => {
                (other.to_bits() ^ address.to_bits()) & mask.to_bits() == 0
            }
            (MaskedAddress::V6 { address, mask }, IpAddr::V6(other)) => {
                (other.to_bits() ^ address.to_bits()) & mask.to_bits() == 0
            }
            _ => false,
        }
    }

    /// The address, as a rule prints it.
    pub fn address(&self) -> IpAddr {
        match *self {
            MaskedAddress::V4 { address, .. } => IpAddr::V4(address),
            MaskedAddress::V6 { address, .. } => IpAddr::V6(address),
        }
    }

    /// The family of the address.
    pub fn family(&self) -> Family {
        Family::of(self.address())
    }

    /// The prefix length, when the mask is one.
    pub fn prefix_len(&self) -> Option<u8> {
        let (ones, contiguous) = match *self {
            MaskedAddress::V4 { mask, .. } => {
                let bits = mask.to_bits();
                (bits.count_ones(), bits.leading_ones() == bits.count_ones())
            }
            MaskedAddress::V6 { mask, .. } => {
                let bits = mask.to_bits();
                (bits.count_ones(), bits.leading_ones() == bits.count_ones())
            }
        };
        if contiguous { u8::try_from(ones).ok() } else { None }
    }

    /// Whether every address of the family matches, as with `0.0.0.0/0`.
    pub fn is_any(&self) -> bool {
        self.prefix_len() == Some(0)
    }
}

impl MaskedAddress {
    /// Prints without `/32` or `/128` when every bit counts, as some options do.
    pub(crate) fn without_host_mask(self) -> HostOrMasked {
        HostOrMasked(self)
    }
}

/// See [`MaskedAddress::without_host_mask`].
#[derive(Clone, Copy)]
pub(crate) struct HostOrMasked(MaskedAddress);

impl fmt::Display for HostOrMasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == MaskedAddress::host(self.0.address()) { self.0.address().fmt(f) } else { self.0.fmt(f) }
    }
}

impl fmt::Display for MaskedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.prefix_len(), *self) {
            (Some(len), _) => write!(f, "{}/{len}", self.address()),
            (None, MaskedAddress::V4 { address, mask }) => write!(f, "{address}/{mask}"),
            (None, MaskedAddress::V6 { address, mask }) => write!(f, "{address}/{mask}"),
        }
    }
}

impl std::str::FromStr for MaskedAddress {
    type Err = crate::syntax::Expected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::syntax::value(text.as_bytes())
    }
}

impl Value for MaskedAddress {
    const EXPECTED: &'static str = "an address such as 10.0.0.0/8, 10.0.0.0/255.0.255.0 or fd00::/64";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, WithHostBits(read)) = WithHostBits::read(input)?;
        let masked = match read {
            MaskedAddress::V4 { address, mask } => MaskedAddress::v4(address, mask),
            MaskedAddress::V6 { address, mask } => MaskedAddress::v6(address, mask),
        };
        Ok((rest, masked))
    }
}

/// An address of an option that keeps the bits outside the mask.
pub(crate) struct WithHostBits(pub(crate) MaskedAddress);

impl Value for WithHostBits {
    const EXPECTED: &'static str = MaskedAddress::EXPECTED;

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, address) = alt((ip_address, short_v4_network.map(IpAddr::V4))).parse(input)?;
        match address {
            IpAddr::V4(address) => {
                let (rest, mask) = opt(preceded(char('/'), v4_mask)).parse(rest)?;
                let mask = mask.unwrap_or(Ipv4Addr::BROADCAST);
                Ok((rest, WithHostBits(MaskedAddress::V4 { address, mask })))
            }
            IpAddr::V6(address) => {
                let (rest, mask) = opt(preceded(char('/'), v6_mask)).parse(rest)?;
                let mask = mask.unwrap_or(Ipv6Addr::from_bits(u128::MAX));
                Ok((rest, WithHostBits(MaskedAddress::V6 { address, mask })))
            }
        }
    }
}

impl Value for IpAddr {
    const EXPECTED: &'static str = "an IPv4 or IPv6 address";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        ip_address(input)
    }
}

/// The mask in which every bit counts.
pub(crate) fn all_bits(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::BROADCAST.into(),
        Family::V6 => Ipv6Addr::from_bits(u128::MAX).into(),
    }
}

/// One address, without mask.
pub(crate) fn ip_address(input: &[u8]) -> IResult<&[u8], IpAddr> {
    alt((nom::combinator::map(v4_address, IpAddr::V4), nom::combinator::map(v6_address, IpAddr::V6)))
        .parse(input)
}

/// Four parts; not before a `:`, where an IPv6 address with a decimal group would be cut.
fn v4_address(input: &[u8]) -> IResult<&[u8], Ipv4Addr> {
    let refused = || nom::Err::Error(Error::new(input, ErrorKind::Digit));
    let mut octets = [0_u8; 4];
    let mut rest = input;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(b".").ok_or_else(refused)?;
        }
        (rest, *octet) = part(rest)?;
    }
    Ok((rest, Ipv4Addr::from(octets)))
}

/// One part of an address, as `inet_aton` reads it: with a `0` before it, it is octal.
fn part(input: &[u8]) -> IResult<&[u8], u8> {
    match input {
        [b'0', b'0'..=b'9' | b'x' | b'X', ..] => {
            let (rest, value) = number_as(input)?;
            // `09` would be read up to the `9`.
            let digits = input.get(..input.len() - rest.len()).unwrap_or_default();
            let is_octal = digits.iter().all(|digit| matches!(digit, b'0'..=b'7'));
            if is_octal || digits.get(1).is_some_and(|x| x.eq_ignore_ascii_case(&b'x')) {
                return Ok((rest, value));
            }
            Err(nom::Err::Error(Error::new(input, ErrorKind::OctDigit)))
        }
        _ => decimal(input).ok_or_else(|| nom::Err::Error(Error::new(input, ErrorKind::Digit))),
    }
}

/// By hand: every second word of a large dump is made of these.
fn decimal(input: &[u8]) -> Option<(&[u8], u8)> {
    let (mut octet, mut rest) = (0_u32, input);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        octet = octet * 10 + u32::from(digit - b'0');
        if octet > 255 {
            return None;
        }
        rest = behind;
    }
    Some((rest, u8::try_from(octet).ok()?)).filter(|_| rest.len() < input.len())
}

/// `10` or `192.168`: iptables fills up the parts that are not there, so that `10/8` is a network.
fn short_v4_network(input: &[u8]) -> IResult<&[u8], Ipv4Addr> {
    map_opt(separated_list1(char('.'), part), |parts| match *parts {
        [a] => Some(Ipv4Addr::new(a, 0, 0, 0)),
        [a, b] => Some(Ipv4Addr::new(a, b, 0, 0)),
        [a, b, c] => Some(Ipv4Addr::new(a, b, c, 0)),
        _ => None,
    })
    .parse(input)
}

fn v6_address(input: &[u8]) -> IResult<&[u8], Ipv6Addr> {
    map_opt(take_while1(|b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.'), |bytes| {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    })
    .parse(input)
}

fn v4_mask(input: &[u8]) -> IResult<&[u8], Ipv4Addr> {
    if input.contains(&b'.') {
        return v4_address(input);
    }
    map_opt(number_as::<u32>, |len| (len <= 32).then(|| v4_prefix(len))).parse(input)
}

fn v6_mask(input: &[u8]) -> IResult<&[u8], Ipv6Addr> {
    let prefix = map_opt(nom::character::complete::u32, |len| {
        (len <= 128).then(|| Ipv6Addr::from_bits(u128::MAX.checked_shl(128 - len).unwrap_or(0)))
    });
    alt((all_consuming(prefix), v6_address)).parse(input)
}

fn v4_prefix(len: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - len).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        text.parse::<MaskedAddress>().unwrap().to_string()
    }

    #[test]
    fn masks_print_as_iptables_save_prints_them() {
        for (given, saved) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("012.0x1.2.3", "10.1.2.3/32"),
            ("010/8", "8.0.0.0/8"),
            ("10.0.0.5/255.0.255.0", "10.0.0.0/255.0.255.0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00:10::5/64", "fd00:10::/64"),
            ("::1", "::1/128"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4/128"),
            ("fd00::5/ffff:0:ffff::", "fd00::/ffff:0:ffff::"),
            ("fd00::/ffff::", "fd00::/16"),
        ] {
            assert_eq!(printed(given), saved, "{given}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "10.0.0.0/33",
            "10.0.0.",
            "10.0.0.08",
            ".1",
            "300.1.1.1",
            "fd00::/129",
            "",
            "10.0.0.1/x",
            "1.2.3.4.5",
            "::1::2",
        ] {
            assert!(text.parse::<MaskedAddress>().is_err(), "{text}");
        }
    }
}
