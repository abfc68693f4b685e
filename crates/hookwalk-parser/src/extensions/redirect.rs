use super::{Extension, NatPorts};
use crate::syntax::{ArgumentError, Arguments, OptionWriter};

/// `-j REDIRECT`: rewrites the destination to this node (kernel: `net/netfilter/nf_nat_redirect.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RedirectTarget {
    /// `--to-ports`: the port, or ports to choose from; none keeps the packet's.
    pub to_ports: Option<NatPorts>,
    /// `--random`: the port is drawn.
    pub random: bool,
}

impl Extension for RedirectTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--to-ports" | b"--to-port" => self.to_ports = Some(option.value()?),
            b"--random" => self.random = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--to-ports", self.to_ports);
        out.flag("--random", self.random);
    }
}
