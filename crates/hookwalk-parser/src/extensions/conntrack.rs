use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::char;
use nom::combinator::{map_opt, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::choice::abbreviates;
use crate::types::number::number_as;
use crate::types::{ConnStates, Family, MaskedAddress, Negatable, PortRange, Protocol};

/// `-m conntrack`: the packet's connection. Every option has its own `!`, all of them must hold
/// (kernel: `net/netfilter/xt_conntrack.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConntrackMatch {
    /// `--ctstate`
    pub ctstate: Option<Negatable<ConnStates>>,
    /// `--ctproto`
    pub ctproto: Option<Negatable<Protocol>>,
    /// `--ctorigsrc`
    pub ctorigsrc: Option<Negatable<MaskedAddress>>,
    /// `--ctorigdst`
    pub ctorigdst: Option<Negatable<MaskedAddress>>,
    /// `--ctreplsrc`
    pub ctreplsrc: Option<Negatable<MaskedAddress>>,
    /// `--ctrepldst`
    pub ctrepldst: Option<Negatable<MaskedAddress>>,
    /// `--ctorigsrcport`
    pub ctorigsrcport: Option<Negatable<PortRange>>,
    /// `--ctorigdstport`
    pub ctorigdstport: Option<Negatable<PortRange>>,
    /// `--ctreplsrcport`
    pub ctreplsrcport: Option<Negatable<PortRange>>,
    /// `--ctrepldstport`
    pub ctrepldstport: Option<Negatable<PortRange>>,
    /// `--ctstatus`
    pub ctstatus: Option<Negatable<ConnStatus>>,
    /// `--ctexpire`, in seconds
    pub ctexpire: Option<Negatable<ExpireRange>>,
    /// `--ctdir`
    pub ctdir: Option<Direction>,
}

/// `--ctdir`: which way of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The way of the first packet.
    Original,
    /// The way of the answers.
    Reply,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Original => "ORIGINAL",
            Direction::Reply => "REPLY",
        })
    }
}

impl Value for Direction {
    const EXPECTED: &'static str = "ORIGINAL or REPLY";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        alt((
            tag_no_case("ORIGINAL").map(|_| Direction::Original),
            tag_no_case("REPLY").map(|_| Direction::Reply),
        ))
        .parse(input)
    }
}

/// The list of `--ctstatus`, bits as the kernel numbers them (enum `ip_conntrack_status`); none is `NONE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConnStatus(
    /// `IPS_EXPECTED` is bit 0, `IPS_SEEN_REPLY` 1, `IPS_ASSURED` 2, `IPS_CONFIRMED` 3.
    pub u8,
);

impl ConnStatus {
    const NAMES: [(&'static str, u8); 5] =
        [("NONE", 0), ("EXPECTED", 1), ("SEEN_REPLY", 2), ("ASSURED", 4), ("CONFIRMED", 8)];
}

impl fmt::Display for ConnStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("NONE");
        }
        let mut separator = "";
        for (name, bit) in Self::NAMES {
            if self.0 & bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl Value for ConnStatus {
    const EXPECTED: &'static str = "a list out of NONE, EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let bits = input.split(|&b| b == b',').try_fold(0, |bits, name| {
            let known = Self::NAMES.iter().find(|(known, _)| abbreviates(name, known));
            known.map(|(_, bit)| bits | bit)
        });
        match bits {
            Some(bits) => Ok((&[], ConnStatus(bits))),
            None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}

/// `--ctexpire n[:m]`: seconds left of the connection's lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpireRange {
    /// The fewest seconds.
    pub first: u32,
    /// The most seconds.
    pub last: u32,
}

impl fmt::Display for ExpireRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}:{}", self.first, self.last) }
    }
}

impl Value for ExpireRange {
    const EXPECTED: &'static str = "seconds, or two numbers as 10:60";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        map_opt((opt(number_as), opt(preceded(char(':'), opt(number_as)))), |(first, last)| match (first, last) {
            (None, None) => None,
            (Some(first), None) => Some(ExpireRange { first, last: first }),
            (first, Some(last)) => {
                Some(ExpireRange { first: first.unwrap_or(0), last: last.unwrap_or(u32::MAX) })
            }
        })
        .parse(input)
    }
}

impl Extension for ConntrackMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--ctstate" => self.ctstate = Some(option.negatable()?),
            b"--ctproto" => self.ctproto = Some(option.negatable()?),
            b"--ctorigsrc" => self.ctorigsrc = Some(option.negatable_address()?),
            b"--ctorigdst" => self.ctorigdst = Some(option.negatable_address()?),
            b"--ctreplsrc" => self.ctreplsrc = Some(option.negatable_address()?),
            b"--ctrepldst" => self.ctrepldst = Some(option.negatable_address()?),
            b"--ctorigsrcport" => self.ctorigsrcport = Some(option.negatable()?),
            b"--ctorigdstport" => self.ctorigdstport = Some(option.negatable()?),
            b"--ctreplsrcport" => self.ctreplsrcport = Some(option.negatable()?),
            b"--ctrepldstport" => self.ctrepldstport = Some(option.negatable()?),
            b"--ctstatus" => self.ctstatus = Some(option.negatable()?),
            b"--ctexpire" => self.ctexpire = Some(option.negatable()?),
            b"--ctdir" => {
                let direction = option.negatable::<Direction>()?;
                self.ctdir = Some(match (direction.negated, direction.value) {
                    (false, Direction::Original) | (true, Direction::Reply) => Direction::Original,
                    _ => Direction::Reply,
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let tuple_address = |address: Option<Negatable<MaskedAddress>>| {
            address.map(|a| Negatable { negated: a.negated, value: a.value.without_host_mask() })
        };
        out.negatable("--ctstate", self.ctstate.as_ref());
        out.negatable("--ctproto", self.ctproto.map(|p| Negatable { negated: p.negated, value: p.value.0 }).as_ref());
        out.negatable("--ctorigsrc", tuple_address(self.ctorigsrc).as_ref());
        out.negatable("--ctorigdst", tuple_address(self.ctorigdst).as_ref());
        out.negatable("--ctreplsrc", tuple_address(self.ctreplsrc).as_ref());
        out.negatable("--ctrepldst", tuple_address(self.ctrepldst).as_ref());
        out.negatable("--ctorigsrcport", self.ctorigsrcport.as_ref());
        out.negatable("--ctorigdstport", self.ctorigdstport.as_ref());
        out.negatable("--ctreplsrcport", self.ctreplsrcport.as_ref());
        out.negatable("--ctrepldstport", self.ctrepldstport.as_ref());
        out.negatable("--ctstatus", self.ctstatus.as_ref());
        out.negatable("--ctexpire", self.ctexpire.as_ref());
        out.value("--ctdir", self.ctdir);
    }

    fn family(&self) -> Option<Family> {
        let addresses = [self.ctorigsrc, self.ctorigdst, self.ctreplsrc, self.ctrepldst];
        addresses.into_iter().flatten().map(|address| address.value.family()).next()
    }
}
