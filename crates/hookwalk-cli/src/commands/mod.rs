mod check;
mod diff;
mod dns;
mod find;
mod findings_text;
mod fmt;
mod kube;
mod lint;
mod parse;
mod services;
mod services_text;
mod trace;
mod trace_text;
mod verify;

use std::io::{self, Write};

use serde::Serialize;

use crate::args::{Arguments, Command};
use crate::{Exit, Failure};

pub(crate) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Parse(arguments) => parse::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        Command::Services(arguments) => services::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Dns(arguments) => dns::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Find(arguments) => find::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
    }
}

/// Prints a report as one line of JSON.
fn json(report: &impl Serialize) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, report)?;
    writeln!(out)?;
    out.flush()
}
