use super::set_mark::read_set_mark;
use super::{Extension, MarkTarget};
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::MarkMask;

/// `-j CONNMARK`: sets the connection's mark, or copies between it and the packet's
/// (kernel: `net/netfilter/xt_connmark.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ConnmarkTarget {
    /// Which of the three it does.
    pub action: Option<ConnmarkAction>,
}

/// What `-j CONNMARK` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnmarkAction {
    /// `--set-xmark`: the connection's mark becomes `(ctmark & !mask) ^ value`.
    Set(MarkTarget),
    /// `--save-mark`: the connection's mark becomes `(ctmark & !ctmask) ^ (mark & nfmask)`.
    Save(MarkMasks),
    /// `--restore-mark`: the packet's mark becomes `(mark & !nfmask) ^ (ctmark & ctmask)`.
    Restore(MarkMasks),
}

/// The bits that `--save-mark` and `--restore-mark` copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkMasks {
    /// `--nfmask`: bits of the packet's mark.
    pub nfmask: u32,
    /// `--ctmask`: bits of the connection's mark.
    pub ctmask: u32,
}

impl ConnmarkTarget {
    fn masks(&mut self) -> Option<&mut MarkMasks> {
        match &mut self.action {
            Some(ConnmarkAction::Save(masks) | ConnmarkAction::Restore(masks)) => Some(masks),
            _ => None,
        }
    }
}

impl Extension for ConnmarkTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        const ALL: MarkMasks = MarkMasks { nfmask: u32::MAX, ctmask: u32::MAX };
        const NEEDS_COPY: &str = "--save-mark or --restore-mark before its masks";
        match option.name() {
            b"--save-mark" => {
                option.flag()?;
                self.action = Some(ConnmarkAction::Save(ALL));
            }
            b"--restore-mark" => {
                option.flag()?;
                self.action = Some(ConnmarkAction::Restore(ALL));
            }
            b"--nfmask" => match (option.value()?, self.masks()) {
                (mask, Some(masks)) => masks.nfmask = mask,
                _ => return option.expected(NEEDS_COPY),
            },
            b"--ctmask" => match (option.value()?, self.masks()) {
                (mask, Some(masks)) => masks.ctmask = mask,
                _ => return option.expected(NEEDS_COPY),
            },
            b"--mask" => match (option.value()?, self.masks()) {
                (mask, Some(masks)) => *masks = MarkMasks { nfmask: mask, ctmask: mask },
                _ => return option.expected(NEEDS_COPY),
            },
            _ => {
                let Some(MarkMask { value, mask }) = read_set_mark(option)? else { return Ok(false) };
                self.action = Some(ConnmarkAction::Set(MarkTarget { value, mask }));
            }
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let masks = |out: &mut OptionWriter, masks: MarkMasks| {
            out.value("--nfmask", Some(format_args!("{:#x}", masks.nfmask)));
            out.value("--ctmask", Some(format_args!("{:#x}", masks.ctmask)));
        };
        match self.action {
            Some(ConnmarkAction::Set(mark)) => {
                let mark = format!("{:#x}/{:#x}", mark.value, mark.mask);
                out.push("--set-xmark", false, vec![OptionValue::Bare(mark)]);
            }
            Some(ConnmarkAction::Save(copied)) => {
                out.flag("--save-mark", true);
                masks(out, copied);
            }
            Some(ConnmarkAction::Restore(copied)) => {
                out.flag("--restore-mark", true);
                masks(out, copied);
            }
            None => {}
        }
    }

    fn missing(&self) -> Option<&'static str> {
        self.action.is_none().then_some("--set-xmark, --save-mark or --restore-mark")
    }
}
