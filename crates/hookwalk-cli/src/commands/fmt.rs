use std::io::Write;

use crate::args::FmtArguments;
use crate::{Exit, Failure, input};

pub(crate) fn run(arguments: &FmtArguments) -> Result<Exit, Failure> {
    let dump = input::dump(&arguments.file, &arguments.reading)?;
    let mut out = std::io::stdout().lock();
    if arguments.canonical {
        out.write_all(&dump.canonical())?;
    } else {
        out.write_all(dump.text())?;
    }
    out.flush()?;
    input::check(&[dump], &arguments.reading)?;
    Ok(Exit::Done)
}
