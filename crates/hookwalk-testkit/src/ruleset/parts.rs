//! Matches and targets, and how they are written.

use std::fmt;
use std::net::Ipv4Addr;

/// Whether a match is negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Not(pub bool);

impl fmt::Display for Not {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "! " } else { "" })
    }
}

/// An address and a mask of any bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Masked {
    /// The address.
    pub address: Ipv4Addr,
    /// The bits that count.
    pub mask: u32,
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, Ipv4Addr::from_bits(self.mask))
    }
}

/// A range of ports; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports {
    /// The first.
    pub low: u16,
    /// The last.
    pub high: u16,
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "{}:{}", self.low, self.high)
        }
    }
}

/// Which end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Its source.
    Source,
    /// Its destination.
    Destination,
}

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `icmp`
    Icmp,
    /// By number.
    Other(u8),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Icmp => f.write_str("icmp"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

/// A condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// `-s`, `-d`
    Address(Not, Side, Masked),
    /// `-i`, a name or a prefix with `+`
    In(Not, String),
    /// `-o`, likewise
    Out(Not, String),
    /// `-p`
    Protocol(Not, Protocol),
    /// `--sport`, `--dport` of TCP or UDP
    Ports(Not, Protocol, Side, Ports),
    /// `--tcp-flags`: the mask, and those of it that are set
    TcpFlags(Not, &'static str, &'static str),
    /// `--icmp-type`, with or without a code
    IcmpType(Not, u8, Option<u8>),
    /// `-m mark`: value and mask
    Mark(Not, u32, u32),
    /// `-m conntrack --ctstate`
    State(Not, Vec<&'static str>),
    /// `-m multiport`, up to 15 ports, a range counting twice
    Multiport(Not, Side, Vec<Ports>),
    /// `-m addrtype` with `LOCAL`
    IsLocal(Not, Side),
    /// `-m comment`
    Comment(String),
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(not, Side::Source, masked) => write!(f, "{not}-s {masked}"),
            Self::Address(not, Side::Destination, masked) => write!(f, "{not}-d {masked}"),
            Self::In(not, name) => write!(f, "{not}-i {name}"),
            Self::Out(not, name) => write!(f, "{not}-o {name}"),
            Self::Protocol(not, protocol) => write!(f, "{not}-p {protocol}"),
            Self::Ports(not, protocol, side, ports) => {
                let option = if *side == Side::Source { "--sport" } else { "--dport" };
                write!(f, "-m {protocol} {not}{option} {ports}")
            }
            Self::TcpFlags(not, mask, set) => write!(f, "-m tcp {not}--tcp-flags {mask} {set}"),
            Self::IcmpType(not, icmp_type, None) => write!(f, "-m icmp {not}--icmp-type {icmp_type}"),
            Self::IcmpType(not, icmp_type, Some(code)) => {
                write!(f, "-m icmp {not}--icmp-type {icmp_type}/{code}")
            }
            Self::Mark(not, value, mask) => write!(f, "-m mark {not}--mark {value:#x}/{mask:#x}"),
            Self::State(not, states) => write!(f, "-m conntrack {not}--ctstate {}", states.join(",")),
            Self::Multiport(not, side, ports) => {
                let option = if *side == Side::Source { "--sports" } else { "--dports" };
                let ports: Vec<String> = ports.iter().map(Ports::to_string).collect();
                write!(f, "-m multiport {not}{option} {}", ports.join(","))
            }
            Self::IsLocal(not, Side::Source) => write!(f, "-m addrtype {not}--src-type LOCAL"),
            Self::IsLocal(not, Side::Destination) => write!(f, "-m addrtype {not}--dst-type LOCAL"),
            Self::Comment(text) => write!(f, "-m comment --comment \"{text}\""),
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nothing but counting.
    None,
    /// `-j ACCEPT`
    Accept,
    /// `-j DROP`
    Drop,
    /// `-j RETURN`
    Return,
    /// `-j` a chain
    Jump(String),
    /// `-g` a chain
    Goto(String),
    /// `-j REJECT --reject-with`
    Reject(&'static str),
    /// `-j MARK --set-xmark`: value and mask
    Mark(u32, u32),
    /// `-j DNAT`: to an address, a port, or both
    Dnat(Option<Ipv4Addr>, Option<u16>),
    /// `-j MASQUERADE`
    Masquerade,
}

impl fmt::Display for Target {
    /// With a blank before it, and as nothing where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Accept => f.write_str(" -j ACCEPT"),
            Self::Drop => f.write_str(" -j DROP"),
            Self::Return => f.write_str(" -j RETURN"),
            Self::Jump(chain) => write!(f, " -j {chain}"),
            Self::Goto(chain) => write!(f, " -g {chain}"),
            Self::Reject(with) => write!(f, " -j REJECT --reject-with {with}"),
            Self::Mark(value, mask) => write!(f, " -j MARK --set-xmark {value:#x}/{mask:#x}"),
            Self::Dnat(address, port) => {
                f.write_str(" -j DNAT --to-destination ")?;
                address.map_or(Ok(()), |address| write!(f, "{address}"))?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
            Self::Masquerade => f.write_str(" -j MASQUERADE"),
        }
    }
}
