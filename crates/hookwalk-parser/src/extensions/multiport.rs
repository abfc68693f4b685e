use std::fmt;

use nom::character::complete::char;
use nom::multi::separated_list1;
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::{Negatable, PortRange};

/// `-m multiport`: a list of ports; no non-first fragment matches (kernel: `net/netfilter/xt_multiport.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MultiportMatch {
    /// Which port is looked for in which list.
    pub ports: Option<MultiportPorts>,
}

/// The one option of `-m multiport`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiportPorts {
    /// `--sports`
    Source(Negatable<PortList>),
    /// `--dports`
    Destination(Negatable<PortList>),
    /// `--ports`: either port
    Either(Negatable<PortList>),
}

/// Ports and ranges in the order written; the kernel has room for 15, a range taking two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortList(
    /// The ranges.
    pub Vec<PortRange>,
);

impl PortList {
    /// Whether a port is in the list.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(port))
    }
}

impl fmt::Display for PortList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for range in &self.0 {
            write!(f, "{separator}{range}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for PortList {
    const EXPECTED: &'static str = "up to 15 ports, a range counting twice, as 80,443,8000:8080";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let slots = |range: &PortRange| if range.first == range.last { 1 } else { 2 };
        nom::combinator::verify(separated_list1(char(','), PortRange::read), |list: &Vec<PortRange>| {
            list.iter().map(slots).sum::<usize>() <= 15
        })
        .map(PortList)
        .parse(input)
    }
}

impl Extension for MultiportMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        self.ports = Some(match option.name() {
            b"--dports" | b"--destination-ports" => MultiportPorts::Destination(option.negatable()?),
            b"--sports" | b"--source-ports" => MultiportPorts::Source(option.negatable()?),
            b"--ports" | b"--port" => MultiportPorts::Either(option.negatable()?),
            _ => return Ok(false),
        });
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        match &self.ports {
            Some(MultiportPorts::Source(list)) => out.negatable("--sports", Some(list)),
            Some(MultiportPorts::Destination(list)) => out.negatable("--dports", Some(list)),
            Some(MultiportPorts::Either(list)) => out.negatable("--ports", Some(list)),
            None => {}
        }
    }

    fn missing(&self) -> Option<&'static str> {
        self.ports.is_none().then_some("--sports, --dports or --ports")
    }
}
