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
    /// `--hashlimit-htable-expire`: milliseconds until an idle bucket goes; see
    /// [`expires_after`](Self::expires_after)
    pub expire: Option<u32>,
    /// `--hashlimit-srcmask`: prefix length of the source that counts
    pub src_mask: Option<u8>,
    /// `--hashlimit-dstmask`: prefix length of the destination that counts
    pub dst_mask: Option<u8>,
    /// `--hashlimit-rate-match`: the rate itself is compared, without a bucket
    pub rate_match: bool,
    /// `--hashlimit-rate-interval`: seconds over which it is; the rate's unit when it is not given
    pub rate_interval: Option<u32>,
    /// The seconds of the unit that the rate was written in.
    unit: u32,
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
            // The tool takes 1 to 15, keeps 0 units of 16, prints `0b/s` and then does not take that: a dump may have it.
            return match ByteRate::from_bytes(bytes) {
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

impl HashlimitBurst {
    /// The tool prints bytes in the longest unit and leaves out what is less than one of it, which the
    /// next multiple of the rate makes up for; where it does not, every byte stands.
    fn printed(self, rate: ByteRate) -> HashlimitBurst {
        let HashlimitBurst::Bytes(bytes) = self else { return self };
        let shift = [20, 10].into_iter().find(|shift| bytes >> shift > 0).unwrap_or(0);
        let cut = bytes >> shift << shift;
        let is_same = rate.bytes() > 0 && cut.checked_next_multiple_of(rate.bytes()) == Some(bytes);
        HashlimitBurst::Bytes(if is_same { cut } else { bytes })
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
    /// Milliseconds until an idle bucket goes: what is written, else the unit that the rate was written
    /// in, else what a bucket of bytes has (iptables: `extensions/libxt_hashlimit.c`).
    pub fn expires_after(&self) -> u32 {
        let default = if self.counts_bytes() { self.bytes_expire() } else { self.unit.max(1) * 1_000 };
        self.expire.unwrap_or(default)
    }

    /// Milliseconds until an idle bucket of bytes goes, where nothing else is said.
    fn bytes_expire(&self) -> u32 {
        if self.burst.is_some() { 60_000 } else { 15_000 }
    }

    fn counts_bytes(&self) -> bool {
        self.limit.is_some_and(|limit| matches!(limit.rate, HashlimitRate::Bytes(_)))
    }

    /// The rate as the kernel has it: of a rate match it is one of a second, whatever the unit.
    fn kept_rate(&self, rate: HashlimitRate) -> HashlimitRate {
        match rate {
            HashlimitRate::Packets(Rate { period }) if self.rate_match => {
                HashlimitRate::Packets(Rate { period: (period / u64::from(self.unit.max(1))).max(1) })
            }
            _ => rate,
        }
    }

    /// What `/sec` and the like of a rate stand for; a second without one.
    fn read_unit(&mut self, word: Option<&[u8]>) {
        let unit = word.and_then(|word| memchr::memchr(b'/', word).and_then(|at| word.get(at + 1..)));
        let seconds = unit.and_then(crate::types::rate::unit_seconds).unwrap_or(1);
        self.unit = u32::try_from(seconds).unwrap_or(1);
    }

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
                self.read_unit(option.peek());
                let Negatable { negated, value } = option.negatable()?;
                self.limit = Some(HashlimitLimit { above: negated, rate: value });
            }
            b"--hashlimit-above" => {
                self.read_unit(option.peek());
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
        let mut quantum = self.bytes_expire();
        if let Some(HashlimitLimit { above, rate }) = self.limit {
            let rate = self.kept_rate(rate);
            if let HashlimitRate::Packets(rate) = rate {
                quantum = u32::try_from(rate.unit().1 * 1_000).unwrap_or(u32::MAX);
            }
            out.value(if above { "--hashlimit-above" } else { "--hashlimit-upto" }, Some(rate));
            match rate {
                HashlimitRate::Packets(_) => {
                    out.value("--hashlimit-burst", Some(self.burst.unwrap_or(HashlimitBurst::Packets(5))));
                }
                HashlimitRate::Bytes(rate) => {
                    out.value("--hashlimit-burst", self.burst.map(|burst| burst.printed(rate)));
                }
            }
        }
        out.value("--hashlimit-mode", Some(self.mode).filter(|mode| *mode != HashlimitMode::default()));
        out.raw("--hashlimit-name", self.name.as_ref());
        out.value("--hashlimit-htable-size", self.table_size.filter(|size| *size != 0));
        out.value("--hashlimit-htable-max", self.table_max.filter(|most| *most != 0));
        out.value("--hashlimit-htable-gcinterval", self.gc_interval.filter(|interval| *interval != 1_000));
        out.value("--hashlimit-htable-expire", Some(self.expires_after()).filter(|expire| *expire != quantum));
        let whole = out.family.map(|family| if family == crate::types::Family::V4 { 32 } else { 128 });
        out.value("--hashlimit-srcmask", self.src_mask.filter(|mask| Some(*mask) != whole));
        out.value("--hashlimit-dstmask", self.dst_mask.filter(|mask| Some(*mask) != whole));
        out.flag("--hashlimit-rate-match", self.rate_match);
        if self.rate_match {
            let unit = if self.counts_bytes() { 1 } else { self.unit.max(1) };
            let interval = self.rate_interval.unwrap_or(unit);
            out.value("--hashlimit-rate-interval", Some(interval).filter(|interval| *interval != 1));
        }
    }

    fn missing(&self) -> Option<&'static str> {
        let all = self.limit.is_some() && self.name.is_some();
        (!all).then_some("--hashlimit-upto or --hashlimit-above, and --hashlimit-name")
    }
}
