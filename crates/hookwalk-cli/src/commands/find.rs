use std::collections::HashMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hookwalk::kube::find::{self, FindError, Found, FoundRule, FoundStage, Goal, Origin, What};
use hookwalk::kube::inventory::Inventory;
use hookwalk::report::FindReport;

use super::{kube, services_text};
use crate::args::FindArguments;
use crate::paragraph::{self, Paragraph};
use crate::{Exit, Failure, input};

const HEAD: Style = Style::new().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Of more rules that depend on one thing that is not known, so many are shown.
const DEPENDING_SHOWN: usize = 4;

pub(crate) fn run(arguments: &FindArguments) -> Result<Exit, Failure> {
    let what: What =
        arguments.what.parse().map_err(|error: find::BadWhat| Failure::usage(error.to_string()))?;
    let host = input::host(&arguments.input.context, arguments.input.reading.strict)?;
    let dumps = input::dumps(&arguments.input.dumps, &arguments.input.reading)?;
    let files = input::names(&arguments.input.dumps);
    let found = match find::find(&dumps, &host, &what) {
        Ok(found) => found,
        Err(error @ FindError::NoService { .. }) => return Err(Failure::not_so(error.to_string())),
        Err(error) => return Err(Failure::input(error.to_string())),
    };
    if arguments.json {
        let report = FindReport::new(&what.to_string(), &found, dumps.len());
        super::json(&report)?;
    } else {
        let printer = Printer {
            files: &files,
            width: paragraph::width(),
            all: arguments.all,
            numbers: numbers(&found),
        };
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        printer.goals(&mut out, &found)?;
        let mut inventory = Inventory::read(&dumps, None);
        keep_asked(&mut inventory, &found.goals);
        if !inventory.services.is_empty() {
            let prober = kube::prober(dumps, host, &inventory, None, None);
            services_text::entries(&mut out, &files, &inventory, &prober)?;
        }
        printer.ways(&mut out, &found)?;
        out.flush()?;
    }
    Ok(Exit::Done)
}

/// Leaves the addresses of Services that the question is about.
fn keep_asked(inventory: &mut Inventory, goals: &[Goal]) {
    for entry in &mut inventory.services {
        let protocol = entry.protocol;
        entry.addresses.retain(|address| {
            goals.iter().any(|goal| {
                goal.address == address.ip
                    && goal.port.is_none_or(|port| port == address.port)
                    && goal.protocol.is_none_or(|asked| asked == protocol)
            })
        });
    }
    inventory.services.retain(|entry| !entry.addresses.is_empty());
}

/// How many digits line numbers have.
fn numbers(found: &Found) -> usize {
    let rules = found.ways.iter().flat_map(|way| &way.stages).flat_map(|stage| &stage.rules);
    rules.filter_map(|rule| rule.at.line).max().unwrap_or(1).to_string().len()
}

struct Printer<'a> {
    files: &'a [String],
    width: usize,
    all: bool,
    numbers: usize,
}

