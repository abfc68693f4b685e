use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value, value};
use crate::types::{Negatable, Rate, Text};

/// `-m hashlimit`: a bucket of tokens for each address or port, or both
/// (kernel: `net/netfilter/xt_hashlimit.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HashlimitMatch {
    /// `--hashlimit-upto` holds while the bucket has tokens, `--hashlimit-above` when it has none.
    pub limit: Option<HashlimitLimit>,
    /// `--hashlimit-burst`: packets that a bucket holds, or bytes; 5 packets when it is not given
    pub burst: Option<HashlimitBurst>,
    /// `--hashlimit-mode`: what has its own bucket
    pub mode: HashlimitMode,
    /// `--hashlimit-name`: of the table in `/proc/net`
    pub name: Option<Text>,
    /// `--hashlimit-htable-size`: slots
    pub table_size: Option<u32>,
    /// `--hashlimit-htable-max`: buckets
    pub table_max: Option<u32>,
    /// `--hashlimit-htable-gcinterval`: milliseconds between two clean-ups
    pub gc_interval: Option<u32>,
    /// `--hashlimit-htable-expire`: milliseconds until an idle bucket goes
    pub expire: Option<u32>,
    /// `--hashlimit-srcmask`: prefix length of the source that counts
    pub src_mask: Option<u8>,
    /// `--hashlimit-dstmask`: prefix length of the destination that counts
    pub dst_mask: Option<u8>,
    /// `--hashlimit-rate-match`: the rate itself is compared, without a bucket
    pub rate_match: bool,
    /// `--hashlimit-rate-interval`: seconds over which it is
    pub rate_interval: Option<u32>,
}

/// A rate, and on which side of it the match holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashlimitLimit {
    /// `--hashlimit-above`
    pub above: bool,
    /// The rate.
    pub rate: HashlimitRate,
}

/// A rate in packets or in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashlimitRate {
    /// Packets; a second has a million ticks.
    Packets(Rate<1_000_000>),
    /// Bytes a second, to the precision that the kernel keeps.
    Bytes(ByteRate),
}

/// Bytes a second, as the kernel keeps them: the part of a full bucket that 16 bytes cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRate {
    /// 2^32 - 1 through the number of 16-byte units, plus one, a second.
    pub cost: u32,
}

impl ByteRate {
    /// Of so many bytes a second.
    pub fn from_bytes(bytes: u64) -> Option<ByteRate> {
        let units = u32::try_from(bytes >> 4).ok()?.checked_add(1)?;
        Some(ByteRate { cost: u32::MAX / units })
    }

    /// Bytes a second.
    pub fn bytes(self) -> u64 {
        u64::from(u32::MAX.checked_div(self.cost).unwrap_or(u32::MAX).saturating_sub(1)) << 4
    }
}

/// Bytes in the longest unit that comes out even.
fn bytes_in_units(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        n if n % (1 << 20) == 0 => format!("{}m", n >> 20),
        n if n % (1 << 10) == 0 => format!("{}k", n >> 10),
        n => n.to_string(),
    }
}

/// `512`, `512k`, `1m` before the `b`.
fn read_bytes(word: &[u8]) -> Option<u64> {
    let (digits, shift) = match word.split_last() {
        Some((b'k' | b'K', digits)) => (digits, 10),
        Some((b'm' | b'M', digits)) => (digits, 20),
        _ => (word, 0),
    };
    value::<u64>(digits).ok()?.checked_mul(1 << shift)
}

impl fmt::Display for HashlimitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashlimitRate::Packets(rate) => rate.fmt(f),
            HashlimitRate::Bytes(rate) => {
                // The longest unit whose whole multiple the kernel would keep as the same cost.
                let bytes = rate.bytes();
                let rounded = [20, 10].map(|shift| bytes >> shift << shift);
                let same = |bytes: &u64| *bytes > 0 && ByteRate::from_bytes(*bytes) == Some(*rate);
                write!(f, "{}b/s", bytes_in_units(rounded.into_iter().find(same).unwrap_or(bytes)))
            }
        }
    }
}

impl Value for HashlimitRate {
    const EXPECTED: &'static str = "a rate such as 5/sec, 3/hour or 512kb/s";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        if let Some(bytes) = input.strip_suffix(b"b/s").and_then(read_bytes) {
            return match ByteRate::from_bytes(bytes).filter(|_| bytes >= 16) {
                Some(rate) => Ok((&[], HashlimitRate::Bytes(rate))),
                None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify))),
            };
        }
        Rate::read(input).map(|(rest, rate)| (rest, HashlimitRate::Packets(rate)))
    }
}

/// What a bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashlimitBurst {
    /// Packets.
    Packets(u64),
    /// Bytes.
    Bytes(u64),
}

impl fmt::Display for HashlimitBurst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashlimitBurst::Packets(packets) => packets.fmt(f),
            HashlimitBurst::Bytes(bytes) => write!(f, "{}b", bytes_in_units(*bytes)),
        }
    }
}

