use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter, Value};
use crate::types::{Negatable, Text};

/// `-m set`: membership in an ipset (kernel: `net/netfilter/xt_set.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SetMatch {
    /// `--match-set NAME FLAGS`
    pub match_set: Option<Negatable<SetReference>>,
    /// `--return-nomatch`: an element marked `nomatch` counts as a match.
    pub return_nomatch: bool,
    /// `! --update-counters`: a match leaves the element's counters alone.
    pub keep_counters: bool,
    /// `! --update-subcounters`: a match leaves the counters of a set in a list alone.
    pub keep_subcounters: bool,
    /// `--packets-eq`, `--packets-lt`, `--packets-gt` on the element's packet counter.
    pub packets: Option<CounterComparison>,
    /// `--bytes-eq`, `--bytes-lt`, `--bytes-gt` on the element's byte counter.
    pub bytes: Option<CounterComparison>,
}

/// A set by name, and which part of the packet goes into each of its dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetReference {
    /// The name of the set, any bytes but blanks.
    pub name: Text,
    /// A packet's part for each dimension, in the set's order.
    pub dimensions: SetDimensions,
}

/// `src` or `dst` for each dimension of a set, at most six.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDimensions(
    /// In the order of the set's type.
    pub Vec<SetDirection>,
);

/// Which address, port or interface of the packet is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetDirection {
    /// The source address or port, the in interface.
    Src,
    /// The destination address or port, the out interface.
    Dst,
}

/// A comparison with a counter of a set's element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterComparison {
    /// Equal, or with `!` not.
    Equal(Negatable<u64>),
    /// Below.
    Less(u64),
    /// Above.
    Greater(u64),
}

impl fmt::Display for SetDimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for direction in &self.0 {
            let name = match direction {
                SetDirection::Src => "src",
                SetDirection::Dst => "dst",
            };
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for SetDimensions {
    const EXPECTED: &'static str = "src or dst for each dimension of the set, as src,dst";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let directions: Option<Vec<_>> = input
            .split(|&b| b == b',')
            .map(|word| match word {
                b"src" => Some(SetDirection::Src),
                b"dst" => Some(SetDirection::Dst),
                _ => None,
            })
            .collect();
        match directions {
            Some(directions) if directions.len() <= 6 => Ok((&[], SetDimensions(directions))),
            _ => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}

impl Value for u64 {
    const EXPECTED: &'static str = "a number";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        crate::types::number::number(input)
    }
}

impl Extension for SetMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--match-set" | b"--set" => {
                let name = option.negatable_text()?;
                let dimensions = option.next()?;
                let value = SetReference { name: name.value, dimensions };
                self.match_set = Some(Negatable { negated: name.negated, value });
            }
            b"--return-nomatch" => self.return_nomatch = option.flag()?,
            b"--update-counters" => self.keep_counters = option.negatable_flag().negated,
            b"--update-subcounters" => self.keep_subcounters = option.negatable_flag().negated,
            b"--packets-eq" => self.packets = Some(CounterComparison::Equal(option.negatable()?)),
            b"--packets-lt" => self.packets = Some(CounterComparison::Less(option.value()?)),
            b"--packets-gt" => self.packets = Some(CounterComparison::Greater(option.value()?)),
            b"--bytes-eq" => self.bytes = Some(CounterComparison::Equal(option.negatable()?)),
            b"--bytes-lt" => self.bytes = Some(CounterComparison::Less(option.value()?)),
            b"--bytes-gt" => self.bytes = Some(CounterComparison::Greater(option.value()?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(Negatable { negated, value }) = &self.match_set {
            let values = vec![
                OptionValue::Raw(value.name.clone()),
                OptionValue::Bare(value.dimensions.to_string()),
            ];
            out.push("--match-set", *negated, values);
        }
        out.flag("--return-nomatch", self.return_nomatch);
        for (keep, name) in
            [(self.keep_counters, "--update-counters"), (self.keep_subcounters, "--update-subcounters")]
        {
            if keep {
                out.push(name, true, Vec::new());
            }
        }
        let names = [
            (self.packets, ["--packets-eq", "--packets-lt", "--packets-gt"]),
            (self.bytes, ["--bytes-eq", "--bytes-lt", "--bytes-gt"]),
        ];
        for (comparison, [equal, less, greater]) in names {
            match comparison {
                Some(CounterComparison::Equal(n)) => out.negatable(equal, Some(&n)),
                Some(CounterComparison::Less(n)) => out.value(less, Some(n)),
                Some(CounterComparison::Greater(n)) => out.value(greater, Some(n)),
                None => {}
            }
        }
    }

    fn missing(&self) -> Option<&'static str> {
        self.match_set.is_none().then_some("--match-set")
    }
}
