use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::Text;
use crate::types::number::number_as;

/// `-j CT`: decides how a packet is tracked, before tracking; raw table only
/// (kernel: `net/netfilter/xt_CT.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CtTarget {
    /// `--notrack`: belongs to no connection from here on.
    pub notrack: bool,
    /// `--helper`
    pub helper: Option<Text>,
    /// `--timeout`: a policy by name
    pub timeout: Option<Text>,
    /// `--ctevents`: what of a connection is told to listeners
    pub ctevents: Option<ConntrackEvents>,
    /// `--expevents`: what of expected connections is told to listeners
    pub expevents: Option<ExpectationEvents>,
    /// `--zone`
    pub zone: Option<ConntrackZone>,
    /// `--zone-orig`
    pub zone_orig: Option<ConntrackZone>,
    /// `--zone-reply`
    pub zone_reply: Option<ConntrackZone>,
}

/// Events of a connection, bits as the kernel numbers them (enum `ip_conntrack_events`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConntrackEvents(
    /// `IPCT_NEW` is bit 0, `IPCT_RELATED` 1, `IPCT_DESTROY` 2 and so on.
    pub u16,
);

impl ConntrackEvents {
    const NAMES: [&'static str; 10] = [
        "new", "related", "destroy", "reply", "assured", "protoinfo", "helper", "mark", "natseqinfo", "secmark",
    ];
}

impl fmt::Display for ConntrackEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_events(&Self::NAMES, self.0, f)
    }
}

impl Value for ConntrackEvents {
    const EXPECTED: &'static str = "a list of events such as new,related,destroy";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        read_events(&Self::NAMES, input).map(|(rest, bits)| (rest, ConntrackEvents(bits)))
    }
}

/// Events of expected connections, bits as the kernel numbers them (enum `ip_conntrack_expect_events`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ExpectationEvents(
    /// `IPEXP_NEW` is bit 0.
    pub u16,
);

impl ExpectationEvents {
    const NAMES: [&'static str; 1] = ["new"];
}

impl fmt::Display for ExpectationEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_events(&Self::NAMES, self.0, f)
    }
}

impl Value for ExpectationEvents {
    const EXPECTED: &'static str = "the event new";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        read_events(&Self::NAMES, input).map(|(rest, bits)| (rest, ExpectationEvents(bits)))
    }
}

fn write_events(names: &[&str], bits: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "";
    for (bit, name) in names.iter().enumerate() {
        if bits & 1 << bit != 0 {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
    }
    Ok(())
}

fn read_events<'l>(names: &[&str], input: &'l [u8]) -> IResult<&'l [u8], u16> {
    let bits = input.split(|&b| b == b',').try_fold(0, |bits, name| {
        names.iter().position(|known| known.as_bytes() == name).map(|bit| bits | 1 << bit)
    });
    match bits {
        Some(bits) => Ok((&[], bits)),
        None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
    }
}

/// A conntrack zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConntrackZone {
    /// By number.
    Id(u16),
    /// The packet's mark.
    Mark,
}

impl fmt::Display for ConntrackZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConntrackZone::Id(id) => id.fmt(f),
            ConntrackZone::Mark => f.write_str("mark"),
        }
    }
}

impl Value for ConntrackZone {
    const EXPECTED: &'static str = "a zone from 0 to 65535, or mark";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        match input {
            b"mark" => Ok((&[], ConntrackZone::Mark)),
            _ => number_as(input).map(|(rest, id)| (rest, ConntrackZone::Id(id))),
        }
    }
}

impl Extension for CtTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--notrack" => self.notrack = option.flag()?,
            b"--helper" => self.helper = Some(option.text()?),
            b"--timeout" => self.timeout = Some(option.text()?),
            b"--ctevents" => self.ctevents = Some(option.value()?),
            b"--expevents" => self.expevents = Some(option.value()?),
            b"--zone" => self.zone = Some(option.value()?),
            b"--zone-orig" => self.zone_orig = Some(option.value()?),
            b"--zone-reply" => self.zone_reply = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.flag("--notrack", self.notrack);
        out.raw("--helper", self.helper.as_ref());
        out.raw("--timeout", self.timeout.as_ref());
        out.value("--ctevents", self.ctevents);
        out.value("--expevents", self.expevents);
        match (self.zone_orig, self.zone_reply) {
            (Some(original), reply) if reply == self.zone_orig => out.value("--zone", Some(original)),
            (original, reply) => {
                out.value("--zone", self.zone.filter(|zone| *zone != ConntrackZone::Id(0)));
                out.value("--zone-orig", original);
                out.value("--zone-reply", reply);
            }
        }
    }
}
