use std::io::{self, Write};
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};
use hookwalk::kube::dns::{self, Answer, Query, Report, ResolvConf};
use hookwalk::kube::explain;
use hookwalk::report::DnsReport;
use hookwalk::{Engine, Outcome, RuleRef};

use super::findings_text;
use crate::args::DnsArguments;
use crate::paragraph::{self, Paragraph};
use crate::{Exit, Failure, diagnostics, input};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn run(arguments: &DnsArguments) -> Result<Exit, Failure> {
    let host = input::host(&arguments.input.context, arguments.input.reading.strict)?;
    let conf = input::text(&arguments.resolv_conf)?;
    let dumps = input::dumps(&arguments.input.dumps, &arguments.input.reading)?;
    let files = input::names(&arguments.input.dumps);
    let engine = Engine::new(dumps, host);
    diagnostics::print_problems(&files, engine.problems());
    let report = dns::check(&engine, &arguments.pod, &ResolvConf::read(&conf));
    if arguments.json {
        super::json(&DnsReport::new(&report, files.len()))?;
    } else {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        let printer = Printer { engine: &engine, files: &files, width: paragraph::width() };
        printer.print(&mut out, &report)?;
        out.flush()?;
    }
    Ok(if report.fails() { Exit::No } else { Exit::Done })
}

struct Printer<'a> {
    engine: &'a Engine,
    files: &'a [String],
    width: usize,
}

impl Printer<'_> {
    fn print(&self, out: &mut impl Write, report: &Report) -> io::Result<()> {
        let mut before: Option<&Query> = None;
        for query in &report.queries {
            if before.is_some() {
                writeln!(out)?;
            }
            self.query(out, query, before)?;
            before = Some(query);
        }
        let of_queries = ["dns-fails", "dns-fails-partly", "dns-depends", "dns-outside", "dns-unknown"];
        let others: Vec<_> =
            report.findings.iter().filter(|finding| !of_queries.contains(&finding.code)).cloned().collect();
        for finding in &others {
            let style = if finding.severity == hookwalk::kube::finding::Severity::Error { BAD } else { OPEN };
            Paragraph::new().push(&finding.message, style).write(out, "\n", 2, self.width)?;
        }
        if !report.assumed.is_empty() {
            let text = format!("taken for granted: {}", report.assumed.join("; "));
            Paragraph::new().push(&text, DIM).write(out, "\n", 2, self.width)?;
        }
        if !report.findings.is_empty() {
            writeln!(out, "\n{}", findings_text::counts(&report.findings))?;
        }
        Ok(())
    }

    fn query(&self, out: &mut impl Write, query: &Query, before: Option<&Query>) -> io::Result<()> {
        let (style, word) = match query.answer {
            Answer::Works => (GOOD, "WORKS"),
            Answer::Fails => (BAD, "DOES NOT WORK"),
            Answer::FailsPartly => (BAD, "FAILS IN PART"),
            Answer::Depends => (OPEN, "DEPENDS"),
            Answer::Outside => (OPEN, "GOES OUTSIDE"),
            Answer::Unknown => (OPEN, "UNKNOWN"),
        };
        let name = SocketAddr::new(query.server, 53);
        let service = query.service.as_ref().map_or_else(String::new, |service| format!(" ({service})"));
        let head = format!("{name} by {}{service}:", query.protocol);
        let text = Paragraph::new().plain(&head).push(word, style);
        text.plain(&format!("- {}", query.reason)).write(out, "", 2, self.width)?;
        let several = query.walk.as_ref().is_some_and(|walk| walk.cases.len() > 1);
        for endpoint in &query.endpoints {
            let share = endpoint.share.to_f64() * 100.0;
            let exact =
                if endpoint.share.draws() == 0 { String::new() } else { format!(" ({})", endpoint.share) };
            let masquerade = if endpoint.masqueraded { "masqueraded" } else { "not masqueraded" };
            let reached = if endpoint.reached { "" } else { ", LOST" };
            let first = if several { ", in the first case" } else { "" };
            let text = format!("to {}, {share:.2}%{exact}, {masquerade}{reached}{first}", endpoint.address);
            Paragraph::new().plain(&text).write(out, "  ", 4, self.width)?;
        }
        let same_server = before.filter(|before| before.server == query.server);
        for note in query.notes.iter().filter(|note| !same_server.is_some_and(|b| b.notes.contains(note))) {
            Paragraph::new().push("note:", OPEN).plain(note).write(out, "  ", 4, self.width)?;
        }
        let Some(rules) = first_rules(query) else { return Ok(()) };
        // By TCP most is as by UDP.
        let known = same_server.and_then(first_rules).unwrap_or_default();
        let ways =
            query.walk.iter().flat_map(|walk| &walk.cases).map(|case| case.outcomes.len()).sum::<usize>();
        let of =
            if ways > 1 { format!(" (1 of {ways} ways; `hookwalk trace` tells all)") } else { String::new() };
        let others = if known.is_empty() { "" } else { ", but for those as before" };
        writeln!(out, "  {DIM}rules met{others}{of}:{DIM:#}")?;
        let numbers = rules.iter().filter_map(|rule| rule.line).max().unwrap_or(1).to_string().len();
        for at in rules.iter().filter(|at| !known.contains(at)) {
            self.rule(out, at, numbers)?;
        }
        Ok(())
    }

    fn rule(&self, out: &mut impl Write, at: &RuleRef, numbers: usize) -> io::Result<()> {
        let line = at.line.map_or_else(String::new, |line| line.to_string());
        let lead = format!("  {line:>numbers$}  ");
        let sentence = self.engine.rule(at).map(explain::rule).unwrap_or_default();
        let mut text = Paragraph::new().push(&at.to_string(), DIM).plain(&sentence);
        if self.files.len() > 1
            && let Some(file) = self.files.get(at.dump)
        {
            text = text.push(&format!("[{file}]"), DIM);
        }
        text.write(out, &lead, numbers + 6, self.width)
    }
}

/// The rules that the first outcome of the first case met.
fn first_rules(query: &Query) -> Option<&[RuleRef]> {
    let outcome: &Outcome = query.walk.as_ref()?.cases.first()?.outcomes.first()?;
    outcome.matched_rules.as_deref()
}
