use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, multispace0};
use nom::combinator::{map, opt};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter, Value};
use crate::types::number::number_as;
use crate::types::{Negatable, NumberRange, Text};

/// `-m u32`: numbers found in the packet by way of offsets (kernel: `net/netfilter/xt_u32.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct U32Match {
    /// `--u32`
    pub tests: Option<Negatable<U32Tests>>,
}

/// Tests that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct U32Tests(
    /// In the order written.
    pub Vec<U32Test>,
);

/// One number of the packet, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct U32Test {
    /// The offset in the packet of four bytes, read in network order.
    pub start: u32,
    /// What is done with the number, in order.
    pub steps: Vec<U32Step>,
    /// Any of these will do.
    pub values: Vec<NumberRange<u32>>,
}

/// What is done with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum U32Step {
    /// `&`
    And(u32),
    /// `<<`
    ShiftLeft(u32),
    /// `>>`
    ShiftRight(u32),
    /// `@`: so many bytes on, plus this, are the next four bytes
    At(u32),
}

impl fmt::Display for U32Tests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, test) in self.0.iter().enumerate() {
            write!(f, "{}{:#x}", if index > 0 { "&&" } else { "" }, test.start)?;
            for step in &test.steps {
                match step {
                    U32Step::And(n) => write!(f, "&{n:#x}")?,
                    U32Step::ShiftLeft(n) => write!(f, "<<{n:#x}")?,
                    U32Step::ShiftRight(n) => write!(f, ">>{n:#x}")?,
                    U32Step::At(n) => write!(f, "@{n:#x}")?,
                }
            }
            let mut separator = "=";
            for NumberRange { first, last } in &test.values {
                write!(f, "{separator}{first:#x}")?;
                if last != first {
                    write!(f, ":{last:#x}")?;
                }
                separator = ",";
            }
        }
        Ok(())
    }
}

fn spaced<'i, T>(
    parser: impl Parser<&'i [u8], Output = T, Error = nom::error::Error<&'i [u8]>>,
) -> impl Parser<&'i [u8], Output = T, Error = nom::error::Error<&'i [u8]>> {
    delimited(multispace0, parser, multispace0)
}

impl Value for U32Tests {
    const EXPECTED: &'static str = "tests such as 0>>22&0x3C@4=0x29,1:5 with && between";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        // `&` is a step unless another `&` follows, which starts the next test.
        let and = preceded(nom::combinator::not(tag("&&")), char('&'));
        let step = alt((
            map(preceded(spaced(and), number_as), U32Step::And),
            map(preceded(spaced(tag("<<")), number_as), U32Step::ShiftLeft),
            map(preceded(spaced(tag(">>")), number_as), U32Step::ShiftRight),
            map(preceded(spaced(char('@')), number_as), U32Step::At),
        ));
        let range = (number_as, opt(preceded(spaced(char(':')), number_as)))
            .map(|(first, last)| NumberRange { first, last: last.unwrap_or(first) });
        let values = preceded(spaced(char('=')), separated_list1(spaced(char(',')), range));
        let test = (number_as, many0(step), values)
            .map(|(start, steps, values)| U32Test { start, steps, values });
        spaced(separated_list1(spaced(tag("&&")), test)).map(U32Tests).parse(input)
    }
}

impl Extension for U32Match {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--u32" => self.tests = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(tests) = &self.tests {
            let text = Text::from(&*tests.value.to_string());
            out.push("--u32", tests.negated, vec![OptionValue::AlwaysQuoted(text)]);
        }
    }

    fn missing(&self) -> Option<&'static str> {
        self.tests.is_none().then_some("--u32")
    }
}
