//! A walk for people: what becomes of the packet first, then how.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hookwalk::{
    Assumption, Case, Engine, InterfaceName, Outcome, Packet, Place, RuleRef, StepKind, Verdict, Walk,
    WalkStep,
};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// With more outcomes than this the steps are shown for the first alone, unless asked for.
const STEPS_SHOWN: usize = 3;

/// How much of a rule's text is shown, in characters.
const RULE_SHOWN: usize = 300;

/// Of more cases that end alike, only so many are told.
const CASES_SHOWN: usize = 3;

pub(crate) fn print(
    out: &mut impl Write,
    engine: &Engine,
    files: &[String],
    conntrack: &[String],
    walk: &Walk,
    all_steps: bool,
) -> io::Result<()> {
    let printer = Printer { engine, files, conntrack, packet: &walk.packet };
    writeln!(out, "{}", printer.packet_line())?;
    match walk.cases.as_slice() {
        [only] => printer.only_case(out, only, all_steps)?,
        several => printer.several_cases(out, several, all_steps)?,
    }
    if walk.truncated {
        writeln!(
            out,
            "\n{OPEN}a limit was reached: ways were put together, and their rules are not told{OPEN:#}"
        )?;
    }
    if !walk.defaults.is_empty() {
        writeln!(out, "\n{DIM}taken for granted: {}{DIM:#}", walk.defaults.join("; "))?;
    }
    Ok(())
}

struct Printer<'a> {
    engine: &'a Engine,
    files: &'a [String],
    conntrack: &'a [String],
    packet: &'a Packet,
}

