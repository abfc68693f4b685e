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
    /// `--ctevents`, as written
    pub ctevents: Option<Text>,
    /// `--expevents`, as written
    pub expevents: Option<Text>,
    /// `--zone`
    pub zone: Option<ConntrackZone>,
    /// `--zone-orig`
    pub zone_orig: Option<ConntrackZone>,
    /// `--zone-reply`
    pub zone_reply: Option<ConntrackZone>,
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
            b"--ctevents" => self.ctevents = Some(option.text()?),
            b"--expevents" => self.expevents = Some(option.text()?),
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
        out.raw("--ctevents", self.ctevents.as_ref());
        out.raw("--expevents", self.expevents.as_ref());
        out.value("--zone", self.zone.filter(|zone| *zone != ConntrackZone::Id(0)));
        out.value("--zone-orig", self.zone_orig);
        out.value("--zone-reply", self.zone_reply);
    }
}
