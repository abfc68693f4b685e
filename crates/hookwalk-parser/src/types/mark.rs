use std::fmt;

use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number_as;

/// A mark and the bits of it that count, as `0x4000/0x4000`.
///
/// As a match it holds when `(mark & self.mask) == self.value`; the value is not masked first, so
/// `0xa/0x0` never matches (kernel: `net/netfilter/xt_mark.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkMask {
    /// The bits wanted.
    pub value: u32,
    /// The bits looked at.
    pub mask: u32,
}

impl MarkMask {
    /// Whether a mark matches.
    pub const fn matches(self, mark: u32) -> bool {
        mark & self.mask == self.value
    }
}

/// `0xV` when all bits count, else `0xV/0xM`, as matches print it.
impl fmt::Display for MarkMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mask == u32::MAX {
            write!(f, "{:#x}", self.value)
        } else {
            write!(f, "{:#x}/{:#x}", self.value, self.mask)
        }
    }
}

impl Value for MarkMask {
    const EXPECTED: &'static str = "a mark such as 0x4000 or 0x4000/0x4000";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, value) = number_as(input)?;
        let (rest, mask) = opt(preceded(char('/'), number_as)).parse(rest)?;
        Ok((rest, MarkMask { value, mask: mask.unwrap_or(u32::MAX) }))
    }
}
