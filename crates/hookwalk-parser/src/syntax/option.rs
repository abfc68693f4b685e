use std::fmt;

use crate::types::{Family, InterfacePattern, Negatable, PortRange, Text};

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
#[non_exhaustive]
pub enum OptionValue {
    /// Printed as it is.
    Bare(String),
    /// Printed as it is, and not always UTF-8: names of sets, interfaces and the like.
    Raw(Text),
    /// Printed in quotes, however plain.
    AlwaysQuoted(Text),
    /// Printed in quotes unless it is made of letters, digits, `_` and `-` alone.
    Quoted(Text),
}

impl OptionValue {
    /// The value itself, without quotes.
    pub fn to_str(&self) -> std::borrow::Cow<'_, str> {
        match self {
            OptionValue::Bare(text) => text.into(),
            OptionValue::Raw(text) | OptionValue::AlwaysQuoted(text) | OptionValue::Quoted(text) => {
                text.to_str()
            }
        }
    }
}

/// Gathers the options of an extension in the order it prints them.
#[derive(Default)]
pub(crate) struct OptionWriter {
    options: Vec<OptionText>,
    /// Some defaults print as the family has them; none when it is not known.
    pub(crate) family: Option<Family>,
    /// `iptables-nft` turns the match into its own language and back, which changes some options.
    pub(crate) is_native: bool,
}

impl OptionWriter {
    pub(crate) fn of(family: Option<Family>, is_native: bool) -> Self {
        OptionWriter { options: Vec::new(), family, is_native }
    }

    pub(crate) fn into_options(self) -> Vec<OptionText> {
        self.options
    }

    pub(crate) fn negatable<T: fmt::Display>(&mut self, name: &'static str, value: Option<&Negatable<T>>) {
        if let Some(value) = value {
            self.push(name, value.negated, vec![OptionValue::Bare(value.value.to_string())]);
        }
    }

    /// An interface's name need not be UTF-8.
    pub(crate) fn interface(&mut self, name: &'static str, value: Option<&Negatable<InterfacePattern>>) {
        if let Some(value) = value {
            self.push(name, value.negated, vec![OptionValue::Raw(value.value.text())]);
        }
    }

    /// Ports, unless they are all. In nft the ports outside `0:N` are those above it.
    pub(crate) fn ports(&mut self, name: &'static str, ports: Option<Negatable<PortRange>>) {
        let above = |ports: Negatable<PortRange>| match ports {
            Negatable { negated: true, value: PortRange { first: 0, last: last @ 1.. } }
                if self.is_native =>
            {
                let first = last.checked_add(1)?;
                Some(Negatable { negated: false, value: PortRange { first, last: u16::MAX } })
            }
            _ => None,
        };
        let ports = ports.map(|ports| above(ports).unwrap_or(ports));
        self.negatable(name, ports.filter(|ports| ports.negated || ports.value != PortRange::ALL).as_ref());
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

    pub(crate) fn negatable_quoted(&mut self, name: &'static str, text: Option<&Negatable<Text>>) {
        if let Some(text) = text {
            self.push(name, text.negated, vec![OptionValue::Quoted(text.value.clone())]);
        }
    }

    pub(crate) fn negatable_raw(&mut self, name: &'static str, text: Option<&Negatable<Text>>) {
        if let Some(text) = text {
            self.push(name, text.negated, vec![OptionValue::Raw(text.value.clone())]);
        }
    }

    pub(crate) fn raw(&mut self, name: &'static str, text: Option<&Text>) {
        if let Some(text) = text {
            self.push(name, false, vec![OptionValue::Raw(text.clone())]);
        }
    }

    /// An option with several words behind it.
    pub(crate) fn push(&mut self, name: &'static str, negated: bool, values: Vec<OptionValue>) {
        self.options.push(OptionText { name, negated, values });
    }
}
