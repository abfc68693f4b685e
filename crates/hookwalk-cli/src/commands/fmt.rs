use std::io::Write;

use crate::args::FmtArguments;
use crate::{Exit, Failure, input};

pub(crate) fn run(arguments: &FmtArguments) -> Result<Exit, Failure> {
    if arguments.canonical {
        return Err(Failure::not_built("`fmt --canonical`"));
    }
    let dump = input::dump(&arguments.file, &arguments.reading)?;
    let mut out = std::io::stdout().lock();
    out.write_all(dump.text())?;
    out.flush()?;
    input::check(&[dump], &arguments.reading)?;
    Ok(Exit::Done)
}
