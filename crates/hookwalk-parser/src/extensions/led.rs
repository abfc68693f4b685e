use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::Text;

/// `-j LED`: blinks; the packet goes on (kernel: `net/netfilter/xt_LED.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LedTarget {
    /// `--led-trigger-id`: its name
    pub trigger: Option<Text>,
    /// `--led-delay`: how long it stays on
    pub delay: LedDelay,
    /// `--led-always-blink`: also when it is on already
    pub always_blink: bool,
}

/// How long a light stays on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedDelay {
    /// Milliseconds; 0 when it is not given.
    Milliseconds(u32),
    /// For ever.
    Infinite,
}

impl Default for LedDelay {
    fn default() -> Self {
        LedDelay::Milliseconds(0)
    }
}

impl Extension for LedTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--led-trigger-id" => self.trigger = Some(option.text()?),
            b"--led-delay" if option.peek() == Some(b"inf") => {
                option.text()?;
                self.delay = LedDelay::Infinite;
            }
            b"--led-delay" => self.delay = LedDelay::Milliseconds(option.value()?),
            b"--led-always-blink" => self.always_blink = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(trigger) = &self.trigger {
            out.push("--led-trigger-id", false, vec![OptionValue::AlwaysQuoted(trigger.clone())]);
        }
        match self.delay {
            LedDelay::Milliseconds(0) => {}
            LedDelay::Milliseconds(delay) => out.value("--led-delay", Some(delay)),
            LedDelay::Infinite => out.value("--led-delay", Some("inf")),
        }
        out.flag("--led-always-blink", self.always_blink);
    }

    fn missing(&self) -> Option<&'static str> {
        self.trigger.is_none().then_some("--led-trigger-id")
    }
}