impl Printer<'_> {
    fn packet_line(&self) -> String {
        let packet = self.packet;
        let way = match packet.in_interface {
            Some(name) => format!("arrives by {name}"),
            None => "sent by a local process".to_owned(),
        };
        let source = endpoint(&packet.src.to_string(), packet.sport);
        let destination = endpoint(&packet.dst.to_string(), packet.dport);
        format!("{} {source} -> {destination}, {way}", packet.protocol)
    }

    fn only_case(&self, out: &mut impl Write, case: &Case, all_steps: bool) -> io::Result<()> {
        self.assumptions(out, "if", &case.assume)?;
        self.outcomes(out, case)?;
        // Of ways that were put together no rules are told.
        if case.outcomes.iter().any(|outcome| outcome.matched_rules.is_none()) {
            return Ok(());
        }
        let shown = if all_steps || case.outcomes.len() <= STEPS_SHOWN { case.outcomes.len() } else { 1 };
        for (number, outcome) in case.outcomes.iter().take(shown).enumerate() {
            if case.outcomes.len() == 1 {
                writeln!(out, "\nrules on the way:")?;
            } else {
                writeln!(out, "\nrules on the way of outcome {}:", number + 1)?;
            }
            self.steps(out, outcome)?;
        }
        if shown < case.outcomes.len() {
            writeln!(out, "{DIM}  --steps shows those of the other {}{DIM:#}", case.outcomes.len() - shown)?;
        }
        Ok(())
    }

    /// Cases that end alike are told together, each with what it assumes.
    fn several_cases(&self, out: &mut impl Write, cases: &[Case], all_steps: bool) -> io::Result<()> {
        writeln!(out, "\n{OPEN}it depends{OPEN:#} on what the dump does not tell:")?;
        let mut groups: Vec<(Vec<String>, Vec<&Case>)> = Vec::new();
        for case in cases {
            let told: Vec<String> = case.outcomes.iter().map(|outcome| self.result(outcome)).collect();
            match groups.iter_mut().find(|(known, _)| *known == told) {
                Some((_, alike)) => alike.push(case),
                None => groups.push((told, vec![case])),
            }
        }
        // A destination that rules have chosen is most often a Pod's, and no address of the node.
        let delivered_here = |case: &Case| {
            let outcomes = case.outcomes.iter();
            outcomes.filter(|outcome| outcome.dnat_by.is_some() && outcome.verdict == Verdict::Local).count()
        };
        groups.sort_by_key(|(_, alike)| alike.first().map(|case| delivered_here(case)));
        for (number, (_, alike)) in (1..).zip(&groups) {
            writeln!(out, "\n{OPEN}case {number} of {}{OPEN:#}", groups.len())?;
            if let Some(first) = alike.first() {
                self.outcomes(out, first)?;
            }
            let shown = if all_steps { alike.len() } else { CASES_SHOWN };
            for (number, case) in alike.iter().take(shown).enumerate() {
                let word = if number == 0 { "if" } else { "or if" };
                let statements = case.assume.iter().map(|assumption| self.assumption(assumption));
                let statements: Vec<String> = statements.collect();
                if !statements.is_empty() {
                    writeln!(out, "    {word} {}", statements.join("\n       and "))?;
                }
                if all_steps {
                    for outcome in &case.outcomes {
                        writeln!(out, "\n    rules on the way:")?;
                        self.steps(out, outcome)?;
                    }
                }
            }
            if shown < alike.len() {
                writeln!(out, "    {DIM}or in {} more cases that end alike{DIM:#}", alike.len() - shown)?;
            }
        }
        if !all_steps {
            writeln!(
                out,
                "\n{DIM}--addr, --route, --rule, --ipset or --node-ip tell; --steps shows the rules of each case{DIM:#}"
            )?;
        }
        Ok(())
    }

    fn outcomes(&self, out: &mut impl Write, case: &Case) -> io::Result<()> {
        for outcome in &case.outcomes {
            writeln!(out)?;
            self.outcome(out, outcome)?;
        }
        if !case.unexplored.is_zero() {
            writeln!(out, "\n{OPEN}not explored{OPEN:#}: {:.6}", case.unexplored.to_f64())?;
        }
        Ok(())
    }

    /// What makes outcomes of different cases alike.
    fn result(&self, outcome: &Outcome) -> String {
        let decided = outcome.decided_by.as_ref().map(ToString::to_string);
        let snat = outcome.snat_by.as_ref().map(ToString::to_string);
        format!(
            "{} {} {decided:?} {snat:?} {:?}",
            outcome.probability,
            self.headline(outcome),
            outcome.assume
        )
    }

    fn assumptions(&self, out: &mut impl Write, word: &str, assume: &[Assumption]) -> io::Result<()> {
        for assumption in assume {
            writeln!(out, "  {word} {}", self.assumption(assumption))?;
        }
        Ok(())
    }

    fn assumption(&self, assumption: &Assumption) -> String {
        let not = if assumption.is { "" } else { "not: " };
        let place =
            assumption.rule.as_ref().map(|rule| format!(" ({})", self.place(rule))).unwrap_or_default();
        format!("{not}{}{place}", assumption.what)
    }

    fn outcome(&self, out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
        let style = match outcome.verdict {
            Verdict::Forwarded | Verdict::Sent | Verdict::Local => GOOD,
            Verdict::Dropped | Verdict::Rejected => BAD,
            _ => OPEN,
        };
        let share = match outcome.probability.draws() {
            0 => String::new(),
            1 => format!("{:.2}% ({})  ", outcome.probability.to_f64() * 100.0, outcome.probability),
            // Of more draws the fraction is longer than anybody reads; JSON has it.
            _ => format!("{:.2}%  ", outcome.probability.to_f64() * 100.0),
        };
        writeln!(out, "{share}{style}{}{style:#}", self.headline(outcome))?;
        self.assumptions(out, "  if", &outcome.assume)?;
        if let Some((file, line)) = outcome.connection {
            let name = self.conntrack.get(file).map_or("the connections", String::as_str);
            writeln!(out, "  belongs to the connection of line {line} of {name}: no nat rule is asked")?;
        }
        if let Some(rule) = &outcome.dnat_by {
            let to = endpoint(&outcome.dst.to_string(), outcome.dport);
            writeln!(out, "  destination rewritten to {to} by {}", self.named(rule))?;
        }
        match (&outcome.snat_by, outcome.masquerade) {
            (Some(rule), true) => writeln!(out, "  masqueraded by {}", self.named(rule))?,
            (Some(rule), false) => writeln!(out, "  source rewritten by {}", self.named(rule))?,
            (None, _) if outcome.verdict == Verdict::Unknown => {
                writeln!(out, "  not masqueraded as far as it was followed")?;
            }
            (None, _) => writeln!(out, "  not masqueraded")?,
        }
        match &outcome.decided_by {
            Some(rule) => writeln!(out, "  decided by {}", self.named(rule))?,
            None if outcome.place.is_some() && !outcome.maybe_rules.is_empty() => {
                writeln!(out, "  decided by one of the rules that may match")?;
            }
            None => {}
        }
        if let Some(reason) = &outcome.reason {
            writeln!(out, "  because {reason}")?;
        }
        if !outcome.not_in_dump.is_empty() {
            writeln!(out, "  {OPEN}not in the dump{OPEN:#}: {}", outcome.not_in_dump.join(", "))?;
        }
        let others = outcome.other_rules();
        if !others.is_empty() {
            let rules: Vec<String> = others.iter().map(|rule| self.named(rule)).collect();
            writeln!(out, "  may also match, without a difference: {}", rules.join(", "))?;
        }
        Ok(())
    }

    /// One line that answers the question.
    fn headline(&self, outcome: &Outcome) -> String {
        let to = endpoint(&outcome.dst.to_string(), outcome.dport);
        let by = |name: Option<InterfaceName>| {
            name.map_or_else(|| "an interface that is not known".to_owned(), |n| n.to_string())
        };
        let from = || match (outcome.src, outcome.masquerade) {
            (Some(src), _) if src != self.packet.src => {
                format!(", as {}", endpoint(&src.to_string(), outcome.sport))
            }
            (None, _) => ", as an address of this node".to_owned(),
            _ => String::new(),
        };
        let place = match outcome.place {
            Some(Place::Routing) => " in routing".to_owned(),
            Some(Place::Hook(hook)) => format!(" in {}", hook.name()),
            None => String::new(),
        };
        match outcome.verdict {
            Verdict::Forwarded => format!("forwarded to {to} by {}{}", by(outcome.out_interface), from()),
            Verdict::Sent => format!("sent to {to} by {}{}", by(outcome.out_interface), from()),
            Verdict::Local => format!("delivered to this node, {to}"),
            Verdict::Rejected => {
                let with = outcome.reject_with.map(|with| format!(" with {with}")).unwrap_or_default();
                format!("REJECTED{place}{with}")
            }
            Verdict::Dropped => format!("DROPPED{place}"),
            Verdict::Queued => format!("handed to a program{place}"),
            Verdict::Unknown => format!("unknown{place}; so far on its way to {to}"),
        }
    }

    fn steps(&self, out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
        let mut mark = self.packet.mark;
        for step in &outcome.steps {
            self.step(out, step, &mut mark)?;
        }
        if outcome.steps.is_empty() {
            writeln!(out, "  none")?;
        }
        Ok(())
    }

    fn step(&self, out: &mut impl Write, step: &WalkStep, mark: &mut u32) -> io::Result<()> {
        let place = self.place(&step.at);
        let marked =
            if step.mark == *mark { String::new() } else { format!("  mark is now {:#x}", step.mark) };
        *mark = step.mark;
        match step.kind {
            StepKind::Rule => {
                let text = self.rule_text(&step.at);
                writeln!(out, "  {place:>10}  {:<40} {DIM}{text}{DIM:#}{marked}", step.at)
            }
            StepKind::Return => {
                writeln!(out, "  {:>10}  {DIM}{}/{} ends{DIM:#}", "", step.at.table, step.at.chain)
            }
            StepKind::Policy => {
                writeln!(out, "  {place:>10}  {DIM}{}{DIM:#}", step.at)
            }
        }
    }

    fn rule_text(&self, at: &RuleRef) -> String {
        let text = String::from_utf8_lossy(self.engine.text(at));
        let rule = text.find("-A ").and_then(|start| text.get(start..)).unwrap_or(&text).trim_end();
        match rule.char_indices().nth(RULE_SHOWN) {
            Some((cut, _)) => format!("{}…", rule.get(..cut).unwrap_or_default()),
            None => rule.to_owned(),
        }
    }

    fn named(&self, rule: &RuleRef) -> String {
        format!("{rule} ({})", self.place(rule))
    }

    /// The line, with its file where there are several.
    fn place(&self, rule: &RuleRef) -> String {
        let line = rule.line.map_or_else(|| "no line".to_owned(), |line| format!("line {line}"));
        match self.files.get(rule.dump) {
            Some(file) if self.files.len() > 1 => format!("{line} of {file}"),
            _ => line,
        }
    }
}

fn endpoint(address: &str, port: Option<u16>) -> String {
    match port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    }
}
