use std::fmt;

use nom::character::complete::char;
use nom::combinator::opt;
use nom::multi::separated_list1;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::number::number_as;

extension! {
    /// `-m hbh`: the hop-by-hop options of IPv6 (kernel: `net/ipv6/netfilter/ip6t_hbh.c`).
    HbhMatch {
        /// `--hbh-len`: bytes of the header
        length: negatable<u32> = "--hbh-len",
        /// `--hbh-opts`
        options: value<Ipv6Options> = "--hbh-opts",
    }
}

/// Options of an IPv6 extension header, at most 16: each a type, and the length of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6Options(
    /// In the order written; without a length any will do.
    pub Vec<(u8, Option<u8>)>,
);

impl fmt::Display for Ipv6Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (kind, length) in &self.0 {
            write!(f, "{separator}{kind}")?;
            if let Some(length) = length {
                write!(f, ":{length}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

impl Value for Ipv6Options {
    const EXPECTED: &'static str = "up to 16 options as TYPE or TYPE:LENGTH with commas between";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let option = (number_as, opt(preceded(char(':'), number_as)));
        nom::combinator::verify(separated_list1(char(','), option), |list: &Vec<_>| list.len() <= 16)
            .map(Ipv6Options)
            .parse(input)
    }
}
