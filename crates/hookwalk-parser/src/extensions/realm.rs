use std::fmt;

use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::{OptionValue, Value};
use crate::types::Text;
use crate::types::number::number_as;

extension! {
    /// `-m realm`: the realm of the route to the destination (kernel: `net/netfilter/xt_realm.c`).
    RealmMatch {
        /// `--realm`
        realm: group = "--realm",
    }
    missing(this) this.realm.is_none().then_some("--realm");
}

/// A number and the bits of it that count, or a name that the host's files give a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupMask {
    /// By number; holds when `(number & mask) == value`.
    Number {
        /// The bits wanted.
        value: u32,
        /// The bits looked at.
        mask: u32,
    },
    /// By name, which only the host can translate.
    Name(Text),
}

impl GroupMask {
    /// As it is printed: a name need not be UTF-8.
    pub(crate) fn written(&self) -> OptionValue {
        match self {
            GroupMask::Name(name) => OptionValue::Raw(name.clone()),
            GroupMask::Number { .. } => OptionValue::Bare(self.to_string()),
        }
    }
}

impl fmt::Display for GroupMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupMask::Number { value, mask: u32::MAX } => write!(f, "{value:#x}"),
            GroupMask::Number { value, mask } => write!(f, "{value:#x}/{mask:#x}"),
            GroupMask::Name(name) => name.fmt(f),
        }
    }
}

impl Value for GroupMask {
    const EXPECTED: &'static str = "a number such as 0x10 or 0x10/0xff, or a name";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        if input.first().is_some_and(|first| !first.is_ascii_digit()) {
            return Ok((&[], GroupMask::Name(Text::from(input))));
        }
        (number_as, opt(preceded(char('/'), number_as)))
            .map(|(value, mask)| GroupMask::Number { value, mask: mask.unwrap_or(u32::MAX) })
            .parse(input)
    }
}
