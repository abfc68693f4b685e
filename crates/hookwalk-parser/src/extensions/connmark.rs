use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{MarkMask, Negatable};

/// `-m connmark`: the mark of the packet's connection; never holds without one
/// (kernel: `net/netfilter/xt_connmark.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConnmarkMatch {
    /// `--mark`
    pub mark: Option<Negatable<MarkMask>>,
}

impl Extension for ConnmarkMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--mark" => self.mark = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable("--mark", self.mark.as_ref());
    }

    fn missing(&self) -> Option<&'static str> {
        self.mark.is_none().then_some("--mark")
    }
}
