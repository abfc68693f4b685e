use std::io::{BufRead, Write};
use std::path::Path;

use hookwalk::report::{PacketReport, Text, WalkReport};
use hookwalk::{Engine, Simulator, Walk};

use super::trace_text;
use crate::args::{PacketArguments, TraceArguments};
use crate::{Exit, Failure, diagnostics, input};

pub(crate) fn run(arguments: &TraceArguments) -> Result<Exit, Failure> {
    let host = input::host(&arguments.input.context, arguments.input.reading.strict)?;
    let dumps = input::dumps(&arguments.input.dumps, &arguments.input.reading)?;
    let files = input::names(&arguments.input.dumps);
    let engine = Engine::new(dumps, host);
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
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &report(&walk, arguments.steps)).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        let mut out = anstream::stdout().lock();
        let tables = input::names(&arguments.input.context.conntrack);
        trace_text::print(&mut out, engine, files, &tables, &walk, arguments.steps)?;
    }
    Ok(Exit::Done)
}

fn many(arguments: &TraceArguments, engine: &Engine, packets: &Path) -> Result<Exit, Failure> {
    let text = input::read(packets)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let seed = arguments.packet.seed;
    let mut session = arguments.session.then(|| Simulator::new(engine, seed.unwrap_or_default()));
    for line in text.lines() {
        let line = line?;
        let answer = read_packet(&line).map_err(|error| (id_of(&line), error));
        let answer = answer.and_then(|packet| match next(engine, session.as_mut(), seed, &packet) {
            Ok(walk) => {
                let mut report = report(&walk, arguments.steps);
                report.packet.id = packet.id;
                Ok(report)
            }
            Err(error) => Err((packet.id.map(id_value), error)),
        });
        match answer {
            Ok(report) => serde_json::to_writer(&mut out, &report),
            Err((id, error)) => {
                serde_json::to_writer(&mut out, &serde_json::json!({"id": id, "error": error}))
            }
        }
        .map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    out.flush()?;
    Ok(Exit::Done)
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
