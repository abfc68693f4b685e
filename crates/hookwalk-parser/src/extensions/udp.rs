use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{Negatable, PortRange};

/// `-m udp`: ports of a UDP header; no non-first fragment matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UdpMatch {
    /// `--sport`
    pub sport: Option<Negatable<PortRange>>,
    /// `--dport`
    pub dport: Option<Negatable<PortRange>>,
}

impl Extension for UdpMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--dport" | b"--destination-port" => self.dport = Some(option.negatable()?),
            b"--sport" | b"--source-port" => self.sport = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.ports("--sport", self.sport);
        out.ports("--dport", self.dport);
    }
}
