use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};

/// `-j NOTRACK`: the older spelling of `-j CT --notrack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NotrackTarget {}

impl Extension for NotrackTarget {
    fn read(&mut self, _: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        Ok(false)
    }

    fn write(&self, _: &mut OptionWriter) {}
}
