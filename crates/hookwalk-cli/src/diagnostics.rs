use std::io::Write;

use anstyle::{AnsiColor, Style};
use hookwalk::{Diagnostic, Dump, Problem, Severity};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const MARK: Style = AnsiColor::Red.on_default();

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

fn one(out: &mut impl Write, file: &str, dump: &Dump, diagnostic: &Diagnostic) -> std::io::Result<()> {
    let Diagnostic { code, severity, line, column, span, message, .. } = diagnostic;
    let style = match severity {
        Severity::Error => ERROR,
        Severity::Warning => WARNING,
    };
    writeln!(out, "{file}:{line}:{column}: {style}{severity}[{code}]{style:#}: {message}")?;
    let text = dump.text();
    let (start, end) = (span.start as usize, span.end as usize);
    if end <= start || end > text.len() {
        return Ok(());
    }
    let before = text.get(..start).unwrap_or_default();
    let line_start = memchr_back(before).max(start.saturating_sub(AROUND));
    let behind = text.get(start..).unwrap_or_default();
    let line_end = start + behind.iter().position(|&b| b == b'\n').unwrap_or(behind.len());
    let shown_end = line_end.min(end.max(start) + AROUND).min(start + 3 * AROUND);
    let show = |from: usize, to: usize| {
        let text = String::from_utf8_lossy(text.get(from..to).unwrap_or_default());
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()
    };
    let (lead, rest) = (show(line_start, start), show(start, shown_end));
    let marks = show(start, end.min(shown_end)).chars().count().max(1);
    writeln!(out, "  | {lead}{rest}")?;
    writeln!(out, "  | {:width$}{MARK}{}{MARK:#}", "", "^".repeat(marks), width = lead.chars().count())
}

/// Behind the last line end.
fn memchr_back(text: &[u8]) -> usize {
    text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1)
}

/// Tells on standard error which lines of a context file were not understood.
pub(crate) fn print_context(file: &str, errors: &[hookwalk::context::ContextError]) {
    let mut out = anstream::stderr().lock();
    for error in errors {
        let _ = writeln!(out, "{file}:{error}");
    }
}
