use std::fmt;

use nom::bytes::complete::take_while_m_n;
use nom::character::complete::char;
use nom::combinator::map_opt;
use nom::sequence::separated_pair;
use nom::{IResult, Parser};

use crate::syntax::Value;

extension! {
    /// `-j CLASSIFY`: sets the packet's class for traffic control (kernel: `net/netfilter/xt_CLASSIFY.c`).
    ClassifyTarget {
        /// `--set-class`
        class: value<TrafficClass> = "--set-class",
    }
    missing(this) this.class.is_none().then_some("--set-class");
}

/// A class of traffic control, both numbers hexadecimal in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrafficClass {
    /// Before the colon.
    pub major: u16,
    /// Behind it.
    pub minor: u16,
}

impl fmt::Display for TrafficClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.major, self.minor)
    }
}

impl Value for TrafficClass {
    const EXPECTED: &'static str = "a class MAJOR:MINOR in hexadecimal";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let part = |input| {
            map_opt(take_while_m_n(1, 4, |b: u8| b.is_ascii_hexdigit()), |digits| {
                u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
            })
            .parse(input)
        };
        separated_pair(part, char(':'), part).map(|(major, minor)| TrafficClass { major, minor }).parse(input)
    }
}
