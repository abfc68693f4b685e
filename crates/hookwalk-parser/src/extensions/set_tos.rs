use super::{Extension, TosMask};
use crate::syntax::{ArgumentError, Arguments, OptionWriter};

/// `-j TOS`: the byte becomes `(tos & !mask) ^ value` (kernel: `net/netfilter/xt_DSCP.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TosTarget {
    /// `--set-tos`; `--and-tos`, `--or-tos` and `--xor-tos` are other spellings
    pub tos: Option<TosMask>,
}

impl Extension for TosTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        self.tos = Some(match option.name() {
            b"--set-tos" => option.value()?,
            b"--and-tos" => TosMask { value: 0, mask: !option.value::<u8>()? },
            b"--or-tos" => {
                let bits = option.value()?;
                TosMask { value: bits, mask: bits }
            }
            b"--xor-tos" => TosMask { value: option.value()?, mask: 0 },
            _ => return Ok(false),
        });
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--set-tos", self.tos);
    }

    fn missing(&self) -> Option<&'static str> {
        self.tos.is_none().then_some("--set-tos")
    }
}
