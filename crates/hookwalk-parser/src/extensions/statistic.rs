use std::fmt;

use nom::IResult;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter, Value};
use crate::types::Negatable;

/// `-m statistic`: holds by chance or for each n-th packet (kernel: `net/netfilter/xt_statistic.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StatisticMatch {
    /// `--mode`
    pub mode: Option<StatisticMode>,
    /// `--probability`, mode random
    pub probability: Option<Negatable<StatisticProbability>>,
    /// `--every`, mode nth: 1 is each packet
    pub every: Option<Negatable<u32>>,
    /// `--packet`, mode nth: the first packet that matches, from 0
    pub packet: Option<u32>,
}

/// `--mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticMode {
    /// By chance.
    Random,
    /// Each n-th packet that reaches the rule.
    Nth,
}

/// A probability as the kernel keeps it: this many 2^31ths.
///
/// iptables rounds what is written to the nearest 2^31th, ties away from zero (`lround`); the kernel
/// draws 31 random bits and the match holds when they are fewer than this.
///
/// ```
/// use hookwalk_parser::extensions::StatisticProbability;
/// let third: StatisticProbability = "0.33333333349".parse().unwrap();
/// assert_eq!(third.numerator(), 715_827_883);
/// assert_eq!("0.3333333333".parse(), Ok(third));
/// assert_eq!(third.to_string(), "0.33333333349");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticProbability(u32);

impl StatisticProbability {
    /// 2^31, which is certainty.
    pub const DENOMINATOR: u32 = 1 << 31;

    /// How many 2^31ths, from 0 to 2^31.
    pub const fn numerator(self) -> u32 {
        self.0
    }

    /// From 2^31ths; none when there are more than 2^31.
    pub const fn from_numerator(numerator: u32) -> Option<Self> {
        if numerator <= Self::DENOMINATOR { Some(StatisticProbability(numerator)) } else { None }
    }
}

impl fmt::Display for StatisticProbability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.11}", f64::from(self.0) / f64::from(Self::DENOMINATOR))
    }
}

impl std::str::FromStr for StatisticProbability {
    type Err = crate::syntax::Expected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::syntax::value(text.as_bytes())
    }
}

impl Value for StatisticProbability {
    const EXPECTED: &'static str = "a probability from 0 to 1";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Float));
        let text = std::str::from_utf8(input).map_err(|_| refused())?;
        let probability: f64 = text.parse().map_err(|_| refused())?;
        if !(0.0..=1.0).contains(&probability) {
            return Err(refused());
        }
        let rounded = (probability * f64::from(Self::DENOMINATOR)).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^31, checked above")]
        Ok((&[], StatisticProbability(rounded as u32)))
    }
}

impl Value for StatisticMode {
    const EXPECTED: &'static str = "random or nth";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        alt((tag("random").map(|_| StatisticMode::Random), tag("nth").map(|_| StatisticMode::Nth))).parse(input)
    }
}

impl Extension for StatisticMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--mode" => self.mode = Some(option.value()?),
            b"--probability" => self.probability = Some(option.negatable()?),
            b"--every" => {
                let every = option.negatable()?;
                if every.value == 0 {
                    return option.expected("a number from 1 on");
                }
                self.every = Some(every);
            }
            b"--packet" => self.packet = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        match self.mode {
            Some(StatisticMode::Random) => {
                out.value("--mode", Some("random"));
                out.negatable("--probability", self.probability.as_ref());
            }
            Some(StatisticMode::Nth) => {
                out.value("--mode", Some("nth"));
                out.negatable("--every", self.every.as_ref());
                let packet = self.packet.unwrap_or(0);
                out.push("--packet", false, vec![OptionValue::Bare(packet.to_string())]);
            }
            None => {}
        }
    }

    fn missing(&self) -> Option<&'static str> {
        match self.mode {
            None => Some("--mode"),
            Some(StatisticMode::Random) => self.probability.is_none().then_some("--probability"),
            Some(StatisticMode::Nth) if self.every.is_none() => Some("--every"),
            Some(StatisticMode::Nth) => match (self.every, self.packet) {
                (_, None) => Some("--packet"),
                (Some(every), Some(packet)) if packet >= every.value => Some("--packet below --every"),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::value;

    #[test]
    fn rounds_as_iptables_does() {
        let numerator = |text: &str| value::<StatisticProbability>(text.as_bytes()).map(StatisticProbability::numerator);
        assert_eq!(numerator("0.2"), Ok(429_496_730));
        assert_eq!(numerator("0.00000000023"), Ok(0));
        assert_eq!(numerator("0.99999999977"), Ok(StatisticProbability::DENOMINATOR));
        assert_eq!(numerator("1e-1"), numerator("0.1"));
        assert_eq!(numerator(".5"), Ok(1 << 30));
        for refused in ["2", "1.1", "-0.1", "0.5x", "nan", "inf", ""] {
            assert!(numerator(refused).is_err(), "{refused}");
        }
    }
}
