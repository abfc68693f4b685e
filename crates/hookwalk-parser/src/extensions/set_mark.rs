use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::MarkMask;

/// `-j MARK`: the packet's mark becomes `(mark & !self.mask) ^ self.value`
/// (kernel: `net/netfilter/xt_mark.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkTarget {
    /// The bits to exclusive-or in.
    pub value: u32,
    /// The bits to clear first.
    pub mask: u32,
}

impl MarkTarget {
    /// The mark after the target.
    pub const fn apply(self, mark: u32) -> u32 {
        (mark & !self.mask) ^ self.value
    }
}

/// Changes nothing, as `--set-xmark 0x0/0x0` would not.
impl Default for MarkTarget {
    fn default() -> Self {
        MarkTarget { value: 0, mask: 0 }
    }
}

/// The spellings of setting a mark, which `MARK` and `CONNMARK` share: all are one `value/mask`.
pub(super) fn read_set_mark(option: &mut Arguments<'_>) -> Result<Option<MarkMask>, ArgumentError> {
    Ok(Some(match option.name() {
        b"--set-xmark" => option.value::<MarkMask>()?,
        b"--set-mark" => {
            let mark = option.value::<MarkMask>()?;
            MarkMask { value: mark.value, mask: mark.value | mark.mask }
        }
        b"--or-mark" => {
            let bits = option.value()?;
            MarkMask { value: bits, mask: bits }
        }
        b"--and-mark" => MarkMask { value: 0, mask: !option.value::<u32>()? },
        b"--xor-mark" => MarkMask { value: option.value()?, mask: 0 },
        _ => return Ok(None),
    }))
}

impl Extension for MarkTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        let Some(MarkMask { value, mask }) = read_set_mark(option)? else { return Ok(false) };
        *self = MarkTarget { value, mask };
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let mark = format!("{:#x}/{:#x}", self.value, self.mask);
        out.push("--set-xmark", false, vec![OptionValue::Bare(mark)]);
    }
}
