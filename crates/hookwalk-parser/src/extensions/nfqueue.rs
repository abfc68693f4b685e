use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::NumberRange;

/// `-j NFQUEUE`: a program decides (kernel: `net/netfilter/xt_NFQUEUE.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NfqueueTarget {
    /// `--queue-num`; 0 when it is not given
    pub queue: u16,
    /// `--queue-balance`: one of several queues instead
    pub balance: Option<NumberRange<u16>>,
    /// `--queue-bypass`: without a program at the queue the packet goes on
    pub bypass: bool,
    /// `--queue-cpu-fanout`: the processor picks the queue
    pub cpu_fanout: bool,
}

impl Extension for NfqueueTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--queue-num" => self.queue = option.value()?,
            b"--queue-balance" => self.balance = Some(option.value()?),
            b"--queue-bypass" => self.bypass = option.flag()?,
            b"--queue-cpu-fanout" => self.cpu_fanout = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        match self.balance {
            Some(balance) => out.value("--queue-balance", Some(balance)),
            None => out.value("--queue-num", Some(self.queue)),
        }
        out.flag("--queue-bypass", self.bypass);
        out.flag("--queue-cpu-fanout", self.cpu_fanout);
    }
}
