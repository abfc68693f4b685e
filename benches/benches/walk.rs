//! Compact walks over sizes: by service, and of every shape that could grow faster than its input.
//! `cargo bench -p hookwalk-benches --bench walk`
#![expect(clippy::unwrap_used, reason = "a bench says what is wrong by failing")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hookwalk::parse;
use hookwalk::report::WalkWriter;
use hookwalk_benches::shapes::SHAPES;
use hookwalk_benches::{engine, kube_dump, packet, summed};

fn by_service(c: &mut Criterion) {
    let mut group = c.benchmark_group("compact-walk");
    for services in [100, 5_000, 10_000] {
        let engine = engine(parse(kube_dump(services, 5)));
        let mut walker = engine.walker();
        for (name, service) in [("first", 0), ("last", services - 1)] {
            let packet = packet(service);
            group.bench_function(BenchmarkId::new(name, services), |b| {
                b.iter(|| black_box(summed(&walker.walk(black_box(&packet)).unwrap())));
            });
        }
        let mut next = 0;
        group.bench_function(BenchmarkId::new("each-in-turn", services), |b| {
            b.iter(|| {
                next = (next + 7) % services;
                black_box(summed(&walker.walk(&packet(next)).unwrap()))
            });
        });
        let linear = engine.without_index();
        let (mut walker, mut next) = (linear.walker(), 0);
        group.bench_function(BenchmarkId::new("linear-each-in-turn", services), |b| {
            b.iter(|| {
                next = (next + 7) % services;
                black_box(summed(&walker.walk(&packet(next)).unwrap()))
            });
        });
    }
    group.finish();
}

fn by_size(c: &mut Criterion) {
    for shape in SHAPES {
        let mut group = c.benchmark_group(shape.name);
        group.sample_size(10);
        for &size in shape.sizes {
            let (engine, packet) = shape.engine(size);
            let mut walker = engine.walker();
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| black_box(walker.walk(black_box(&packet)).unwrap().certain().is_some()));
            });
        }
        group.finish();
    }
}

/// Walks written as `trace --packets --json` does.
fn as_json(c: &mut Criterion) {
    const SERVICES: usize = 5_000;
    let engine = engine(parse(kube_dump(SERVICES, 5)));
    let (mut writer, mut out, mut next) = (WalkWriter::new(&engine), Vec::new(), 0);
    c.bench_function("walk-as-json", |b| {
        b.iter(|| {
            next = (next + 7) % SERVICES;
            out.clear();
            writer.write(&packet(next), None, &mut out).unwrap();
            black_box(out.len())
        });
    });
}

criterion_group!(benches, by_service, as_json, by_size);
criterion_main!(benches);
