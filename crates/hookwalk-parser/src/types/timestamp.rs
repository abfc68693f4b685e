use std::fmt;

use nom::IResult;

use crate::syntax::Value;

/// Seconds since 1970 in UTC, 0 to 2^32 - 1; in text `2038-01-19T03:14:07`, of which all behind the
/// year may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// The seconds.
    pub u32,
);

/// Days from 1970-01-01 to a day of the Gregorian calendar, counted in years that start in March so
/// that the day put in stands last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(i64::from(self.0 / 86_400));
        let (hour, minute, second) = (self.0 / 3_600 % 24, self.0 / 60 % 60, self.0 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

impl Value for Timestamp {
    const EXPECTED: &'static str = "a date such as 2020-01-02 or 2020-01-02T03:04:05, up to 2106";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify));
        let text = std::str::from_utf8(input).map_err(|_| refused())?;
        let (date, time) = text.split_once('T').unwrap_or((text, ""));
        let numbers = |text: &str, separator: char, missing: [i64; 3]| -> Option<[i64; 3]> {
            let mut numbers = missing;
            let mut parts = text.split(separator).filter(|part| !part.is_empty());
            for number in &mut numbers {
                match parts.next() {
                    Some(part) => *number = i64::from(part.parse::<u16>().ok()?),
                    None => break,
                }
            }
            parts.next().is_none().then_some(numbers)
        };
        let [year, month, day] = numbers(date, '-', [0, 1, 1]).ok_or_else(refused)?;
        let [hour, minute, second] = numbers(time, ':', [0, 0, 0]).ok_or_else(refused)?;
        let in_range = (1970..=2106).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return Err(refused());
        }
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        u32::try_from(seconds).map(|seconds| (&b""[..], Timestamp(seconds))).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::value;

    #[test]
    fn dates_there_and_back() {
        let printed = |text: &str| value::<Timestamp>(text.as_bytes()).map(|date| date.to_string());
        assert_eq!(printed("2038-01-19T03:14:07").unwrap(), "2038-01-19T03:14:07");
        assert_eq!(printed("2020").unwrap(), "2020-01-01T00:00:00");
        assert_eq!(printed("2020-02-29T01:02").unwrap(), "2020-02-29T01:02:00");
        assert_eq!(value::<Timestamp>(b"1970-01-02"), Ok(Timestamp(86_400)));
        for refused in ["1969", "2020-13", "x", "2020-01-01T24:00", "2020-1-1-1"] {
            assert!(printed(refused).is_err(), "{refused}");
        }
        for days in (0..49_710).step_by(11) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
