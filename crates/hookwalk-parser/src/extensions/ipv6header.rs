use std::fmt;

use nom::IResult;

use crate::syntax::Value;

extension! {
    /// `-m ipv6header`: which extension headers there are (kernel: `net/ipv6/netfilter/ip6t_ipv6header.c`).
    Ipv6headerMatch {
        /// `--header`
        headers: negatable<Ipv6Headers> = "--header",
        /// `--soft`: others may be there too
        soft: flag = "--soft",
    }
    missing(this) this.headers.is_none().then_some("--header");
}

/// A set of IPv6 headers, bits as the kernel has them (`MASK_HOPOPTS` is 128, `MASK_PROTO` 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Headers(
    /// The bits.
    pub u8,
);

/// Long name, short name, protocol number and bit, in the order they print.
const NAMES: [(&str, &str, &str, u8); 8] = [
    ("hop-by-hop", "hop", "0", 128),
    ("ipv6-opts", "dst", "60", 64),
    ("ipv6-route", "route", "43", 32),
    ("ipv6-frag", "frag", "44", 16),
    ("ah", "auth", "51", 8),
    ("esp", "esp", "50", 4),
    ("ipv6-nonxt", "none", "59", 2),
    ("protocol", "prot", "255", 1),
];

impl fmt::Display for Ipv6Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, _, _, bit) in NAMES {
            if self.0 & bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl Value for Ipv6Headers {
    const EXPECTED: &'static str = "headers such as hop,route or ipv6-frag";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let bits = input.split(|&b| b == b',').try_fold(0, |bits, name| {
            let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
            let known = NAMES.iter().find(|(long, short, number, _)| is(long) || is(short) || is(number));
            known.map(|(.., bit)| bits | bit)
        });
        match bits {
            Some(bits) => Ok((&[], Ipv6Headers(bits))),
            None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}
