use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value, value};
use crate::types::{Negatable, Text};

/// `-m rateest`: compares running estimates of rates (kernel: `net/netfilter/xt_rateest.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RateestMatch {
    /// `--rateest`, `--rateest1`: the estimator, by name
    pub first: Option<Text>,
    /// `--rateest2`: compared with another estimator
    pub second: Option<Text>,
    /// `--rateest-delta`: the rate is what is left of its own limit
    pub delta: bool,
    /// `--rateest-lt`, `--rateest-gt`, `--rateest-eq`
    pub comparison: Option<Negatable<RateComparison>>,
    /// `--rateest-bps`, `--rateest-bps1`: bytes count; with a number, compared with it
    pub bytes: Option<Option<BitRate>>,
    /// `--rateest-bps2`
    pub bytes2: Option<BitRate>,
    /// `--rateest-pps`, `--rateest-pps1`: packets count; with a number, compared with it
    pub packets: Option<Option<u32>>,
    /// `--rateest-pps2`
    pub packets2: Option<u32>,
}

/// How two rates are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateComparison {
    /// Below.
    Less,
    /// Above.
    Greater,
    /// Equal.
    Equal,
}

/// Bytes a second, written in bits: `5mbit`, `1000Kbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BitRate(
    /// Bytes a second.
    pub u32,
);

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u64::from(self.0) * 8;
        match bits {
            1_000_000_000.. if bits % 1_000_000 == 0 => write!(f, "{}Mbit", bits / 1_000_000),
            1_000_000.. if bits % 1_000 == 0 => write!(f, "{}Kbit", bits / 1_000),
            _ => write!(f, "{bits}bit"),
        }
    }
}

impl Value for BitRate {
    const EXPECTED: &'static str = "a rate such as 5mbit, 1000kbit or 64kbps";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        const BITS: [(&str, u64); 8] = [
            ("kbit", 1_000),
            ("mbit", 1_000_000),
            ("gbit", 1_000_000_000),
            ("tbit", 1_000_000_000_000),
            ("kibit", 1 << 10),
            ("mibit", 1 << 20),
            ("gibit", 1 << 30),
            ("tibit", 1 << 40),
        ];
        const BYTES: [(&str, u64); 9] = [
            ("bps", 1),
            ("kbps", 1_000),
            ("mbps", 1_000_000),
            ("gbps", 1_000_000_000),
            ("tbps", 1_000_000_000_000),
            ("kibps", 1 << 10),
            ("mibps", 1 << 20),
            ("gibps", 1 << 30),
            ("tibps", 1 << 40),
        ];
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt));
        let end = input.iter().position(|b| !b.is_ascii_digit()).unwrap_or(input.len());
        let (digits, unit) = input.split_at_checked(end).ok_or_else(refused)?;
        let number = value::<u64>(digits).map_err(|_| refused())?;
        let factor = |units: &[(&str, u64)]| {
            let known = units.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(unit));
            known.map(|(_, factor)| *factor)
        };
        let bytes = match (unit, factor(&BITS), factor(&BYTES)) {
            (b"" | b"bit" | b"Bit", ..) => Some(number / 8),
            (_, Some(bits), _) => number.checked_mul(bits).map(|bits| bits / 8),
            (_, _, Some(bytes)) => number.checked_mul(bytes),
            _ => None,
        };
        bytes.and_then(|bytes| u32::try_from(bytes).ok()).map(|bytes| (&b""[..], BitRate(bytes))).ok_or_else(refused)
    }
}

impl RateestMatch {
    /// A number may stand behind `--rateest-bps` and its like.
    fn optional<T: Value>(option: &mut Arguments<'_>) -> Result<Option<T>, ArgumentError> {
        match option.peek() {
            Some(word) if word.first().is_some_and(u8::is_ascii_digit) => option.value().map(Some),
            _ => option.flag().map(|_| None),
        }
    }
}

impl Extension for RateestMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        let negated = option.negatable_flag().negated;
        let mut compare = |value| self.comparison = Some(Negatable { negated, value });
        match option.name() {
            b"--rateest" | b"--rateest1" => self.first = Some(option.text()?),
            b"--rateest2" => self.second = Some(option.text()?),
            b"--rateest-delta" => self.delta = option.flag()?,
            b"--rateest-lt" => compare(RateComparison::Less),
            b"--rateest-gt" => compare(RateComparison::Greater),
            b"--rateest-eq" => compare(RateComparison::Equal),
            b"--rateest-bps" | b"--rateest-bps1" => self.bytes = Some(Self::optional(option)?),
            b"--rateest-bps2" => self.bytes2 = Some(option.value()?),
            b"--rateest-pps" | b"--rateest-pps1" => self.packets = Some(Self::optional(option)?),
            b"--rateest-pps2" => self.packets2 = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let compare = |out: &mut OptionWriter| {
            let Some(Negatable { negated, value }) = self.comparison else { return };
            let name = match value {
                RateComparison::Less => "--rateest-lt",
                RateComparison::Greater => "--rateest-gt",
                RateComparison::Equal => "--rateest-eq",
            };
            out.push(name, negated, Vec::new());
        };
        out.flag("--rateest-delta", self.delta);
        out.raw(if self.second.is_some() { "--rateest1" } else { "--rateest" }, self.first.as_ref());
        if self.delta {
            out.value("--rateest-bps1", self.bytes.flatten());
            out.value("--rateest-pps1", self.packets.flatten());
            compare(out);
            out.value("--rateest-bps2", self.bytes2);
            out.value("--rateest-pps2", self.packets2);
        } else {
            compare(out);
            match self.bytes {
                Some(Some(rate)) => out.value("--rateest-bps", Some(rate)),
                bytes => out.flag("--rateest-bps", bytes.is_some()),
            }
            match self.packets {
                Some(Some(rate)) => out.value("--rateest-pps", Some(rate)),
                packets => out.flag("--rateest-pps", packets.is_some()),
            }
        }
        out.raw("--rateest2", self.second.as_ref());
    }

    fn missing(&self) -> Option<&'static str> {
        (self.first.is_none() || self.comparison.is_none())
            .then_some("--rateest, and --rateest-lt, --rateest-gt or --rateest-eq")
    }
}
