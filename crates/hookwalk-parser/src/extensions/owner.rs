use std::fmt;

use nom::character::complete::char;
use nom::combinator::opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::Negatable;
use crate::types::number::number_as;

/// `-m owner`: who owns the local socket that sends (kernel: `net/netfilter/xt_owner.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OwnerMatch {
    /// `--socket-exists`
    pub socket_exists: Option<Negatable<()>>,
    /// `--uid-owner`
    pub uid: Option<Negatable<IdRange>>,
    /// `--gid-owner`
    pub gid: Option<Negatable<IdRange>>,
    /// `--suppl-groups`: supplementary groups count for `--gid-owner`.
    pub suppl_groups: bool,
}

/// User or group ids from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The lowest id.
    pub first: u32,
    /// The highest id.
    pub last: u32,
}

impl IdRange {
    /// Whether an id lies in the range.
    pub const fn contains(self, id: u32) -> bool {
        self.first <= id && id <= self.last
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Value for IdRange {
    const EXPECTED: &'static str = "an id or two as 0-999; names of users are not in a saved dump";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let (rest, first) = number_as(input)?;
        let (rest, last) = opt(preceded(char('-'), number_as)).parse(rest)?;
        Ok((rest, IdRange { first, last: last.unwrap_or(first) }))
    }
}

impl Extension for OwnerMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--uid-owner" => self.uid = Some(option.negatable()?),
            b"--gid-owner" => self.gid = Some(option.negatable()?),
            b"--socket-exists" => self.socket_exists = Some(option.negatable_flag()),
            b"--suppl-groups" => self.suppl_groups = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable_flag("--socket-exists", self.socket_exists);
        out.negatable("--uid-owner", self.uid.as_ref());
        out.negatable("--gid-owner", self.gid.as_ref());
        out.flag("--suppl-groups", self.suppl_groups);
    }
}
