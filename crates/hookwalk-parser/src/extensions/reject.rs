use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::choice::abbreviates;
use crate::types::Family;

/// `-j REJECT`: drops the packet and answers it (kernel: `net/ipv4/netfilter/ipt_REJECT.c`,
/// `net/ipv6/netfilter/ip6t_REJECT.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RejectTarget {
    /// `--reject-with`; none is port unreachable of the dump's family.
    pub with: Option<RejectWith>,
}

/// The answer of `-j REJECT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectWith {
    /// `tcp-reset`, both families.
    TcpReset,
    /// ICMP 3/0
    IcmpNetUnreachable,
    /// ICMP 3/1
    IcmpHostUnreachable,
    /// ICMP 3/2
    IcmpProtoUnreachable,
    /// ICMP 3/3
    IcmpPortUnreachable,
    /// ICMP 3/9
    IcmpNetProhibited,
    /// ICMP 3/10
    IcmpHostProhibited,
    /// ICMP 3/13
    IcmpAdminProhibited,
    /// ICMPv6 1/0
    Icmp6NoRoute,
    /// ICMPv6 1/1
    Icmp6AdmProhibited,
    /// ICMPv6 1/3
    Icmp6AddrUnreachable,
    /// ICMPv6 1/4
    Icmp6PortUnreachable,
    /// ICMPv6 1/5
    Icmp6PolicyFail,
    /// ICMPv6 1/6
    Icmp6RejectRoute,
}

/// The first name is the one that prints; the start of a name is enough, and the first that fits is taken.
const NAMES: &[(RejectWith, &[&str])] = &[
    (RejectWith::IcmpNetUnreachable, &["icmp-net-unreachable", "net-unreach"]),
    (RejectWith::IcmpHostUnreachable, &["icmp-host-unreachable", "host-unreach"]),
    (RejectWith::IcmpProtoUnreachable, &["icmp-proto-unreachable", "proto-unreach"]),
    (RejectWith::IcmpPortUnreachable, &["icmp-port-unreachable"]),
    (RejectWith::IcmpNetProhibited, &["icmp-net-prohibited", "net-prohib"]),
    (RejectWith::IcmpHostProhibited, &["icmp-host-prohibited", "host-prohib"]),
    (RejectWith::TcpReset, &["tcp-reset", "tcp-rst"]),
    (RejectWith::IcmpAdminProhibited, &["icmp-admin-prohibited", "admin-prohib"]),
    (RejectWith::Icmp6NoRoute, &["icmp6-no-route", "no-route"]),
    (RejectWith::Icmp6AdmProhibited, &["icmp6-adm-prohibited", "adm-prohibited"]),
    (RejectWith::Icmp6AddrUnreachable, &["icmp6-addr-unreachable", "addr-unreach"]),
    (RejectWith::Icmp6PortUnreachable, &["icmp6-port-unreachable"]),
    (RejectWith::Icmp6PolicyFail, &["icmp6-policy-fail", "policy-fail"]),
    (RejectWith::Icmp6RejectRoute, &["icmp6-reject-route", "reject-route"]),
];

impl RejectWith {
    /// The family that the answer belongs to; none for `tcp-reset`, which both know.
    pub fn family(self) -> Option<Family> {
        match self {
            RejectWith::TcpReset => None,
            RejectWith::IcmpNetUnreachable
            | RejectWith::IcmpHostUnreachable
            | RejectWith::IcmpProtoUnreachable
            | RejectWith::IcmpPortUnreachable
            | RejectWith::IcmpNetProhibited
            | RejectWith::IcmpHostProhibited
            | RejectWith::IcmpAdminProhibited => Some(Family::V4),
            _ => Some(Family::V6),
        }
    }
}

impl fmt::Display for RejectWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = NAMES.iter().find(|(with, _)| with == self).and_then(|(_, names)| names.first());
        f.write_str(names.copied().unwrap_or_default())
    }
}

impl Value for RejectWith {
    const EXPECTED: &'static str = "an answer such as icmp-port-unreachable, icmp6-port-unreachable or tcp-reset";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        NAMES
            .iter()
            .find(|(_, names)| names.iter().any(|name| abbreviates(input, name)))
            .map(|(with, _)| (&b""[..], *with))
            .ok_or_else(|| nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt)))
    }
}

impl Extension for RejectTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            // The one short name that both families have is what neither needs to say.
            b"--reject-with" if option.peek().is_some_and(|word| abbreviates(word, "port-unreach")) => {
                option.text()?;
                self.with = None;
            }
            b"--reject-with" => self.with = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let port_unreachable = |family| match family {
            Family::V4 => RejectWith::IcmpPortUnreachable,
            Family::V6 => RejectWith::Icmp6PortUnreachable,
        };
        out.value("--reject-with", self.with.or(out.family.map(port_unreachable)));
    }
    fn family(&self) -> Option<Family> {
        self.with.and_then(RejectWith::family)
    }
}
