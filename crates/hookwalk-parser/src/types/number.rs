//! Numbers as `strtoul` with base 0 reads them: decimal, `0x` hexadecimal, `0` octal.

use nom::combinator::map_opt;
use nom::error::{Error, ErrorKind};
use nom::{IResult, Parser};

/// A number up to `u64::MAX`.
pub(crate) fn number(input: &[u8]) -> IResult<&[u8], u64> {
    // By hand: every port, mark and counter of a dump comes through here.
    match input {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => {
            radix::<16>(digits)
        }
        [b'0', digits @ ..] if matches!(digits, [b'0'..=b'7', ..]) => radix::<8>(digits),
        digits => radix::<10>(digits),
    }
}

/// A number that fits the type asked for.
pub(crate) fn number_as<T: TryFrom<u64>>(input: &[u8]) -> IResult<&[u8], T> {
    map_opt(number, |n| T::try_from(n).ok()).parse(input)
}

fn radix<const RADIX: u32>(input: &[u8]) -> IResult<&[u8], u64> {
    let (mut number, mut len) = (Some(0_u64), 0);
    for digit in input.iter().map_while(|&byte| char::from(byte).to_digit(RADIX)) {
        let more = number.and_then(|n| n.checked_mul(u64::from(RADIX)));
        number = more.and_then(|n| n.checked_add(u64::from(digit)));
        len += 1;
    }
    match (number, input.get(len..)) {
        (Some(number), Some(rest)) if len > 0 => Ok((rest, number)),
        _ => Err(nom::Err::Error(Error::new(input, ErrorKind::Digit))),
    }
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
        assert_eq!(number(b"0X1f"), Ok((&b""[..], 0x1f)));
        assert_eq!(number(b"0x"), Ok((&b"x"[..], 0)));
        assert_eq!(number(b"089"), Ok((&b""[..], 89)));
        assert_eq!(number(b"01777777777777777777777"), Ok((&b""[..], u64::MAX)));
        assert!(number(b"02000000000000000000000").is_err());
    }
}
