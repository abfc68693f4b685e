//! Fixed work whose instructions are counted: `counted parse|compile|walk|linear|named|json TIMES`.
//! `benches/counts` runs it under callgrind. `counted dump SERVICES` prints a dump.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement says what is wrong by failing")]

use std::hint::black_box;
use std::io::Write;

use hookwalk::parse;
use hookwalk::report::WalkWriter;
use hookwalk_benches::{engine, kube_dump, packet, summed};

/// As the command has it; and that of no system's library makes the counts of two machines differ.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVICES: usize = 500;
const ENDPOINTS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("what to do");
    let times: usize = arguments.next().map_or(1, |text| text.parse().expect("a number"));
    if what == "dump" {
        let written = std::io::stdout().write_all(kube_dump(times, ENDPOINTS).as_bytes());
        return written.expect("the dump can be written");
    }
    let text = kube_dump(SERVICES, ENDPOINTS);
    match what.as_str() {
        "parse" => {
            for _ in 0..times {
                black_box(parse(text.clone()));
            }
        }
        "compile" => {
            let dump = parse(text);
            for _ in 0..times {
                black_box(engine(dump.clone()));
            }
        }
        "walk" | "linear" => {
            let engine = engine(parse(text));
            let engine = if what == "linear" { engine.without_index() } else { engine };
            let mut walker = engine.walker();
            for time in 0..times {
                let packet = packet(time % SERVICES);
                black_box(summed(&walker.walk(&packet).expect("one family")));
            }
        }
        "named" => {
            let engine = engine(parse(text));
            for time in 0..times {
                black_box(engine.walk(&packet(time % SERVICES)).expect("one family"));
            }
        }
        "json" => {
            let engine = engine(parse(text));
            let (mut writer, mut out) = (WalkWriter::new(&engine), Vec::new());
            for time in 0..times {
                writer.write(&packet(time % SERVICES), None, &mut out).expect("one family");
                out.clear();
            }
        }
        other => {
            panic!("`{other}` is nothing to count: expected parse, compile, walk, linear, named or json")
        }
    }
}
