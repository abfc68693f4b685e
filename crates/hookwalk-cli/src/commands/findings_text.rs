//! Findings for people: one line each, and the rule under it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hookwalk::Dump;
use hookwalk::kube::finding::{Finding, Severity};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const INFO: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// How much of a rule's text is shown, in characters.
const RULE_SHOWN: usize = 300;

/// Prints `FILE:LINE: SEVERITY[CODE]: MESSAGE` and the line itself for each.
pub(crate) fn print(
    out: &mut impl Write,
    files: &[String],
    dumps: &[Dump],
    findings: &[Finding],
) -> io::Result<()> {
    for finding in findings {
        let file = files.get(finding.dump).map_or("", String::as_str);
        let line = finding.line.map(|line| format!("{line}:")).unwrap_or_default();
        let style = match finding.severity {
            Severity::Error => ERROR,
            Severity::Warning => WARNING,
            Severity::Info => INFO,
        };
        let (severity, code, message) = (finding.severity, finding.code, &finding.message);
        writeln!(out, "{file}:{line} {style}{severity}[{code}]{style:#}: {message}")?;
        if let Some(text) = finding.line.and_then(|line| text_of(dumps.get(finding.dump)?, line)) {
            writeln!(out, "    {DIM}{text}{DIM:#}")?;
        }
    }
    Ok(())
}

/// How many there are of each severity.
pub(crate) fn counts(findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let told = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")];
    let counts = told.iter().filter_map(|(severity, word)| match of(*severity) {
        0 => None,
        1 => Some(format!("1 {word}")),
        count => Some(format!("{count} {word}s")),
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// Whether anything is more than a note.
pub(crate) fn matter(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity > Severity::Info)
}

/// A line of a dump as a terminal may show it.
fn text_of(dump: &Dump, line: u32) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let text = dump.text().split(|&byte| byte == b'\n').nth(index)?;
    let text = String::from_utf8_lossy(text);
    let text: String = text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.char_indices().nth(RULE_SHOWN) {
        Some((cut, _)) => Some(format!("{}…", text.get(..cut).unwrap_or_default())),
        None => Some(text),
    }
}
