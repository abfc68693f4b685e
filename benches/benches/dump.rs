//! Parse, compile and walk, by size of the dump. `cargo bench -p hookwalk-benches`
#![expect(clippy::unwrap_used, reason = "a bench says what is wrong by failing")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hookwalk::{Engine, Host, Packet, parse};
use hookwalk_benches::{cluster_ip, kube_dump};

const ENDPOINTS: usize = 5;

fn parsing(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for services in [100, 1000, 5000] {
        let text = kube_dump(services, ENDPOINTS);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(services), &text, |b, text| {
            b.iter_batched(
                || text.clone().into_bytes(),
                |bytes| black_box(parse(bytes)),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn compiling(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    for services in [100, 5000] {
        let dump = parse(kube_dump(services, ENDPOINTS));
        group.bench_with_input(BenchmarkId::from_parameter(services), &dump, |b, dump| {
            b.iter_batched(
                || vec![dump.clone()],
                |dumps| black_box(Engine::new(dumps, Host::default())),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn walking(c: &mut Criterion) {
    let mut group = c.benchmark_group("walk");
    for services in [100, 5000] {
        let host = Host::default().with_node_address("192.168.50.10".parse().unwrap());
        let engine = Engine::new(vec![parse(kube_dump(services, ENDPOINTS))], host);
        for (name, service) in [("first", 0), ("last", services - 1)] {
            let packet = Packet::new("10.128.0.77".parse().unwrap(), cluster_ip(service).parse().unwrap())
                .arriving_by("cni0".parse().unwrap())
                .source_port(40000)
                .destination_port(80);
            assert_eq!(engine.walk(&packet).unwrap().cases.first().unwrap().outcomes.len(), ENDPOINTS);
            group.bench_function(BenchmarkId::new(name, services), |b| {
                b.iter(|| engine.walk(black_box(&packet)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, parsing, compiling, walking);
criterion_main!(benches);
