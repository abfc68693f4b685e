use std::fmt;

use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number_as;

extension! {
    /// `-m tos`: the type-of-service byte of IPv4, the traffic class of IPv6
    /// (kernel: `net/netfilter/xt_dscp.c`).
    TosMatch {
        /// `--tos`
        tos: negatable<TosMask> = "--tos",
    }
    missing(this) this.tos.is_none().then_some("--tos");
}

/// A type-of-service byte and the bits of it that count, as `0x10/0x3f`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TosMask {
    /// The bits wanted; not masked first.
    pub value: u8,
    /// The bits looked at.
    pub mask: u8,
}

/// Each stands for its value with the mask 0x3f.
const NAMES: [(&str, u8); 5] = [
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

impl fmt::Display for TosMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}/{:#04x}", self.value, self.mask)
    }
}

impl Value for TosMask {
    const EXPECTED: &'static str = "a byte such as 0x10 or 0x10/0x3f, or a name such as Minimize-Delay";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        if let Some((_, value)) = NAMES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(input)) {
            return Ok((&[], TosMask { value: *value, mask: 0x3f }));
        }
        (number_as, opt(preceded(char('/'), number_as)))
            .map(|(value, mask)| TosMask { value, mask: mask.unwrap_or(u8::MAX) })
            .parse(input)
    }
}
