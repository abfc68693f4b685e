use std::fmt;

use nom::character::complete::char;
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser};

use crate::PackedBase;
use crate::extensions::{Match, Target, UnknownPart};
use crate::syntax::Value;
use crate::types::number::number;

/// Where something stands in a dump: bytes from its start, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

/// Packets and bytes counted, as `[packets:bytes]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.packets, self.bytes)
    }
}

impl Value for Counters {
    const EXPECTED: &'static str = "counters such as [0:0]";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        delimited(char('['), separated_pair(number, char(':'), number), char(']'))
            .map(|(packets, bytes)| Counters { packets, bytes })
            .parse(input)
    }
}

/// One rule of a chain. Its chain is the [`Chain`](crate::Chain) that holds it, its number in the
/// chain is its index there plus one.
///
/// A packet matches when `base` and every one of `matches` hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The line of the dump, from 1; rules made of one address list share theirs.
    pub line: u32,
    /// The line's bytes, without its end.
    pub span: Span,
    /// `[packets:bytes]` before the rule, where the dump has them.
    pub counters: Option<Counters>,
    /// The options that need no `-m`.
    pub base: PackedBase,
    /// The matches in the order written.
    pub matches: Vec<Match>,
    /// What happens to a packet that matches.
    pub target: Target,
}

impl Rule {
    /// The parts of the rule that were not understood.
    pub fn unknown_parts(&self) -> impl Iterator<Item = &UnknownPart> {
        let target = match &self.target {
            Target::Unknown(part) => Some(&**part),
            _ => None,
        };
        let matches = self.matches.iter().filter_map(|m| match m {
            Match::Unknown(part) => Some(&**part),
            _ => None,
        });
        matches.chain(target)
    }

    /// The text of the rule's comments, in order.
    pub fn comments(&self) -> impl Iterator<Item = &crate::types::Text> {
        self.matches.iter().filter_map(|m| match m {
            Match::Comment(comment) => comment.comment.as_ref(),
            _ => None,
        })
    }
}
