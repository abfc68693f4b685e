use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::Text;

/// `-j NFLOG`: hands a copy to a log in userspace; the packet goes on (kernel: `net/netfilter/xt_NFLOG.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NflogTarget {
    /// `--nflog-group`; 0 when it is not given
    pub group: Option<u16>,
    /// `--nflog-prefix`, at most 63 bytes
    pub prefix: Option<Text>,
    /// `--nflog-range`: bytes to copy; without effect in the kernel
    pub range: Option<u32>,
    /// `--nflog-size`: bytes to copy
    pub size: Option<u32>,
    /// `--nflog-threshold`: packets to gather before they are handed over
    pub threshold: Option<u16>,
}

impl Extension for NflogTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--nflog-group" => self.group = Some(option.value()?),
            b"--nflog-prefix" => self.prefix = Some(option.text()?),
            b"--nflog-range" => self.range = Some(option.value()?),
            b"--nflog-size" => self.size = Some(option.value()?),
            b"--nflog-threshold" => self.threshold = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.quoted("--nflog-prefix", self.prefix.as_ref().filter(|prefix| !prefix.as_bytes().is_empty()));
        out.value("--nflog-group", self.group.filter(|group| *group != 0));
        out.value("--nflog-range", self.range);
        out.value("--nflog-size", self.size);
        out.value("--nflog-threshold", self.threshold.filter(|threshold| *threshold != 0));
    }
}
