//! CPU seconds of each stage in one process, on Linux: `timed stages FILE SERVICES` prints a name and a value
//! a line. `timed packets SERVICES COUNT` prints packets to those services as JSON. `benches/compare` runs both.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement says what is wrong by failing")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;

use hookwalk::{Engine, parse};
use hookwalk_benches::{cluster_ip, engine, packet, summed};

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).expect("a number");
    match arguments.first().map(String::as_str) {
        Some("stages") => stages(arguments.get(1).expect("a file"), number(2)),
        Some("packets") => packets(number(1), number(2)),
        other => panic!("{other:?} is nothing to time: expected stages or packets"),
    }
}

/// What this thread has had of its processor, in seconds.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    nanoseconds.expect("nanoseconds") / 1e9
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = cpu();
    let done = work();
    (done, cpu() - start)
}

/// The most memory that the process has had, in bytes.
fn peak() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kibibytes: u64 = line.trim_end_matches("kB").trim().parse().expect("kB");
    kibibytes * 1024
}

fn stages(file: &str, services: usize) {
    let (text, read) = timed(|| std::fs::read(file).expect("the dump"));
    let bytes = text.len();
    let (dump, parsed) = timed(|| parse(text));
    let parse_peak = peak();
    let (engine, compiled) = timed(|| engine(dump));
    let lines = [
        ("bytes", bytes.to_string()),
        ("read_seconds", format!("{read:.4}")),
        ("parse_seconds", format!("{parsed:.4}")),
        ("parse_peak_bytes", parse_peak.to_string()),
        ("compile_seconds", format!("{compiled:.4}")),
        ("peak_bytes", peak().to_string()),
        ("walk_seconds", format!("{:.9}", walks(&engine, 100_000, |time| time % services))),
        ("walk_first_seconds", format!("{:.9}", walks(&engine, 50_000, |_| 0))),
        ("walk_last_seconds", format!("{:.9}", walks(&engine, 50_000, |_| services - 1))),
    ];
    let mut out = std::io::stdout().lock();
    for (name, value) in lines {
        writeln!(out, "{name}\t{value}").expect("standard output");
    }
    let linear = engine.without_index();
    // The clock ticks in milliseconds.
    let each = walks(&linear, 20_000, |time| time * services / 20_000);
    writeln!(out, "linear_seconds\t{each:.9}").expect("standard output");
    // The end of the run gives all memory back at once.
    std::mem::forget(linear);
}

/// Seconds for each of so many walks with all outcomes, weights and rules.
fn walks(engine: &Engine, times: u32, service: impl Fn(usize) -> usize) -> f64 {
    let mut walker = engine.walker();
    let ((), seconds) = timed(|| {
        for time in 0..times as usize {
            let packet = packet(service(time));
            black_box(summed(&walker.walk(&packet).expect("one family")));
        }
    });
    seconds / f64::from(times)
}

fn packets(services: usize, count: usize) {
    let mut text = String::new();
    for number in 0..count {
        let (port, dst) = (1024 + number % 60_000, cluster_ip(number % services));
        writeln!(
            text,
            "{{\"id\":{number},\"in\":\"cni0\",\"src\":\"10.128.0.77\",\"dst\":\"{dst}\",\"proto\":\"tcp\",\"sport\":{port},\"dport\":80}}"
        )
        .expect("memory takes whatever is written");
    }
    std::io::stdout().write_all(text.as_bytes()).expect("standard output");
}
