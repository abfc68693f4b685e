use std::fmt;

use nom::branch::alt;
use nom::character::complete::char;
use nom::combinator::opt;
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
            let (rest, first) = opt(number_as).parse(input)?;
            match first {
                None => {
                    let (rest, last) = preceded(char(separator), opt(number_as)).parse(rest)?;
                    Ok((rest, PortRange { first: 0, last: last.unwrap_or(u16::MAX) }))
                }
                Some(first) => alt((
                    preceded(char(separator), number_as).map(move |last| PortRange { first, last }),
                    char(separator).map(move |_| PortRange { first, last: u16::MAX }),
                    nom::combinator::success(PortRange { first, last: first }),
                ))
                .parse(rest),
            }
        }
    }
}

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
