use std::fmt;

use nom::character::complete::{char, multispace0, multispace1};
use nom::multi::separated_list1;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter, Value};
use crate::types::Text;
use crate::types::number::number_as;

/// `-m bpf`: a program decides (kernel: `net/netfilter/xt_bpf.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BpfMatch {
    /// `--bytecode`: a program of the classic machine
    pub program: Option<BpfProgram>,
    /// `--object-pinned`: a program of the extended machine, by its file
    pub pinned: Option<Text>,
}

/// A program of the classic machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpfProgram(
    /// In order.
    pub Vec<BpfInstruction>,
);

/// One instruction (`linux/filter.h`, `struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BpfInstruction {
    /// What it does.
    pub code: u16,
    /// Instructions to pass over when its comparison holds.
    pub jump_true: u8,
    /// And when it does not.
    pub jump_false: u8,
    /// Its operand.
    pub operand: u32,
}

impl fmt::Display for BpfProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())?;
        for BpfInstruction { code, jump_true, jump_false, operand } in &self.0 {
            write!(f, ",{code} {jump_true} {jump_false} {operand}")?;
        }
        Ok(())
    }
}

impl Value for BpfProgram {
    const EXPECTED: &'static str = "a program as 1,6 0 0 1: how many instructions, then each";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let blank = |input| multispace1(input);
        let instruction = (number_as, preceded(blank, number_as), preceded(blank, number_as), preceded(blank, number_as))
            .map(|(code, jump_true, jump_false, operand)| BpfInstruction { code, jump_true, jump_false, operand });
        let body = separated_list1((char(','), multispace0), instruction);
        nom::combinator::map_opt((terminated(number_as::<usize>, char(',')), body), |(count, body)| {
            (count == body.len()).then_some(BpfProgram(body))
        })
        .parse(input)
    }
}

impl Extension for BpfMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--bytecode" => self.program = Some(option.value()?),
            b"--object-pinned" => self.pinned = Some(option.text()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        if let Some(program) = &self.program {
            let text = Text::from(&*program.to_string());
            out.push("--bytecode", false, vec![OptionValue::AlwaysQuoted(text)]);
        }
        out.raw("--object-pinned", self.pinned.as_ref());
    }

    fn missing(&self) -> Option<&'static str> {
        (self.program.is_none() && self.pinned.is_none()).then_some("--bytecode or --object-pinned")
    }
}
