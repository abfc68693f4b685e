use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{InterfacePattern, Negatable};

/// `-m physdev`: the ports of a bridge that a packet crosses (kernel: `net/netfilter/xt_physdev.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PhysdevMatch {
    /// `--physdev-in`: the bridge port it came in by.
    pub physdev_in: Option<Negatable<InterfacePattern>>,
    /// `--physdev-is-in`: it came in by a bridge port.
    pub is_in: Option<Negatable<()>>,
    /// `--physdev-out`: the bridge port it leaves by.
    pub physdev_out: Option<Negatable<InterfacePattern>>,
    /// `--physdev-is-out`: it leaves by a bridge port.
    pub is_out: Option<Negatable<()>>,
    /// `--physdev-is-bridged`: it is bridged, not routed.
    pub is_bridged: Option<Negatable<()>>,
}

impl Extension for PhysdevMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--physdev-in" => self.physdev_in = Some(option.negatable()?),
            b"--physdev-out" => self.physdev_out = Some(option.negatable()?),
            b"--physdev-is-in" => self.is_in = Some(option.negatable_flag()),
            b"--physdev-is-out" => self.is_out = Some(option.negatable_flag()),
            b"--physdev-is-bridged" => self.is_bridged = Some(option.negatable_flag()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable_flag("--physdev-is-in", self.is_in);
        out.interface("--physdev-in", self.physdev_in.as_ref());
        out.negatable_flag("--physdev-is-out", self.is_out);
        out.interface("--physdev-out", self.physdev_out.as_ref());
        out.negatable_flag("--physdev-is-bridged", self.is_bridged);
    }
}
