use std::io::Write;

use hookwalk::kube::lint;
use hookwalk::report::findings;

use super::findings_text;
use crate::args::LintArguments;
use crate::{Exit, Failure, input};

pub(crate) fn run(arguments: &LintArguments) -> Result<Exit, Failure> {
    let dumps = input::dumps(&arguments.dumps, &arguments.reading)?;
    let files = input::names(&arguments.dumps);
    let found = lint::lint(&dumps);
    if arguments.json {
        super::json(&findings(&found, files.len()))?;
    } else {
        let mut out = std::io::BufWriter::new(anstream::stdout().lock());
        findings_text::print(&mut out, &files, &dumps, &found)?;
        let told = if found.is_empty() { "nothing found".to_owned() } else { findings_text::counts(&found) };
        writeln!(out, "{told}")?;
        out.flush()?;
    }
    Ok(if findings_text::matter(&found) { Exit::No } else { Exit::Done })
}
