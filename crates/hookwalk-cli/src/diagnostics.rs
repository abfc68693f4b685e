use std::io::Write;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use hookwalk::{Diagnostic, Dump, Problem, Severity};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// How many bytes of a line are shown on each side of the place complained of.
const AROUND: usize = 60;

/// Tells on standard error what was not right with a dump.
pub(crate) fn print(file: &str, dump: &Dump) {
    let mut out = anstream::stderr().lock();
    for diagnostic in dump.diagnostics() {
        // A closed standard error leaves nobody to tell.
        let _ = one(&mut out, file, dump, diagnostic);
    }
    if dump.diagnostics_left_out() > 0 {
        let _ = writeln!(out, "{file}: {} more problems are not shown", dump.diagnostics_left_out());
    }
}

/// Tells on standard error what the kernel would not load.
pub(crate) fn print_problems(files: &[String], problems: &[Problem]) {
    let mut out = anstream::stderr().lock();
    for problem in problems.iter().filter(|problem| !matches!(problem, Problem::MissingChain { .. })) {
        let file = files.get(problem.dump()).map_or("", String::as_str);
        let (line, code) = (problem.line(), problem.code());
        let _ = writeln!(out, "{file}:{line}:1: {ERROR}error[{code}]{ERROR:#}: {problem}");
    }
}

pub(crate) fn print_failure(message: &str) {
    let _ = writeln!(anstream::stderr().lock(), "hookwalk: {ERROR}error{ERROR:#}: {message}");
}

/// One diagnostic: a line `FILE:LINE:COLUMN: SEVERITY[CODE]: MESSAGE`, and the place it is about.
fn one(out: &mut impl Write, file: &str, dump: &Dump, diagnostic: &Diagnostic) -> std::io::Result<()> {
    let Diagnostic { code, severity, line, column, message, help, .. } = diagnostic;
    let (style, level) = match severity {
        Severity::Error => (ERROR, Level::ERROR),
        Severity::Warning => (WARNING, Level::WARNING),
    };
    writeln!(out, "{file}:{line}:{column}: {style}{severity}[{code}]{style:#}: {message}")?;
    let place = Place::of(dump, diagnostic);
    let mut group = Group::with_level(level);
    if let Some(Place { shown, marked }) = &place {
        let mark = AnnotationKind::Primary.span(marked.clone());
        let line = usize::try_from(*line).unwrap_or(1);
        group = group.element(Snippet::source(shown.as_str()).line_start(line).annotation(mark));
    }
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    if place.is_some() || help.is_some() {
        writeln!(out, "{}", Renderer::styled().render(&[group]))?;
    }
    Ok(())
}

/// The part of a line that is shown, and where in it the mark stands.
struct Place {
    shown: String,
    marked: Range<usize>,
}

impl Place {
    /// None when the diagnostic is about no place in a line. Long lines are cropped around it.
    fn of(dump: &Dump, diagnostic: &Diagnostic) -> Option<Place> {
        let text = dump.text();
        let (start, end) = (diagnostic.span.start as usize, diagnostic.span.end as usize);
        if end <= start || end > text.len() {
            return None;
        }
        let before = text.get(start.saturating_sub(AROUND)..start)?;
        let line_end = |text: &[u8]| text.iter().position(|&b| matches!(b, b'\n' | b'\r'));
        let (before, is_cut) = match before.iter().rposition(|&b| b == b'\n') {
            Some(at) => (before.get(at + 1..)?, false),
            None => (before, start > AROUND),
        };
        let marked = text.get(start..end.min(start + 2 * AROUND))?;
        let marked = marked.get(..line_end(marked).unwrap_or(marked.len()))?;
        let behind = text.get(start + marked.len()..)?;
        let behind_end = line_end(behind.get(..AROUND).unwrap_or(behind));
        let is_long = behind_end.is_none() && behind.len() > AROUND;
        let behind = behind.get(..behind_end.unwrap_or(behind.len().min(AROUND)))?;
        let lead = format!("{}{}", if is_cut { "…" } else { "" }, visible(before));
        let (marked, behind) = (visible(marked), visible(behind));
        let range = lead.len()..lead.len() + marked.len();
        Some(Place {
            shown: format!("{lead}{marked}{behind}{}", if is_long { "…" } else { "" }),
            marked: range,
        })
    }
}

/// The text as a terminal may show it.
fn visible(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .map(|c| if c.is_control() { if c == '\t' { ' ' } else { char::REPLACEMENT_CHARACTER } } else { c })
        .collect()
}

/// Tells on standard error which lines of a context file were not understood.
pub(crate) fn print_context(file: &str, errors: &[hookwalk::context::ContextError]) {
    let mut out = anstream::stderr().lock();
    for error in errors {
        let _ = writeln!(out, "{file}:{error}");
    }
}
