use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::NumberRange;
use crate::types::number::number_as;

extension! {
    /// `-m mh`: the type of a mobility header (kernel: `net/ipv6/netfilter/ip6t_mh.c`).
    MhMatch {
        /// `--mh-type`
        kind: negatable<MhTypes> = "--mh-type",
    }
}

/// Types of mobility headers (RFC 6275, 6.1), from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MhTypes(
    /// The range.
    pub NumberRange<u8>,
);

const NAMES: [(&str, &str, u8); 8] = [
    ("binding-refresh-request", "brr", 0),
    ("home-test-init", "hoti", 1),
    ("careof-test-init", "coti", 2),
    ("home-test", "hot", 3),
    ("careof-test", "cot", 4),
    ("binding-update", "bu", 5),
    ("binding-acknowledgement", "ba", 6),
    ("binding-error", "be", 7),
];

impl fmt::Display for MhTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Value for MhTypes {
    const EXPECTED: &'static str = "a type of mobility header by number or name, or two as 1:3";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let name = |input| {
            map_opt(take_while1(|b: u8| b.is_ascii_alphabetic() || b == b'-'), |name: &[u8]| {
                let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
                NAMES.iter().find(|(long, short, _)| is(long) || is(short)).map(|(_, _, kind)| *kind)
            })
            .parse(input)
        };
        let end = |input| alt((number_as, name)).parse(input);
        map_opt((opt(end), opt(preceded(char(':'), opt(end)))), |(first, last)| match (first, last) {
            (None, None) => None,
            (Some(first), None) => Some(MhTypes(NumberRange { first, last: first })),
            (first, Some(last)) => {
                Some(MhTypes(NumberRange { first: first.unwrap_or(0), last: last.unwrap_or(u8::MAX) }))
            }
        })
        .parse(input)
    }
}
