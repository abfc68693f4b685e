//! Numbers as `strtoul` with base 0 reads them: decimal, `0x` hexadecimal, `0` octal.

use nom::branch::alt;
use nom::bytes::complete::tag_no_case;
use nom::character::complete::{digit1, hex_digit1, oct_digit1};
use nom::combinator::map_opt;
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// A number up to `u64::MAX`.
pub(crate) fn number(input: &[u8]) -> IResult<&[u8], u64> {
    alt((
        map_opt(preceded(tag_no_case("0x"), hex_digit1), |digits| radix(digits, 16)),
        map_opt(preceded(nom::character::complete::char('0'), oct_digit1), |digits| radix(digits, 8)),
        map_opt(digit1, |digits| radix(digits, 10)),
    ))
    .parse(input)
}

/// A number that fits the type asked for.
pub(crate) fn number_as<T: TryFrom<u64>>(input: &[u8]) -> IResult<&[u8], T> {
    map_opt(number, |n| T::try_from(n).ok()).parse(input)
}

fn radix(digits: &[u8], radix: u32) -> Option<u64> {
    digits.iter().try_fold(0_u64, |n, &digit| {
        let digit = char::from(digit).to_digit(radix)?;
        n.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_as_strtoul() {
        assert_eq!(number(b"0x4000/"), Ok((&b"/"[..], 0x4000)));
        assert_eq!(number(b"010"), Ok((&b""[..], 8)));
        assert_eq!(number(b"0"), Ok((&b""[..], 0)));
        assert_eq!(number(b"18446744073709551615"), Ok((&b""[..], u64::MAX)));
        assert!(number(b"18446744073709551616").is_err());
        assert!(number_as::<u16>(b"65536").is_err());
        assert!(number(b"x").is_err());
    }
}
