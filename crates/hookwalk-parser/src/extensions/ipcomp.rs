use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{Negatable, NumberRange};

/// `-m ipcomp`: the parameter index of a compressed payload (kernel: `net/netfilter/xt_ipcomp.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IpcompMatch {
    /// `--ipcompspi`; none is 0, not any
    pub spi: Option<Negatable<NumberRange<u32>>>,
    /// `--compres`: the reserved field is 0
    pub reserved: bool,
}

impl Extension for IpcompMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--ipcompspi" => self.spi = Some(option.negatable()?),
            b"--compres" => self.reserved = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        // The tool prints nothing for all of them, which would be read as 0.
        match self.spi {
            None => out.value("--ipcompspi", Some(0)),
            spi => out.negatable("--ipcompspi", spi.as_ref()),
        }
        out.flag("--compres", self.reserved);
    }
}
