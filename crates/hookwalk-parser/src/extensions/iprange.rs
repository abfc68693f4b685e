use std::fmt;

use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::{AddressRange, Family};

extension! {
    /// `-m iprange`: addresses from one to another (kernel: `net/netfilter/xt_iprange.c`).
    IprangeMatch {
        /// `--src-range`
        source: negatable<PlainRange> = "--src-range",
        /// `--dst-range`
        destination: negatable<PlainRange> = "--dst-range",
    }
    missing(this) (this.source.is_none() && this.destination.is_none()).then_some("--src-range or --dst-range");
    family(this) this.source.or(this.destination).map(|range| Family::of(range.value.0.first));
}

/// Addresses that print as two, also when they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlainRange(
    /// The range.
    pub AddressRange,
);

impl fmt::Display for PlainRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.first, self.0.last)
    }
}

impl Value for PlainRange {
    const EXPECTED: &'static str = AddressRange::EXPECTED;

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        AddressRange::read.map(PlainRange).parse(input)
    }
}
