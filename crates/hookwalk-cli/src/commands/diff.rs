use std::io::Write;

use hookwalk::kube::diff::{Options, diff};
use hookwalk::kube::inventory::Inventory;
use hookwalk::report::findings;

use super::{findings_text, kube};
use crate::args::DiffArguments;
use crate::{Exit, Failure, input};

pub(crate) fn run(arguments: &DiffArguments) -> Result<Exit, Failure> {
    let (objects, _) = kube::objects(&arguments.objects, &arguments.reading)?;
    let objects = (!arguments.objects.is_empty()).then_some(objects);
    let files: Vec<_> = std::iter::once(&arguments.first).chain(&arguments.others).cloned().collect();
    let dumps = input::dumps(&files, &arguments.reading)?;
    let files = input::names(&files);
    let read = dumps.iter().map(|dump| Inventory::read(std::slice::from_ref(dump), objects.as_ref()));
    let inventories: Vec<Inventory> = read.collect();
    let options = Options { of_many_nodes: arguments.nodes };
    let found = diff(&inventories, &short(&files), &options);
    if arguments.json {
        super::json(&findings(&found, files.len()))?;
    } else {
        let mut out = std::io::BufWriter::new(anstream::stdout().lock());
        findings_text::print(&mut out, &files, &dumps, &found)?;
        match (found.is_empty(), inventories.first()) {
            (true, Some(first)) => writeln!(out, "nothing differs: {} service ports", first.services.len())?,
            _ => writeln!(out, "{}", findings_text::counts(&found))?,
        }
        out.flush()?;
    }
    Ok(if found.is_empty() { Exit::Done } else { Exit::No })
}

/// The names without folders, where that leaves them different.
fn short(files: &[String]) -> Vec<String> {
    let short: Vec<String> =
        files.iter().map(|file| file.rsplit('/').next().unwrap_or_default().to_owned()).collect();
    let distinct: std::collections::BTreeSet<&String> = short.iter().collect();
    if distinct.len() == files.len() { short } else { files.to_vec() }
}
