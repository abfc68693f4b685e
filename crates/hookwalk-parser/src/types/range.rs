use std::fmt;

use nom::character::complete::char;
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number;

/// A number that a range can be made of.
pub trait RangeNumber: Copy + Ord + fmt::Display {
    /// 0, where `:9` starts.
    const LEAST: Self;
    /// The highest number, where `9:` ends.
    const MOST: Self;

    /// The number, when it fits.
    fn fit(number: u64) -> Option<Self>;
}

macro_rules! range_numbers {
    ($($number:ty),*) => { $(
        impl RangeNumber for $number {
            const LEAST: Self = 0;
            const MOST: Self = <$number>::MAX;

            fn fit(number: u64) -> Option<Self> {
                <$number>::try_from(number).ok()
            }
        }
    )* };
}

range_numbers!(u8, u16, u32, u64);

/// Numbers from the first to the last, both included: `5`, `5:9`, `:9`, `5:`.
///
/// ```
/// use hookwalk_parser::types::NumberRange;
/// let range: NumberRange<u16> = "100:".parse().unwrap();
/// assert!(range.contains(1500));
/// assert_eq!(range.to_string(), "100:65535");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberRange<T> {
    /// The lowest number.
    pub first: T,
    /// The highest number.
    pub last: T,
}

impl<T: RangeNumber> NumberRange<T> {
    /// Whether a number lies in the range.
    pub fn contains(self, number: T) -> bool {
        self.first <= number && number <= self.last
    }

    /// Whether every number does.
    pub fn is_all(self) -> bool {
        self.first == T::LEAST && self.last == T::MOST
    }
}

impl<T: RangeNumber> fmt::Display for NumberRange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}:{}", self.first, self.last) }
    }
}

impl<T: RangeNumber> std::str::FromStr for NumberRange<T> {
    type Err = crate::syntax::Expected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::syntax::value(text.as_bytes())
    }
}

impl<T: RangeNumber> Value for NumberRange<T> {
    const EXPECTED: &'static str = "a number in its range, or two as 5:9";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let end = |input| map_opt(number, T::fit).parse(input);
        map_opt((opt(end), opt(preceded(char(':'), opt(end)))), |(first, last)| match (first, last) {
            (None, None) => None,
            (Some(first), None) => Some(NumberRange { first, last: first }),
            (first, Some(last)) => {
                Some(NumberRange { first: first.unwrap_or(T::LEAST), last: last.unwrap_or(T::MOST) })
            }
        })
        .parse(input)
    }
}
