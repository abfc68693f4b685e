use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::choice::words;
use crate::types::{Negatable, Text};

/// `-m string`: bytes in the packet (kernel: `net/netfilter/xt_string.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct StringMatch {
    /// `--string`, `--hex-string`: what is looked for, at most 128 bytes
    pub pattern: Option<Negatable<Text>>,
    /// `--algo`
    pub algorithm: Option<StringAlgorithm>,
    /// `--from`: where the search starts, bytes from the IP header; 0 when it is not given
    pub from: Option<u16>,
    /// `--to`: where it ends; 65535 when it is not given
    pub to: Option<u16>,
    /// `--icase`: letters match in any case
    pub ignore_case: bool,
}

words! {
    /// `--algo` of `-m string`; both find the same.
    StringAlgorithm, "bm or kmp" {
        /// Boyer and Moore.
        BoyerMoore = "bm",
        /// Knuth, Pratt and Morris.
        KnuthMorrisPratt = "kmp",
    }
}

/// `text|68 65 78|text`: hexadecimal between bars, where `\` takes the next byte as it is.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.iter().copied();
    let mut inside = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'|' => inside = !inside,
            b' ' if inside => {}
            _ if inside => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                out.push(digit(byte)? << 4 | digit(bytes.next()?)?);
            }
            b'\\' => out.push(bytes.next()?),
            _ => out.push(byte),
        }
    }
    (!inside).then_some(out)
}

impl Extension for StringMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        const LONGEST: usize = 128;
        let name = option.name();
        match name {
            b"--string" | b"--hex-string" => {
                let mut pattern = option.negatable_text()?;
                if name == b"--hex-string" {
                    match unhex(pattern.value.as_bytes()) {
                        Some(bytes) => pattern.value = Text::from(&*bytes),
                        None => return option.expected("text with hexadecimal bytes between bars, as |de ad|"),
                    }
                }
                if pattern.value.as_bytes().is_empty() || pattern.value.as_bytes().len() > LONGEST {
                    return option.expected("1 to 128 bytes");
                }
                self.pattern = Some(pattern);
            }
            b"--algo" => self.algorithm = Some(option.value()?),
            b"--from" => self.from = Some(option.value()?),
            b"--to" => self.to = Some(option.value()?),
            b"--icase" => self.ignore_case = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(Negatable { negated, value }) = &self.pattern {
            let bytes = value.as_bytes();
            let plain = bytes.iter().all(|b| matches!(b, b' '..=b'~')) && bytes.last() != Some(&b'\\');
            if plain {
                out.push("--string", *negated, vec![OptionValue::AlwaysQuoted(value.clone())]);
            } else {
                let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
                let digits = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
                let hex: Vec<u8> = std::iter::once(b'|').chain(digits).chain(std::iter::once(b'|')).collect();
                let hex = Text::from(&*hex);
                out.push("--hex-string", *negated, vec![OptionValue::AlwaysQuoted(hex)]);
            }
        }
        out.value("--algo", self.algorithm);
        out.value("--from", self.from.filter(|from| *from != 0));
        out.value("--to", self.to.filter(|to| *to != u16::MAX));
        out.flag("--icase", self.ignore_case);
    }

    fn missing(&self) -> Option<&'static str> {
        (self.pattern.is_none() || self.algorithm.is_none()).then_some("--string or --hex-string, and --algo")
    }
}
