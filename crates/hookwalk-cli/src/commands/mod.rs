mod fmt;
mod parse;
mod trace;
mod trace_text;

use crate::args::{Arguments, Command};
use crate::{Exit, Failure};

pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Parse(arguments) => parse::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        Command::Services(_) => Err(Failure::not_built("`hookwalk services`")),
        Command::Verify(_) => Err(Failure::not_built("`hookwalk verify`")),
        Command::Dns(_) => Err(Failure::not_built("`hookwalk dns`")),
        Command::Lint(_) => Err(Failure::not_built("`hookwalk lint`")),
        Command::Diff(_) => Err(Failure::not_built("`hookwalk diff`")),
        Command::Find(_) => Err(Failure::not_built("`hookwalk find`")),
        Command::Check(_) => Err(Failure::not_built("`hookwalk check`")),
    }
}
