use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{ConnStates, Negatable};

/// `-m state`: the older spelling of `-m conntrack --ctstate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StateMatch {
    /// `--state`
    pub states: Option<Negatable<ConnStates>>,
}

impl Extension for StateMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--state" => self.states = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable("--state", self.states.as_ref());
    }

    fn missing(&self) -> Option<&'static str> {
        self.states.is_none().then_some("--state")
    }
}
