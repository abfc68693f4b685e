use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number_as;

/// Ports from the first to the last, both included; `:80` starts at 0 and `1024:` ends at 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: PortRange = PortRange { first: 0, last: u16::MAX };

    /// Whether a port lies in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// Reads a range whose ends stand around `separator`: `:` in matches, `-` in NAT.
    pub(crate) fn read_with(separator: char) -> impl Fn(&[u8]) -> IResult<&[u8], PortRange> {
        move |input| {
            let (rest, first) = opt(port).parse(input)?;
            match first {
                None => {
                    let (rest, last) = preceded(char(separator), opt(port)).parse(rest)?;
                    Ok((rest, PortRange { first: 0, last: last.unwrap_or(u16::MAX) }))
                }
                Some(first) => alt((
                    preceded(char(separator), port).map(move |last| PortRange { first, last }),
                    char(separator).map(move |_| PortRange { first, last: u16::MAX }),
                    nom::combinator::success(PortRange { first, last: first }),
                ))
                .parse(rest),
            }
        }
    }
}

/// A port by number, or by the name that a saved rule cannot have and a written one can.
fn port(input: &[u8]) -> IResult<&[u8], u16> {
    alt((number_as, service)).parse(input)
}

fn service(input: &[u8]) -> IResult<&[u8], u16> {
    map_opt(take_while1(|b: u8| b.is_ascii_alphanumeric() || b == b'-'), |name: &[u8]| {
        let known = SERVICES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        known.map(|(_, port)| *port)
    })
    .parse(input)
}

/// What rules are seen to name, out of the registry "Service Name and Transport Protocol Port Number".
const SERVICES: [(&str, u16); 48] = [
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("time", 37),
    ("whois", 43),
    ("tacacs", 49),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("finger", 79),
    ("http", 80),
    ("www", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("auth", 113),
    ("ident", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap", 143),
    ("imap2", 143),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("bgp", 179),
    ("irc", 194),
    ("ldap", 389),
    ("https", 443),
    ("microsoft-ds", 445),
    ("isakmp", 500),
    ("syslog", 514),
    ("printer", 515),
    ("submission", 587),
    ("ipp", 631),
    ("ldaps", 636),
    ("domain-s", 853),
    ("rsync", 873),
    ("imaps", 993),
    ("pop3s", 995),
    ("openvpn", 1194),
    ("mysql", 3306),
    ("postgresql", 5432),
    ("mdns", 5353),
];

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}:{}", self.first, self.last)
        }
    }
}

impl Value for PortRange {
    const EXPECTED: &'static str = "a port from 0 to 65535, or two as 1024:65535";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        PortRange::read_with(':')(input)
    }
}

impl Value for u16 {
    const EXPECTED: &'static str = "a number from 0 to 65535";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        number_as(input)
    }
}

impl Value for u32 {
    const EXPECTED: &'static str = "a number from 0 to 4294967295";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        number_as(input)
    }
}

impl Value for u8 {
    const EXPECTED: &'static str = "a number from 0 to 255";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        number_as(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::value;

    #[test]
    fn open_ends() {
        let read = |text: &str| value::<PortRange>(text.as_bytes()).map(|range| range.to_string());
        assert_eq!(read(":100").unwrap(), "0:100");
        assert_eq!(read("1024:").unwrap(), "1024:65535");
        assert_eq!(read("53:53").unwrap(), "53");
        assert!(read("65536").is_err());
        assert!(read("1,2").is_err());
        assert!(read("").is_err());
    }
}
