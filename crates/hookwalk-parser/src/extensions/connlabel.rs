use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::{Negatable, Text};

/// `-m connlabel`: a bit of the connection's labels (kernel: `net/netfilter/xt_connlabel.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnlabelMatch {
    /// `--label`: a number from 0 to 127, or a name that the host's files give one
    pub label: Option<Negatable<Text>>,
    /// `--set`: sets the label first
    pub set: bool,
}

impl Extension for ConnlabelMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--label" => self.label = Some(option.negatable_text()?),
            b"--set" => self.set = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(label) = &self.label {
            out.push("--label", label.negated, vec![OptionValue::AlwaysQuoted(label.value.clone())]);
        }
        out.flag("--set", self.set);
    }

    fn missing(&self) -> Option<&'static str> {
        self.label.is_none().then_some("--label")
    }
}