impl Value for HashlimitBurst {
    const EXPECTED: &'static str = "a number of packets, or of bytes as 2mb";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        if let Some(bytes) = input.strip_suffix(b"b").and_then(read_bytes) {
            return Ok((&[], HashlimitBurst::Bytes(bytes)));
        }
        u64::read(input).map(|(rest, packets)| (rest, HashlimitBurst::Packets(packets)))
    }
}

/// `--hashlimit-mode`: the parts of a packet that pick its bucket; none of them is one bucket for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HashlimitMode {
    /// `srcip`
    pub src_ip: bool,
    /// `srcport`
    pub src_port: bool,
    /// `dstip`
    pub dst_ip: bool,
    /// `dstport`
    pub dst_port: bool,
}

impl fmt::Display for HashlimitMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.src_ip, "srcip"),
            (self.src_port, "srcport"),
            (self.dst_ip, "dstip"),
            (self.dst_port, "dstport"),
        ];
        let mut separator = "";
        for (_, name) in parts.into_iter().filter(|(set, _)| *set) {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for HashlimitMode {
    const EXPECTED: &'static str = "a list out of srcip, srcport, dstip, dstport";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let mut mode = HashlimitMode::default();
        for word in input.split(|&b| b == b',').filter(|word| !word.is_empty()) {
            match word {
                b"srcip" => mode.src_ip = true,
                b"srcport" => mode.src_port = true,
                b"dstip" => mode.dst_ip = true,
                b"dstport" => mode.dst_port = true,
                b"none" => {}
                _ => return Err(nom::Err::Error(nom::error::Error::new(word, nom::error::ErrorKind::Alt))),
            }
        }
        Ok((&[], mode))
    }
}

impl HashlimitMatch {
    /// The kernel keeps a burst of bytes as a multiple of the rate, and once the rate as no burst.
    fn round_burst(&mut self) {
        let (Some(limit), Some(HashlimitBurst::Bytes(burst))) = (self.limit, self.burst) else { return };
        if let HashlimitRate::Bytes(rate) = limit.rate
            && let Some(rounded) = burst.checked_next_multiple_of(rate.bytes())
        {
            self.burst = (rounded > rate.bytes()).then_some(HashlimitBurst::Bytes(rounded));
        }
    }
}

impl Extension for HashlimitMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--hashlimit" | b"--hashlimit-upto" => {
                let Negatable { negated, value } = option.negatable()?;
                self.limit = Some(HashlimitLimit { above: negated, rate: value });
            }
            b"--hashlimit-above" => {
                let Negatable { negated, value } = option.negatable()?;
                self.limit = Some(HashlimitLimit { above: !negated, rate: value });
            }
            b"--hashlimit-burst" => self.burst = Some(option.value()?),
            b"--hashlimit-mode" => self.mode = option.value()?,
            b"--hashlimit-name" => self.name = Some(option.text()?),
            b"--hashlimit-htable-size" => self.table_size = Some(option.value()?),
            b"--hashlimit-htable-max" => self.table_max = Some(option.value()?),
            b"--hashlimit-htable-gcinterval" => self.gc_interval = Some(option.value()?),
            b"--hashlimit-htable-expire" => self.expire = Some(option.value()?),
            b"--hashlimit-srcmask" => self.src_mask = Some(option.value()?),
            b"--hashlimit-dstmask" => self.dst_mask = Some(option.value()?),
            b"--hashlimit-rate-match" => self.rate_match = option.flag()?,
            b"--hashlimit-rate-interval" => self.rate_interval = Some(option.value()?),
            _ => return Ok(false),
        }
        self.round_burst();
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(HashlimitLimit { above, rate }) = self.limit {
            out.value(if above { "--hashlimit-above" } else { "--hashlimit-upto" }, Some(rate));
            match rate {
                HashlimitRate::Packets(_) => {
                    out.value("--hashlimit-burst", Some(self.burst.unwrap_or(HashlimitBurst::Packets(5))));
                }
                HashlimitRate::Bytes(_) => out.value("--hashlimit-burst", self.burst),
            }
        }
        out.value("--hashlimit-mode", Some(self.mode).filter(|mode| *mode != HashlimitMode::default()));
        out.raw("--hashlimit-name", self.name.as_ref());
        out.value("--hashlimit-htable-size", self.table_size.filter(|size| *size != 0));
        out.value("--hashlimit-htable-max", self.table_max.filter(|most| *most != 0));
        out.value("--hashlimit-htable-gcinterval", self.gc_interval.filter(|interval| *interval != 1_000));
        out.value("--hashlimit-htable-expire", self.expire.filter(|expire| *expire != 10_000));
        let whole = out.family.map(|family| if family == crate::types::Family::V4 { 32 } else { 128 });
        out.value("--hashlimit-srcmask", self.src_mask.filter(|mask| Some(*mask) != whole));
        out.value("--hashlimit-dstmask", self.dst_mask.filter(|mask| Some(*mask) != whole));
        out.flag("--hashlimit-rate-match", self.rate_match);
        out.value("--hashlimit-rate-interval", self.rate_interval.filter(|interval| *interval != 1));
    }

    fn missing(&self) -> Option<&'static str> {
        let all = self.limit.is_some() && self.name.is_some();
        (!all).then_some("--hashlimit-upto or --hashlimit-above, and --hashlimit-name")
    }
}
