use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::{Negatable, Timestamp};

/// `-m time`: the time at which the packet comes (kernel: `net/netfilter/xt_time.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeMatch {
    /// `--timestart`; 00:00:00 when it is not given
    pub start: TimeOfDay,
    /// `--timestop`, included; 23:59:59 when it is not given
    pub stop: TimeOfDay,
    /// `--monthdays`: bit n is day n
    pub month_days: MonthDays,
    /// `--weekdays`: bit n is day n, Monday 1 to Sunday 7
    pub week_days: WeekDays,
    /// `--datestart`; 1970 when it is not given
    pub date_start: Timestamp,
    /// `--datestop`; 2038-01-19T03:14:07 when it is not given
    pub date_stop: Timestamp,
    /// `--kerneltz`: in the kernel's time zone, not UTC
    pub kernel_zone: bool,
    /// `--contiguous`: a time that ends the next morning belongs to the day it starts
    pub contiguous: bool,
}

impl Default for TimeMatch {
    fn default() -> Self {
        TimeMatch {
            start: TimeOfDay(0),
            stop: TimeOfDay(TimeOfDay::LAST),
            month_days: MonthDays::ALL,
            week_days: WeekDays::ALL,
            date_start: Timestamp(0),
            date_stop: Timestamp(0x7fff_ffff),
            kernel_zone: false,
            contiguous: false,
        }
    }
}

/// Seconds since midnight, 0 to 86399.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(
    /// The seconds.
    pub u32,
);

impl TimeOfDay {
    const LAST: u32 = 86_399;
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0 / 3_600, self.0 / 60 % 60, self.0 % 60)
    }
}

impl Value for TimeOfDay {
    const EXPECTED: &'static str = "a time such as 10:30 or 10:30:15";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify));
        let text = std::str::from_utf8(input).map_err(|_| refused())?;
        let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(hour @ 0..24)), Some(Some(minute @ 0..60)), second, None) => {
                match second.unwrap_or(Some(0)) {
                    Some(second @ 0..60) => Ok((&[], TimeOfDay(hour * 3_600 + minute * 60 + second))),
                    _ => Err(refused()),
                }
            }
            _ => Err(refused()),
        }
    }
}

/// Days of a month, any of which will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MonthDays(
    /// Bit n is day n, 1 to 31.
    pub u32,
);

impl MonthDays {
    /// Every day.
    pub const ALL: MonthDays = MonthDays(0xffff_fffe);
}

impl fmt::Display for MonthDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for day in (1..=31).filter(|day| self.0 & 1 << day != 0) {
            write!(f, "{separator}{day}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for MonthDays {
    const EXPECTED: &'static str = "days of a month such as 1,2,31";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify));
        let text = std::str::from_utf8(input).map_err(|_| refused())?;
        let mut bits = 0;
        for word in text.split(',') {
            match word.parse::<u32>() {
                Ok(day @ 1..=31) => bits |= 1 << day,
                _ => return Err(refused()),
            }
        }
        Ok((&[], MonthDays(bits)))
    }
}

/// Days of a week, any of which will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeekDays(
    /// Bit n is day n, Monday 1 to Sunday 7.
    pub u8,
);

impl WeekDays {
    /// Every day.
    pub const ALL: WeekDays = WeekDays(0xfe);
    const NAMES: [(&'static str, u8); 7] =
        [("Mon", 1), ("Tue", 2), ("Wed", 3), ("Thu", 4), ("Fri", 5), ("Sat", 6), ("Sun", 7)];
}

impl fmt::Display for WeekDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, day) in Self::NAMES {
            if self.0 & 1 << day != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl Value for WeekDays {
    const EXPECTED: &'static str = "days of a week such as Mon,Tue or 6,7";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let day = |word: &[u8]| {
            if let [digit @ b'1'..=b'7'] = word {
                return Some(digit - b'0');
            }
            // The first two letters alone are looked at.
            let start = word.get(..2)?;
            let is = |name: &str| name.as_bytes().get(..2).is_some_and(|known| known.eq_ignore_ascii_case(start));
            Self::NAMES.into_iter().find(|(name, _)| is(name)).map(|(_, day)| day)
        };
        match input.split(|&b| b == b',').try_fold(0, |bits, word| day(word).map(|day| bits | 1 << day)) {
            Some(bits) => Ok((&[], WeekDays(bits))),
            None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}

impl Extension for TimeMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--timestart" => self.start = option.value()?,
            b"--timestop" => self.stop = option.value()?,
            b"--monthdays" => {
                let Negatable { negated, value: MonthDays(days) } = option.negatable()?;
                self.month_days = MonthDays(if negated { MonthDays::ALL.0 & !days } else { days });
            }
            b"--weekdays" => {
                let Negatable { negated, value: WeekDays(days) } = option.negatable()?;
                self.week_days = WeekDays(if negated { WeekDays::ALL.0 & !days } else { days });
            }
            b"--datestart" => self.date_start = option.value()?,
            b"--datestop" => self.date_stop = option.value()?,
            b"--kerneltz" => self.kernel_zone = option.flag()?,
            b"--contiguous" => self.contiguous = option.flag()?,
            b"--utc" => self.kernel_zone = !option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if self.start.0 != 0 || self.stop.0 != TimeOfDay::LAST {
            out.value("--timestart", Some(self.start));
            out.value("--timestop", Some(self.stop));
        }
        out.value("--monthdays", Some(self.month_days).filter(|days| *days != MonthDays::ALL));
        out.value("--weekdays", Some(self.week_days).filter(|days| *days != WeekDays::ALL));
        out.value("--datestart", Some(self.date_start).filter(|date| date.0 != 0));
        out.value("--datestop", Some(self.date_stop).filter(|date| date.0 != 0));
        out.flag("--kerneltz", self.kernel_zone);
        out.flag("--contiguous", self.contiguous);
    }
}
