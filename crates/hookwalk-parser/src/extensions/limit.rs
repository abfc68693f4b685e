use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::Rate;

/// `-m limit`: holds while a bucket has tokens (kernel: `net/netfilter/xt_limit.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitMatch {
    /// `--limit`: how fast the bucket fills; in ticks of 1/10000 s
    pub rate: Rate<10_000>,
    /// `--limit-burst`: tokens that it holds
    pub burst: u32,
}

/// Three packets an hour after the first five, as iptables has it.
impl Default for LimitMatch {
    fn default() -> Self {
        LimitMatch { rate: Rate { period: 12_000_000 }, burst: 5 }
    }
}

impl Extension for LimitMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--limit" => self.rate = option.value()?,
            b"--limit-burst" => self.burst = option.value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--limit", Some(self.rate));
        out.value("--limit-burst", Some(self.burst).filter(|burst| *burst != 5));
    }
}
