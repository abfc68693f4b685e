//! Fixed work whose instructions are counted: `counted WORK[:SERVICES] TIMES`, of 500 services where no
//! number is given. `benches/counts` runs it under callgrind. `counted dump SERVICES` prints a dump.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement says what is wrong by failing")]

use std::hint::black_box;
use std::io::Write;

use hookwalk::report::WalkWriter;
use hookwalk::{Engine, parse};
use hookwalk_benches::shapes::SHAPES;
use hookwalk_benches::{engine, kube_dump, packet, summed};

/// As the command has it; and that of no system's library makes the counts of two machines differ.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENDPOINTS: usize = 5;

const WORK: &str = "parse, compile, walk, first, last, linear, named, json, dump, or the name of a shape";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("what to do");
    let times: usize = arguments.next().map_or(1, |text| text.parse().expect("a number"));
    if what == "dump" {
        let written = std::io::stdout().write_all(kube_dump(times, ENDPOINTS).as_bytes());
        return written.expect("the dump can be written");
    }
    let (what, size) = what.split_once(':').unwrap_or((&what, "500"));
    let size: usize = size.parse().expect("a number");
    if let Some(shape) = SHAPES.iter().find(|shape| shape.name == what) {
        let (engine, packet) = shape.engine(size);
        let mut walker = engine.walker();
        for _ in 0..times {
            black_box(walker.walk(&packet).expect("one family").certain().is_some());
        }
        return;
    }
    let text = kube_dump(size, ENDPOINTS);
    let compiled = || engine(parse(text.clone()));
    match what {
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
        "walk" => walk(&compiled(), times, |time| time % size),
        "first" => walk(&compiled(), times, |_| 0),
        "last" => walk(&compiled(), times, |_| size - 1),
        // Spread over all, so that few walks are like the mean of many.
        "linear" => walk(&compiled().without_index(), times, |time| (2 * time + 1) * size / (2 * times)),
        "named" => {
            let engine = compiled();
            for time in 0..times {
                black_box(engine.walk(&packet(time % size)).expect("one family"));
            }
        }
        "json" => {
            let engine = compiled();
            let (mut writer, mut out) = (WalkWriter::new(&engine), Vec::new());
            for time in 0..times {
                writer.write(&packet(time % size), None, &mut out).expect("one family");
                out.clear();
            }
        }
        other => panic!("`{other}` is nothing to count: expected {WORK}"),
    }
}

fn walk(engine: &Engine, times: usize, service: impl Fn(usize) -> usize) {
    let mut walker = engine.walker();
    for time in 0..times {
        let packet = packet(service(time));
        black_box(summed(&walker.walk(&packet).expect("one family")));
    }
}
