use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{MarkMask, Negatable};

/// `-m mark`: the packet's mark (kernel: `net/netfilter/xt_mark.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MarkMatch {
    /// `--mark`
    pub mark: Option<Negatable<MarkMask>>,
}

impl Extension for MarkMatch {
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
