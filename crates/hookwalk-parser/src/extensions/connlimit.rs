use std::net::IpAddr;

use nom::branch::alt;
use nom::combinator::map_opt;
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::address::ip_address;
use crate::types::number::number_as;
use crate::types::{Family, MaskedAddress, Negatable};

/// `-m connlimit`: how many connections one address, or one network, has
/// (kernel: `net/netfilter/xt_connlimit.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConnlimitMatch {
    /// `--connlimit-above` and `--connlimit-upto`
    pub limit: Option<ConnectionLimit>,
    /// `--connlimit-mask`: prefix length of the network; the whole address when it is not given
    pub mask: Option<u8>,
    /// `--connlimit-daddr`: destinations are counted, not sources (`--connlimit-saddr`).
    pub daddr: bool,
}

/// On which side of the limit it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLimit {
    /// More connections than this.
    Above(u32),
    /// At most so many.
    Upto(u32),
}

/// A prefix length, or the mask of IPv4 that has it.
struct Mask(u8);

impl Value for Mask {
    const EXPECTED: &'static str = "a prefix length from 0 to 32, for IPv6 to 128";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let in_full = map_opt(ip_address, |mask| match mask {
            IpAddr::V4(mask) => MaskedAddress::v4(mask, mask).prefix_len(),
            IpAddr::V6(_) => None,
        });
        alt((in_full, map_opt(number_as, |len: u8| (len <= 128).then_some(len)))).map(Mask).parse(input)
    }
}

impl Extension for ConnlimitMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--connlimit-above" => {
                let Negatable { negated, value } = option.negatable()?;
                self.limit = Some(if negated { ConnectionLimit::Upto(value) } else { ConnectionLimit::Above(value) });
            }
            b"--connlimit-upto" => {
                let Negatable { negated, value } = option.negatable()?;
                self.limit = Some(if negated { ConnectionLimit::Above(value) } else { ConnectionLimit::Upto(value) });
            }
            b"--connlimit-mask" => {
                let Mask(mask) = option.value()?;
                self.mask = Some(mask);
            }
            b"--connlimit-saddr" => self.daddr = !option.flag()?,
            b"--connlimit-daddr" => self.daddr = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        match self.limit {
            Some(ConnectionLimit::Above(n)) => out.value("--connlimit-above", Some(n)),
            Some(ConnectionLimit::Upto(n)) => out.value("--connlimit-upto", Some(n)),
            None => {}
        }
        let whole = out.family.map(|family| if family == Family::V4 { 32 } else { 128 });
        let mask = self.mask.or(whole).map(|mask| mask.min(whole.unwrap_or(128)));
        out.value("--connlimit-mask", mask);
        out.flag("--connlimit-saddr", !self.daddr);
        out.flag("--connlimit-daddr", self.daddr);
    }

    fn missing(&self) -> Option<&'static str> {
        self.limit.is_none().then_some("--connlimit-above or --connlimit-upto")
    }
}
