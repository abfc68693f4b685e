use std::io::Write;
use std::mem::ManuallyDrop;

use crate::args::FmtArguments;
use crate::{Exit, Failure, input};

pub(crate) fn run(arguments: &FmtArguments) -> Result<Exit, Failure> {
    // The end of the run gives all memory back at once.
    let dump = ManuallyDrop::new(input::dump(&arguments.file, &arguments.reading)?);
    let mut out = std::io::stdout().lock();
    if arguments.canonical {
        out.write_all(&dump.canonical())?;
    } else {
        out.write_all(dump.text())?;
    }
    out.flush()?;
    input::check(std::slice::from_ref(&dump), &arguments.reading)?;
    Ok(Exit::Done)
}
