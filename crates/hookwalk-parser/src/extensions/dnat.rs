use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{Family, NatRange};

/// `-j DNAT`: rewrites the destination of a connection; nat table only (kernel: `net/netfilter/xt_nat.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DnatTarget {
    /// `--to-destination`
    pub to: NatRange,
    /// `--random`: the port is drawn.
    pub random: bool,
    /// `--random-fully`: the port is drawn without a hash of the connection.
    pub random_fully: bool,
    /// `--persistent`: one client gets one address for all its connections.
    pub persistent: bool,
}

impl Extension for DnatTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--to-destination" | b"--to" => self.to = option.value()?,
            b"--random" => self.random = option.flag()?,
            b"--random-fully" => self.random_fully = option.flag()?,
            b"--persistent" => self.persistent = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--to-destination", Some(self.to));
        out.flag("--random", self.random);
        out.flag("--random-fully", self.random_fully);
        out.flag("--persistent", self.persistent);
    }

    fn missing(&self) -> Option<&'static str> {
        (self.to == NatRange::default()).then_some("--to-destination")
    }
    fn family(&self) -> Option<Family> {
        self.to.addresses.map(|range| Family::of(range.first))
    }
}
