use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::{PortRange, nat_ports};

/// `-j MASQUERADE`: rewrites the source to an address of the interface the packet leaves by
/// (kernel: `net/netfilter/nf_nat_masquerade.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MasqueradeTarget {
    /// `--to-ports`: the ports to choose from.
    pub to_ports: Option<NatPorts>,
    /// `--random`: the port is drawn.
    pub random: bool,
    /// `--random-fully`: the port is drawn without a hash of the connection.
    pub random_fully: bool,
}

/// Ports of a NAT target, which print with `-` between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatPorts(
    /// The range.
    pub PortRange,
);

impl fmt::Display for NatPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.first == self.0.last {
            write!(f, "{}", self.0.first)
        } else {
            write!(f, "{}-{}", self.0.first, self.0.last)
        }
    }
}

impl Value for NatPorts {
    const EXPECTED: &'static str = "a port, or two as 1024-65535";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        nat_ports(input).map(|(rest, ports)| (rest, NatPorts(ports)))
    }
}

impl Extension for MasqueradeTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--to-ports" | b"--to-port" => self.to_ports = Some(option.value()?),
            b"--random" => self.random = option.flag()?,
            b"--random-fully" => self.random_fully = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--to-ports", self.to_ports);
        out.flag("--random", self.random);
        out.flag("--random-fully", self.random_fully);
    }
}
