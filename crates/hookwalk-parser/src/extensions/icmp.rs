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

/// `-m icmp`: type and code of an ICMP header (kernel: `net/ipv4/netfilter/ip_tables.c`, `icmp_match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IcmpMatch {
    /// `--icmp-type`
    pub icmp_type: Option<Negatable<IcmpType>>,
}

/// A type, or a type with one code; `any` is every type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpType {
    /// `any`, kept in the kernel as type 255 with all codes.
    Any,
    /// A type, and a code where one is named.
    Type {
        /// The type (RFC 792).
        icmp_type: u8,
        /// The code; none matches every code.
        code: Option<u8>,
    },
}

impl IcmpType {
    /// Whether a header of this type and code matches.
    pub fn matches(self, icmp_type: u8, icmp_code: u8) -> bool {
        match self {
            IcmpType::Any => true,
            IcmpType::Type { icmp_type: wanted, code } => {
                icmp_type == wanted && code.is_none_or(|code| code == icmp_code)
            }
        }
    }
}

/// The names that `iptables -p icmp -h` lists.
const NAMES: &[(&str, u8, Option<u8>)] = &[
    ("echo-reply", 0, None),
    ("pong", 0, None),
    ("destination-unreachable", 3, None),
    ("network-unreachable", 3, Some(0)),
    ("host-unreachable", 3, Some(1)),
    ("protocol-unreachable", 3, Some(2)),
    ("port-unreachable", 3, Some(3)),
    ("fragmentation-needed", 3, Some(4)),
    ("source-route-failed", 3, Some(5)),
    ("network-unknown", 3, Some(6)),
    ("host-unknown", 3, Some(7)),
    ("network-prohibited", 3, Some(9)),
    ("host-prohibited", 3, Some(10)),
    ("TOS-network-unreachable", 3, Some(11)),
    ("TOS-host-unreachable", 3, Some(12)),
    ("communication-prohibited", 3, Some(13)),
    ("host-precedence-violation", 3, Some(14)),
    ("precedence-cutoff", 3, Some(15)),
    ("source-quench", 4, None),
    ("redirect", 5, None),
    ("network-redirect", 5, Some(0)),
    ("host-redirect", 5, Some(1)),
    ("TOS-network-redirect", 5, Some(2)),
    ("TOS-host-redirect", 5, Some(3)),
    ("echo-request", 8, None),
    ("ping", 8, None),
    ("router-advertisement", 9, None),
    ("router-solicitation", 10, None),
    ("time-exceeded", 11, None),
    ("ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", 11, Some(0)),
    ("ttl-zero-during-reassembly", 11, Some(1)),
    ("parameter-problem", 12, None),
    ("ip-header-bad", 12, Some(0)),
    ("required-option-missing", 12, Some(1)),
    ("timestamp-request", 13, None),
    ("timestamp-reply", 14, None),
    ("address-mask-request", 17, None),
    ("address-mask-reply", 18, None),
];

impl fmt::Display for IcmpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IcmpType::Any => f.write_str("any"),
            IcmpType::Type { icmp_type, code: None } => write!(f, "{icmp_type}"),
            IcmpType::Type { icmp_type, code: Some(code) } => write!(f, "{icmp_type}/{code}"),
        }
    }
}

impl Value for IcmpType {
    const EXPECTED: &'static str = "an ICMP type such as 8, 3/4 or echo-request";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        if input.eq_ignore_ascii_case(b"any") {
            return Ok((&[], IcmpType::Any));
        }
        // The start of one name alone.
        let mut named = NAMES.iter().filter(|(name, ..)| abbreviates(input, name));
        if let (Some((_, icmp_type, code)), None) = (named.next(), named.next()) {
            return Ok((&[], IcmpType::Type { icmp_type: *icmp_type, code: *code }));
        }
        let (rest, (icmp_type, code)) = (number_as, opt(preceded(char('/'), number_as))).parse(input)?;
        Ok((rest, match (icmp_type, code) {
            (u8::MAX, None | Some(u8::MAX)) => IcmpType::Any,
            _ => IcmpType::Type { icmp_type, code },
        }))
    }
}

impl Extension for IcmpMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--icmp-type" => self.icmp_type = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable("--icmp-type", self.icmp_type.as_ref());
    }
}
