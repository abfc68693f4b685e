//! The `hookwalk` command: where does this packet go, by a saved iptables dump.

mod args;
mod commands;
mod diagnostics;
mod input;
mod paragraph;
mod progress;

use std::process::ExitCode;

use clap::Parser;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// What was asked for is done.
    Done,
    /// It is done, and what was asked for does not hold.
    No,
    /// The command was used wrongly, or asks for what is not built yet.
    Usage,
    /// The input could not be understood.
    Input,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Input => 3,
        })
    }
}

/// A run that cannot go on.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Failure { exit: Exit::Usage, message: message.into() }
    }

    fn input(message: impl Into<String>) -> Self {
        Failure { exit: Exit::Input, message: message.into() }
    }

    fn not_so(message: impl Into<String>) -> Self {
        Failure { exit: Exit::No, message: message.into() }
    }
}

/// Standard output that is closed early (`| head`) ends the run and is no error.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure { exit: Exit::Done, message: String::new() },
            _ => Failure::input(error.to_string()),
        }
    }
}

fn main() -> ExitCode {
    match commands::run(args::Arguments::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.message.is_empty() {
                diagnostics::print_failure(&failure.message);
            }
            failure.exit.into()
        }
    }
}
