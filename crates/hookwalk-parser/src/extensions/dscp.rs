use std::fmt;

use nom::combinator::verify;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number_as;

extension! {
    /// `-m dscp`: the upper six bits of the type-of-service byte (kernel: `net/netfilter/xt_dscp.c`).
    DscpMatch {
        /// `--dscp`, `--dscp-class`
        dscp: negatable<Dscp> = "--dscp" | "--dscp-class",
    }
    missing(this) this.dscp.is_none().then_some("--dscp");
}

/// A code point of differentiated services, 0 to 63 (RFC 2474).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dscp(
    /// The number.
    pub u8,
);

/// Classes of RFC 2474, 2597 and 3246.
const CLASSES: [(&str, u8); 22] = [
    ("CS0", 0x00),
    ("CS1", 0x08),
    ("CS2", 0x10),
    ("CS3", 0x18),
    ("CS4", 0x20),
    ("CS5", 0x28),
    ("CS6", 0x30),
    ("CS7", 0x38),
    ("BE", 0x00),
    ("AF11", 0x0a),
    ("AF12", 0x0c),
    ("AF13", 0x0e),
    ("AF21", 0x12),
    ("AF22", 0x14),
    ("AF23", 0x16),
    ("AF31", 0x1a),
    ("AF32", 0x1c),
    ("AF33", 0x1e),
    ("AF41", 0x22),
    ("AF42", 0x24),
    ("AF43", 0x26),
    ("EF", 0x2e),
];

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

impl Value for Dscp {
    const EXPECTED: &'static str = "a number from 0 to 63, or a class such as EF or AF11";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        if let Some((_, dscp)) = CLASSES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(input)) {
            return Ok((&[], Dscp(*dscp)));
        }
        verify(number_as, |dscp| *dscp < 64).map(Dscp).parse(input)
    }
}
