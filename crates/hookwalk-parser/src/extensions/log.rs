use std::fmt;

use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::Text;
use crate::types::number::number_as;

/// `-j LOG`: writes to the kernel log; the packet goes on (kernel: `net/netfilter/xt_LOG.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogTarget {
    /// `--log-prefix`, at most 29 bytes
    pub prefix: Option<Text>,
    /// `--log-level`; 4, warning, when it is not given
    pub level: Option<LogLevel>,
    /// `--log-tcp-sequence`
    pub tcp_sequence: bool,
    /// `--log-tcp-options`
    pub tcp_options: bool,
    /// `--log-ip-options`
    pub ip_options: bool,
    /// `--log-uid`
    pub uid: bool,
    /// `--log-macdecode`
    pub macdecode: bool,
}

/// A level of syslog, 0 (emerg) to 7 (debug).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(
    /// The number of RFC 5424, table 2.
    pub u8,
);

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Value for LogLevel {
    const EXPECTED: &'static str = "a log level from 0 to 7, or its name such as warning";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        const NAMES: [(&str, u8); 12] = [
            ("emerg", 0),
            ("panic", 0),
            ("alert", 1),
            ("crit", 2),
            ("err", 3),
            ("error", 3),
            ("warning", 4),
            ("warn", 4),
            ("notice", 5),
            ("info", 6),
            ("debug", 7),
            ("none", 7),
        ];
        if let Some((_, level)) = NAMES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(input)) {
            return Ok((&[], LogLevel(*level)));
        }
        nom::combinator::verify(number_as, |level| *level <= 7_u8).map(LogLevel).parse(input)
    }
}

impl Extension for LogTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--log-prefix" => self.prefix = Some(option.text()?),
            b"--log-level" => self.level = Some(option.value()?),
            b"--log-tcp-sequence" => self.tcp_sequence = option.flag()?,
            b"--log-tcp-options" => self.tcp_options = option.flag()?,
            b"--log-ip-options" => self.ip_options = option.flag()?,
            b"--log-uid" => self.uid = option.flag()?,
            b"--log-macdecode" => self.macdecode = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.quoted("--log-prefix", self.prefix.as_ref().filter(|prefix| !prefix.as_bytes().is_empty()));
        out.value("--log-level", self.level.filter(|level| level.0 != 4));
        out.flag("--log-tcp-sequence", self.tcp_sequence);
        out.flag("--log-tcp-options", self.tcp_options);
        out.flag("--log-ip-options", self.ip_options);
        out.flag("--log-uid", self.uid);
        out.flag("--log-macdecode", self.macdecode);
    }
}
