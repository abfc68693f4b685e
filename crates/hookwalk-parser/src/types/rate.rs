use std::fmt;

use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number;

/// Packets in a time, kept as the kernel keeps it: the time of one packet, in ticks of which a second
/// has `TICKS`.
///
/// What is written need not print again: `300/sec` of 10,000 ticks is 33 ticks a packet, which is
/// `303/sec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate<const TICKS: u64> {
    /// Ticks from one packet to the next.
    pub period: u64,
}

/// Seconds of each unit, the longest first.
const UNITS: [(&str, u64); 4] = [("day", 86_400), ("hour", 3_600), ("min", 60), ("sec", 1)];

impl<const TICKS: u64> Rate<TICKS> {
    /// The shortest unit in which it comes out even, or the longest in which it is a rate at all, and
    /// its seconds.
    pub(crate) fn unit(self) -> (&'static str, u64) {
        let period = self.period.max(1);
        let mut chosen = ("day", 86_400);
        for (unit, seconds) in UNITS {
            let ticks = seconds * TICKS;
            if period > ticks || ticks / period < ticks % period {
                break;
            }
            chosen = (unit, seconds);
        }
        chosen
    }
}

impl<const TICKS: u64> fmt::Display for Rate<TICKS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, seconds) = self.unit();
        write!(f, "{}/{unit}", seconds * TICKS / self.period.max(1))
    }
}

/// The seconds of a unit, by its name or the start of one.
pub(crate) fn unit_seconds(unit: &[u8]) -> Option<u64> {
    let starts = |long: &str| {
        let long = long.as_bytes().get(..unit.len());
        long.is_some_and(|start| start.eq_ignore_ascii_case(unit))
    };
    let long = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)];
    long.into_iter().find(|(name, _)| starts(name)).map(|(_, seconds)| seconds)
}

impl<const TICKS: u64> Value for Rate<TICKS> {
    const EXPECTED: &'static str = "a rate such as 5/sec, 10/minute, 3/hour or 1/day";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let unit = map_opt(take_while1(|b: u8| b.is_ascii_alphabetic()), unit_seconds);
        map_opt((number, opt(preceded(char('/'), unit))), |(count, seconds)| {
            let period = (seconds.unwrap_or(1) * TICKS).checked_div(count)?;
            (period > 0).then_some(Rate { period })
        })
        .parse(input)
    }
}
