use std::io::Write;
use std::mem::ManuallyDrop;

use hookwalk::report::DumpReport;
use hookwalk::{Rule, Table};

use crate::args::ParseArguments;
use crate::paragraph::counted;
use crate::{Exit, Failure, input};

pub(crate) fn run(arguments: &ParseArguments) -> Result<Exit, Failure> {
    // The end of the run gives all memory back at once.
    let dump = ManuallyDrop::new(input::dump(&arguments.file, &arguments.reading)?);
    if arguments.json {
        super::json(&DumpReport::new(&dump))?;
    } else {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for table in dump.tables() {
            summary(&mut out, table)?;
        }
        let state = if dump.is_whole() {
            "the dump is whole"
        } else {
            "the dump is a part: what is absent is unknown"
        };
        let problems = dump.diagnostics().len() + dump.diagnostics_left_out();
        writeln!(out, "{state}; {}", counted(problems, "problem"))?;
        out.flush()?;
    }
    input::check(std::slice::from_ref(&dump), &arguments.reading)?;
    Ok(Exit::Done)
}

fn summary(out: &mut impl Write, table: &Table) -> std::io::Result<()> {
    let rules = || table.chains.iter().flat_map(|chain| &chain.rules);
    let unknown = |rule: &&Rule| rule.unknown_parts().next().is_some();
    writeln!(
        out,
        "table {} ({}): {}, {}, {} of them with a part that is not understood",
        table.name,
        table.family.map_or_else(|| "family unknown".to_owned(), |family| family.to_string()),
        counted(table.chains.len(), "chain"),
        counted(rules().count(), "rule"),
        rules().filter(unknown).count(),
    )
}
