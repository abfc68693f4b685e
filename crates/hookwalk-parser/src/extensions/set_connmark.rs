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
    /// `--left-shift-mark`, `--right-shift-mark`: what is written is shifted first.
    pub shift: Option<MarkShift>,
}

/// By how many bits a mark is shifted on its way (kernel: `connmark_tg_shift` in
/// `net/netfilter/xt_connmark.c`).
///
/// `--set-xmark` shifts the whole new mark of the connection, `--save-mark` shifts
/// `mark & nfmask`, `--restore-mark` shifts `ctmark & ctmask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkShift {
    /// To the right; else to the left.
    pub right: bool,
    /// From 0 to 31.
    pub bits: u8,
}

impl MarkShift {
    /// The mark with its bits moved; those moved out are gone.
    ///
    /// ```
    /// use hookwalk_parser::extensions::MarkShift;
    /// assert_eq!(MarkShift { right: false, bits: 4 }.apply(0xf000_0001), 0x10);
    /// assert_eq!(MarkShift { right: true, bits: 4 }.apply(0xf000_0001), 0x0f00_0000);
    /// ```
    pub fn apply(self, mark: u32) -> u32 {
        let bits = u32::from(self.bits);
        if self.right { mark.checked_shr(bits) } else { mark.checked_shl(bits) }.unwrap_or(0)
    }
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

fn shift(right: bool, option: &mut Arguments<'_>) -> Result<MarkShift, ArgumentError> {
    match option.value::<u8>()? {
        bits @ 0..=31 => Ok(MarkShift { right, bits }),
        _ => option.expected("a number of bits from 0 to 31"),
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
            b"--left-shift-mark" => self.shift = Some(shift(false, option)?),
            b"--right-shift-mark" => self.shift = Some(shift(true, option)?),
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
        if let Some(MarkShift { right, bits: bits @ 1.. }) = self.shift {
            out.value(if right { "--right-shift-mark" } else { "--left-shift-mark" }, Some(bits));
        }
    }

    fn missing(&self) -> Option<&'static str> {
        self.action.is_none().then_some("--set-xmark, --save-mark or --restore-mark")
    }
}
