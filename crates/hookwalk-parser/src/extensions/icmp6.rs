use std::fmt;

use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::choice::abbreviates;
use crate::types::Negatable;
use crate::types::number::number_as;

/// `-m icmp6`: type and code of an ICMPv6 header; the option is `--icmpv6-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Icmp6Match {
    /// `--icmpv6-type`
    pub icmp_type: Option<Negatable<Icmp6Type>>,
}

/// A type (RFC 4443), or a type with one code; IPv6 knows no `any`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp6Type {
    /// The type.
    pub icmp_type: u8,
    /// The code; none matches every code.
    pub code: Option<u8>,
}

impl Icmp6Type {
    /// Whether a header of this type and code matches.
    pub fn matches(self, icmp_type: u8, icmp_code: u8) -> bool {
        icmp_type == self.icmp_type && self.code.is_none_or(|code| code == icmp_code)
    }
}

/// The names that `ip6tables -p icmpv6 -h` lists.
const NAMES: &[(&str, u8, Option<u8>)] = &[
    ("destination-unreachable", 1, None),
    ("no-route", 1, Some(0)),
    ("communication-prohibited", 1, Some(1)),
    ("beyond-scope", 1, Some(2)),
    ("address-unreachable", 1, Some(3)),
    ("port-unreachable", 1, Some(4)),
    ("failed-policy", 1, Some(5)),
    ("reject-route", 1, Some(6)),
    ("packet-too-big", 2, None),
    ("time-exceeded", 3, None),
    ("ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", 3, Some(0)),
    ("ttl-zero-during-reassembly", 3, Some(1)),
    ("parameter-problem", 4, None),
    ("bad-header", 4, Some(0)),
    ("unknown-header-type", 4, Some(1)),
    ("unknown-option", 4, Some(2)),
    ("echo-request", 128, None),
    ("ping", 128, None),
    ("echo-reply", 129, None),
    ("pong", 129, None),
    ("mld-listener-query", 130, None),
    ("mld-listener-report", 131, None),
    ("mld-listener-done", 132, None),
    ("mld-listener-reduction", 132, None),
    ("router-solicitation", 133, None),
    ("router-advertisement", 134, None),
    ("neighbour-solicitation", 135, None),
    ("neighbor-solicitation", 135, None),
    ("neighbour-advertisement", 136, None),
    ("neighbor-advertisement", 136, None),
    ("redirect", 137, None),
];

impl fmt::Display for Icmp6Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            None => write!(f, "{}", self.icmp_type),
            Some(code) => write!(f, "{}/{code}", self.icmp_type),
        }
    }
}

impl Value for Icmp6Type {
    const EXPECTED: &'static str = "an ICMPv6 type such as 128, 1/4 or echo-request";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        // The start of one name alone.
        let mut named = NAMES.iter().filter(|(name, ..)| abbreviates(input, name));
        if let (Some((_, icmp_type, code)), None) = (named.next(), named.next()) {
            return Ok((&[], Icmp6Type { icmp_type: *icmp_type, code: *code }));
        }
        (number_as, opt(preceded(char('/'), number_as)))
            .map(|(icmp_type, code)| Icmp6Type { icmp_type, code })
            .parse(input)
    }
}

impl Extension for Icmp6Match {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--icmpv6-type" | b"--icmp6-type" => self.icmp_type = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable("--icmpv6-type", self.icmp_type.as_ref());
    }
}
