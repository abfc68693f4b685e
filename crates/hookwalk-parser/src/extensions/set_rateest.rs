use std::fmt;

use nom::IResult;

use crate::syntax::Value;

extension! {
    /// `-j RATEEST`: runs an estimator of a rate; the packet goes on (kernel: `net/netfilter/xt_RATEEST.c`).
    RateestTarget {
        /// `--rateest-name`
        name: raw = "--rateest-name",
        /// `--rateest-interval`: time between two measurements
        interval: value<RateTime> = "--rateest-interval",
        /// `--rateest-ewmalog`: over which the average is taken
        average: value<RateTime> = "--rateest-ewmalog",
    }
    missing(this) (this.name.is_none() || this.interval.is_none() || this.average.is_none())
        .then_some("--rateest-name, --rateest-interval and --rateest-ewmalog");
}

/// A time as `250ms`, `1.5s` or `10us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateTime(
    /// Microseconds.
    pub u32,
);

impl fmt::Display for RateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1_000_000.. => write!(f, "{:.1}s", f64::from(self.0) / 1e6),
            1_000.. => write!(f, "{:.1}ms", f64::from(self.0) / 1e3),
            micros => write!(f, "{micros}us"),
        }
    }
}

impl Value for RateTime {
    const EXPECTED: &'static str = "a time such as 250ms, 1.5s or 10us";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Float));
        let text = std::str::from_utf8(input).map_err(|_| refused())?;
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor = match unit.to_ascii_lowercase().as_str() {
            "s" | "sec" | "secs" => 1e6,
            "ms" | "msec" | "msecs" => 1e3,
            "" | "us" | "usec" | "usecs" => 1.0,
            _ => return Err(refused()),
        };
        let micros = number.parse::<f64>().map_err(|_| refused())? * factor;
        if !(0.0..=f64::from(u32::MAX)).contains(&micros) {
            return Err(refused());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, checked above")]
        Ok((&[], RateTime(micros.round() as u32)))
    }
}
