use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use nom::character::complete::char;
use nom::combinator::map_opt;
use nom::multi::separated_list1;
use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::address::ip_address;

extension! {
    /// `-m rt`: the routing header of IPv6 (kernel: `net/ipv6/netfilter/ip6t_rt.c`).
    RtMatch {
        /// `--rt-type`
        kind: negatable<u32> = "--rt-type",
        /// `--rt-segsleft`: segments left
        segments_left: range<u32> = "--rt-segsleft",
        /// `--rt-len`: bytes of the header
        length: negatable<u32> = "--rt-len",
        /// `--rt-0-res`: the reserved field is 0, type 0 only
        reserved: flag = "--rt-0-res",
        /// `--rt-0-addrs`: its addresses, type 0 only
        addresses: value<AddressList> = "--rt-0-addrs",
        /// `--rt-0-not-strict`: others may stand between them
        not_strict: flag = "--rt-0-not-strict",
    }
}

/// IPv6 addresses with commas between, at most 16.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressList(
    /// In the order written.
    pub Vec<Ipv6Addr>,
);

impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for address in &self.0 {
            write!(f, "{separator}{address}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for AddressList {
    const EXPECTED: &'static str = "up to 16 IPv6 addresses with commas between";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let v6 = map_opt(ip_address, |address| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        });
        nom::combinator::verify(separated_list1(char(','), v6), |list: &Vec<Ipv6Addr>| list.len() <= 16)
            .map(AddressList)
            .parse(input)
    }
}
