use std::fmt;

use crate::types::{Negatable, Text};

/// One option of a match or target, as `iptables-save` would write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionText {
    /// The option with its dashes: `--dport`.
    pub name: &'static str,
    /// Whether `!` stands before it.
    pub negated: bool,
    /// The words behind it; none for a flag.
    pub values: Vec<OptionValue>,
}

/// One word behind an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// Printed as it is.
    Bare(String),
    /// Printed in quotes unless it is made of letters, digits, `_` and `-` alone.
    Quoted(Text),
}

impl OptionValue {
    /// The value itself, without quotes.
    pub fn to_str(&self) -> std::borrow::Cow<'_, str> {
        match self {
            OptionValue::Bare(text) => text.into(),
            OptionValue::Quoted(text) => text.to_str(),
        }
    }
}

/// Gathers the options of an extension in the order it prints them.
#[derive(Default)]
pub(crate) struct OptionWriter {
    options: Vec<OptionText>,
}

impl OptionWriter {
    pub(crate) fn into_options(self) -> Vec<OptionText> {
        self.options
    }

    pub(crate) fn negatable<T: fmt::Display>(&mut self, name: &'static str, value: Option<&Negatable<T>>) {
        if let Some(value) = value {
            self.push(name, value.negated, vec![OptionValue::Bare(value.value.to_string())]);
        }
    }

    pub(crate) fn value<T: fmt::Display>(&mut self, name: &'static str, value: Option<T>) {
        if let Some(value) = value {
            self.push(name, false, vec![OptionValue::Bare(value.to_string())]);
        }
    }

    pub(crate) fn flag(&mut self, name: &'static str, set: bool) {
        if set {
            self.push(name, false, Vec::new());
        }
    }

    pub(crate) fn negatable_flag(&mut self, name: &'static str, flag: Option<Negatable<()>>) {
        if let Some(flag) = flag {
            self.push(name, flag.negated, Vec::new());
        }
    }

    pub(crate) fn quoted(&mut self, name: &'static str, text: Option<&Text>) {
        if let Some(text) = text {
            self.push(name, false, vec![OptionValue::Quoted(text.clone())]);
        }
    }

    /// An option with several words behind it.
    pub(crate) fn push(&mut self, name: &'static str, negated: bool, values: Vec<OptionValue>) {
        self.options.push(OptionText { name, negated, values });
    }
}
