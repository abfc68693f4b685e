use std::io::{BufRead, Write};
use std::mem::ManuallyDrop;
use std::path::Path;

use hookwalk::report::{PacketReport, Text, WalkReport, WalkWriter};
use hookwalk::{Engine, Simulator, Walk};

use super::trace_text;
use crate::args::{PacketArguments, TraceArguments};
use crate::progress::Progress;
use crate::{Exit, Failure, diagnostics, input};

pub(crate) fn run(arguments: &TraceArguments) -> Result<Exit, Failure> {
    let host = input::host(&arguments.input.context, arguments.input.reading.strict)?;
    let dumps = input::dumps(&arguments.input.dumps, &arguments.input.reading)?;
    let files = input::names(&arguments.input.dumps);
    // The end of the run gives all memory back at once.
    let engine = ManuallyDrop::new(Engine::new(dumps, host));
    diagnostics::print_problems(&files, engine.problems());
    match &arguments.packets {
        Some(packets) => many(arguments, &engine, packets),
        None => one(arguments, &engine, &files),
    }
}

fn one(arguments: &TraceArguments, engine: &Engine, files: &[String]) -> Result<Exit, Failure> {
    let packet = packet(&arguments.packet);
    let mut walk = walk(engine, &packet).map_err(Failure::usage)?;
    if let Some(seed) = arguments.packet.seed {
        walk = walk.drawn(seed);
    }
    if arguments.json {
        super::json(&report(&walk, arguments.steps))?;
    } else {
        let mut out = anstream::stdout().lock();
        let tables = input::names(&arguments.input.context.conntrack);
        trace_text::print(&mut out, engine, files, &tables, &walk, arguments.steps)?;
    }
    Ok(Exit::Done)
}

fn many(arguments: &TraceArguments, engine: &Engine, packets: &Path) -> Result<Exit, Failure> {
    let text = input::read(packets)?;
    let mut out = std::io::stdout().lock();
    let mut answers = Answers::of(arguments, engine);
    let mut progress = Progress::of(text.split(|byte| *byte == b'\n').count());
    let mut lines = Vec::with_capacity(2 * CHUNK);
    for line in text.lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                out.write_all(&lines)?;
                return Err(error.into());
            }
        };
        if let Err((id, error)) = answers.write(&line, &mut lines) {
            serde_json::to_writer(&mut lines, &serde_json::json!({"id": id, "error": error}))
                .map_err(std::io::Error::from)?;
        }
        lines.push(b'\n');
        if lines.len() >= CHUNK {
            out.write_all(&lines)?;
            lines.clear();
        }
        progress.one_more();
    }
    out.write_all(&lines)?;
    out.flush()?;
    progress.end();
    Ok(Exit::Done)
}

/// How many bytes of answers are put out at once.
const CHUNK: usize = 1 << 18;

/// What answers the lines of a file of packets.
enum Answers<'e> {
    /// Each on a host that has seen nothing else, all that can happen.
    Alone(WalkWriter<'e>),
    /// Of each a part, or more than that.
    Walks { engine: &'e Engine, session: Option<Simulator<'e>>, seed: Option<u64>, steps: bool },
}

/// An answer that cannot be given: the `id` of the line, and why.
type NoAnswer = (Option<serde_json::Value>, String);

impl<'e> Answers<'e> {
    fn of(arguments: &TraceArguments, engine: &'e Engine) -> Self {
        let (seed, steps) = (arguments.packet.seed, arguments.steps);
        if seed.is_none() && !arguments.session && !steps {
            return Answers::Alone(WalkWriter::new(engine));
        }
        let session = arguments.session.then(|| Simulator::new(engine, seed.unwrap_or_default()));
        Answers::Walks { engine, session, seed, steps }
    }

    /// Puts the answer to a line behind others.
    fn write(&mut self, line: &str, out: &mut Vec<u8>) -> Result<(), NoAnswer> {
        let report = read_packet(line).map_err(|error| (id_of(line), error))?;
        let refused = |id: Option<Text>, error: String| (id.map(id_value), error);
        match self {
            Answers::Alone(writer) => {
                let packet =
                    report.to_packet().map_err(|error| refused(report.id.clone(), error.to_string()))?;
                let written = writer.write(&packet, report.id.clone(), out);
                written.map_err(|error| refused(report.id, error.to_string()))
            }
            Answers::Walks { engine, session, seed, steps } => {
                let walk = next(engine, session.as_mut(), *seed, &report)
                    .map_err(|error| refused(report.id.clone(), error))?;
                let mut answer = self::report(&walk, *steps);
                answer.packet.id = report.id;
                // Memory takes whatever is written, and no value of a report is one that JSON lacks.
                let _ = serde_json::to_writer(out, &answer);
                Ok(())
            }
        }
    }
}

fn report(walk: &Walk, steps: bool) -> WalkReport {
    if steps { WalkReport::with_steps(walk) } else { WalkReport::new(walk) }
}

fn walk(engine: &Engine, packet: &PacketReport) -> Result<Walk, String> {
    let packet = packet.to_packet().map_err(|error| error.to_string())?;
    engine.walk(&packet).map_err(|error| error.to_string())
}

/// The walk of a line: on a host that has seen nothing else, or on that of a session.
fn next(
    engine: &Engine,
    session: Option<&mut Simulator<'_>>,
    seed: Option<u64>,
    packet: &PacketReport,
) -> Result<Walk, String> {
    match session {
        Some(session) => {
            let packet = packet.to_packet().map_err(|error| error.to_string())?;
            session.walk(&packet).map_err(|error| error.to_string())
        }
        None => walk(engine, packet).map(|walk| match seed {
            Some(seed) => walk.drawn(seed),
            None => walk,
        }),
    }
}

/// A packet is an object: serde would also take an array of its fields in order.
fn read_packet(line: &str) -> Result<PacketReport, String> {
    if !line.trim_start().starts_with('{') {
        return Err("expected a JSON object such as {\"src\":\"10.0.0.5\",\"dst\":\"10.96.0.10\"}".to_owned());
    }
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// The `id` of a line that is no packet, where it has one.
fn id_of(line: &str) -> Option<serde_json::Value> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("id").cloned()
}

fn id_value(id: Text) -> serde_json::Value {
    match id {
        Text::String(text) => text.into(),
        Text::Number(number) => number.into(),
    }
}

fn packet(arguments: &PacketArguments) -> PacketReport {
    let address = |address: Option<std::net::IpAddr>| address.map(|a| a.to_string()).unwrap_or_default();
    PacketReport {
        in_iface: arguments.in_iface.clone(),
        src: address(arguments.src),
        dst: address(arguments.dst),
        proto: arguments.proto.as_deref().map(Text::from),
        sport: arguments.sport,
        dport: arguments.dport,
        flags: arguments.flags.clone(),
        icmp_type: arguments.icmp_type,
        icmp_code: arguments.icmp_code,
        mark: arguments.mark,
        state: arguments.state.clone(),
        ttl: arguments.ttl,
        tos: arguments.tos,
        length: arguments.length,
        icmp_id: arguments.icmp_id,
        frag_off: arguments.frag_off,
        mf: arguments.mf.then_some(true),
        uid: arguments.uid,
        gid: arguments.gid,
        mac: arguments.mac.clone(),
        physdev_in: arguments.physdev_in.clone(),
        physdev_out: arguments.physdev_out.clone(),
        connmark: arguments.connmark,
        at: arguments.at,
        ..PacketReport::default()
    }
}
