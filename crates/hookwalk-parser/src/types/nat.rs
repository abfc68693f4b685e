use std::fmt;
use std::net::IpAddr;

use nom::branch::alt;
use nom::character::complete::char;
use nom::combinator::{map_opt, opt};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::address::ip_address;
use crate::types::number::number_as;
use crate::types::{Family, PortRange};

/// Addresses from the first to the last, both included, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// The lowest address.
    pub first: IpAddr,
    /// The highest address.
    pub last: IpAddr,
}

impl AddressRange {
    /// Whether an address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first <= address && address <= self.last
    }

    fn read_range(input: &[u8]) -> IResult<&[u8], AddressRange> {
        map_opt((ip_address, opt(preceded(char('-'), ip_address))), |(first, last)| {
            let last = last.unwrap_or(first);
            (Family::of(first) == Family::of(last)).then_some(AddressRange { first, last })
        })
        .parse(input)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl Value for AddressRange {
    const EXPECTED: &'static str = "an address, or two as 10.0.0.1-10.0.0.9";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        Self::read_range(input)
    }
}

/// What DNAT or SNAT rewrites to: `ip[-ip][:port[-port[/base]]]`, IPv6 addresses in brackets when a
/// port follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct NatRange {
    /// The addresses to choose from; none keeps the packet's own.
    pub addresses: Option<AddressRange>,
    /// The ports to choose from; none keeps the packet's own.
    pub ports: Option<PortRange>,
    /// The port that becomes the first of the range, the next one the second, and so on.
    pub base_port: Option<u16>,
}

impl fmt::Display for NatRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.addresses, self.ports) {
            (Some(range), Some(_)) if range.first.is_ipv6() => write!(f, "[{range}]")?,
            (Some(range), _) => write!(f, "{range}")?,
            (None, _) => {}
        }
        if let Some(ports) = self.ports {
            write!(f, ":{}", ports.first)?;
            if ports.last != ports.first {
                write!(f, "-{}", ports.last)?;
            }
            if let Some(base) = self.base_port {
                write!(f, "/{base}")?;
            }
        }
        Ok(())
    }
}

impl Value for NatRange {
    const EXPECTED: &'static str =
        "a destination such as 10.0.0.5:53, 10.0.0.1-10.0.0.9, [fd00::5]:53 or :8080";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let bare_v6 = nom::combinator::verify(AddressRange::read_range, |range| range.first.is_ipv6());
        let v4 = nom::combinator::verify(AddressRange::read_range, |range| range.first.is_ipv4());
        let bracketed = delimited(char('['), AddressRange::read_range, char(']'));
        let (rest, addresses) = opt(alt((bracketed, v4, bare_v6))).parse(input)?;
        let (rest, ports) =
            opt(preceded(char(':'), (nat_ports, opt(preceded(char('/'), number_as))))).parse(rest)?;
        let (ports, base_port) = ports.map_or((None, None), |(ports, base)| (Some(ports), base));
        if addresses.is_none() && ports.is_none() {
            return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt)));
        }
        Ok((rest, NatRange { addresses, ports, base_port }))
    }
}

/// `p` or `p-q`, as NAT targets write it.
pub(crate) fn nat_ports(input: &[u8]) -> IResult<&[u8], PortRange> {
    let (rest, first) = number_as(input)?;
    let (rest, last) = opt(preceded(char('-'), number_as)).parse(rest)?;
    Ok((rest, PortRange { first, last: last.unwrap_or(first) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::value;

    #[test]
    fn every_written_form_prints_the_same() {
        for text in [
            "192.168.237.9:53",
            "10.0.0.5",
            "10.0.0.1-10.0.0.9",
            "10.0.0.1-10.0.0.9:80-90",
            "10.0.0.1:5000-5010/80",
            ":8080",
            "fd00::5",
            "[fd00::5]:53",
            "[fd00::5-fd00::9]:80-90",
            "fd00::5-fd00::9",
        ] {
            assert_eq!(value::<NatRange>(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["", "10.0.0.5:", "10.0.0.5:x", "10.0.0.5-fd00::1", "[fd00::5]:53x"] {
            assert!(value::<NatRange>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