impl Printer<'_> {
    fn goals(&self, out: &mut impl Write, found: &Found) -> io::Result<()> {
        for goal in &found.goals {
            let text = format!("packets to {goal}");
            Paragraph::new().push(&text, HEAD).write(out, "", 2, self.width)?;
        }
        Ok(())
    }

    fn ways(&self, out: &mut impl Write, found: &Found) -> io::Result<()> {
        let mut told = Told::default();
        for way in &found.ways {
            let (name, text) = match way.origin {
                Origin::Arriving => ("ARRIVING", "by an interface, from a Pod or another host"),
                Origin::Sent => ("SENT", "by a process of this node"),
            };
            let both = found.ways.iter().any(|other| other.family != way.family);
            let family = if both { format!(", {}", way.family) } else { String::new() };
            writeln!(out, "\n{HEAD}{name}{HEAD:#} {text}{family}")?;
            for stage in &way.stages {
                self.stage(out, stage, &mut told)?;
            }
            if way.stages.is_empty() {
                writeln!(out, "  no rule")?;
            }
            if !way.not_in_dump.is_empty() {
                let tables: Vec<&str> = way.not_in_dump.iter().map(|table| table.name()).collect();
                let text = format!("not or not wholly in the dump: table {}", tables.join(", table "));
                Paragraph::new().push(&text, OPEN).write(out, "", 2, self.width)?;
            }
            if way.truncated {
                Paragraph::new()
                    .push("a limit was reached: rules may be missing", OPEN)
                    .write(out, "", 2, self.width)?;
            }
        }
        Ok(())
    }

    fn stage<'f>(&self, out: &mut impl Write, stage: &'f FoundStage, told: &mut Told<'f>) -> io::Result<()> {
        let mut head = Paragraph::new().push(&format!("{} {}", stage.table.name(), stage.hook.name()), HEAD);
        if let Some(only_if) = &stage.only_if {
            head = head.push(&format!("only if {only_if}"), OPEN);
        }
        writeln!(out)?;
        head.write(out, "", 2, self.width)?;
        let mut rules = stage.rules.as_slice();
        // How many rules of a run that depends on one thing were shown.
        let mut depending = 0;
        let mut before: Option<&str> = None;
        while let Some((rule, rest)) = rules.split_first() {
            let condition = stage.only_if.as_deref().or(rule.only_if.as_deref());
            depending = if condition.is_some() && condition == before { depending + 1 } else { 0 };
            let first_of_run = condition != before;
            before = condition;
            if condition.is_some() && depending == DEPENDING_SHOWN && !self.all {
                let same =
                    |rule: &&FoundRule| stage.only_if.as_deref().or(rule.only_if.as_deref()) == condition;
                let run = rules.iter().take_while(same).count();
                if run > 1 {
                    let text =
                        format!("{run} more rules, if so (--all shows them, --addr or --node-ip tells)");
                    let lead = " ".repeat(self.numbers + 4);
                    Paragraph::new().push(&text, DIM).write(out, &lead, lead.len() + 2, self.width)?;
                    rules = rules.get(run..).unwrap_or_default();
                    continue;
                }
            }
            let inside = rest.iter().take_while(|inner| inner.depth > rule.depth).count();
            let inside = rest.get(..inside).unwrap_or_default();
            let known = told.knows(inside) && !self.all;
            self.rule(out, rule, stage.only_if.is_none() && first_of_run, known.then_some(inside.len()))?;
            told.add(inside);
            rules = if known { rest.get(inside.len()..).unwrap_or_default() } else { rest };
        }
        Ok(())
    }

    fn rule(
        &self,
        out: &mut impl Write,
        rule: &FoundRule,
        first_of_run: bool,
        inside_told: Option<usize>,
    ) -> io::Result<()> {
        let line = rule.at.line.map_or_else(String::new, |line| line.to_string());
        let number = rule.at.rule.map_or_else(|| "policy".to_owned(), |number| number.to_string());
        let indent = "  ".repeat(rule.depth.min(8));
        let lead = format!("  {line:>width$}  {indent}", width = self.numbers);
        let hang = lead.chars().count() + 2;
        let mut text = Paragraph::new().push(&format!("{}/{number}", rule.at.chain), DIM);
        match &rule.only_if {
            Some(only_if) if first_of_run => text = text.push(&format!("if {only_if}:"), OPEN),
            Some(_) => text = text.push("if so:", OPEN),
            None => {}
        }
        text = text.plain(&rule.sentence);
        if let Some(rules) = inside_told {
            let rules = if rules == 1 { "the rule".to_owned() } else { format!("the {rules} rules") };
            text = text.push(&format!("({rules} told above)"), DIM);
        } else if rule.told_before {
            text = text.push("(told above)", DIM);
        }
        for comment in rule.comments.iter().filter(|comment| !is_hash(comment)) {
            text = text.push(&format!("# {comment}"), DIM);
        }
        if self.files.len() > 1
            && let Some(file) = self.files.get(rule.at.dump)
        {
            text = text.push(&format!("[{file}]"), DIM);
        }
        text.write(out, &lead, hang, self.width)
    }
}

/// Whether a comment is Calico's hash of the rule, which tells a person nothing.
fn is_hash(comment: &str) -> bool {
    comment.strip_prefix("cali:").is_some_and(|hash| hash.len() == 16 && !hash.contains(' '))
}

/// The rules behind jumps that were told already, by the first of them.
#[derive(Default)]
struct Told<'f>(HashMap<(String, Option<u32>), &'f [FoundRule]>);

impl<'f> Told<'f> {
    /// The first rule's place; its chain is what was jumped to.
    fn key(inside: &[FoundRule]) -> Option<(String, Option<u32>)> {
        inside.first().map(|rule| (format!("{} {}", rule.at.table, rule.at), rule.at.line))
    }

    /// Whether the same rules were told in the same words.
    fn knows(&self, inside: &[FoundRule]) -> bool {
        let words = |rule: &FoundRule| (rule.at.clone(), rule.sentence.clone(), rule.only_if.clone());
        Self::key(inside)
            .and_then(|key| self.0.get(&key))
            .is_some_and(|known| known.iter().map(words).eq(inside.iter().map(words)))
    }

    fn add(&mut self, inside: &'f [FoundRule]) {
        if let Some(key) = Self::key(inside) {
            self.0.entry(key).or_insert(inside);
        }
    }
}
