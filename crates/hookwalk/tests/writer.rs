//! Walks written one by one are the bytes of their reports.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::path::{Path, PathBuf};

use hookwalk::report::{PacketReport, Text, WalkReport, WalkWriter};
use hookwalk::types::Protocol;
use hookwalk::{Dump, Engine, Host, Packet, PacketState, context, parse};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

fn assert_same(engine: &Engine, writer: &mut WalkWriter<'_>, packet: &Packet, id: Option<&str>) {
    let mut report = WalkReport::new(&engine.walk(packet).unwrap());
    report.packet.id = id.map(Text::from);
    let mut written = b"before".to_vec();
    writer.write(packet, id.map(Text::from), &mut written).unwrap();
    let expected = serde_json::to_string(&report).unwrap();
    assert_eq!(String::from_utf8(written).unwrap().strip_prefix("before"), Some(expected.as_str()));
}

#[test]
fn flows_of_testdata() {
    let mut run = 0;
    for entry in std::fs::read_dir(testdata("flows")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let list = |value: Option<&toml::Value>| -> Vec<String> {
            let list = value.and_then(toml::Value::as_array).into_iter().flatten();
            list.map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let dumps = list(file.get("dumps"));
        if dumps.iter().any(|name| name.starts_with("shared:")) {
            continue;
        }
        let read = |name: &String| parse(std::fs::read(testdata(name)).unwrap());
        let mut dumps: Vec<Dump> = dumps.iter().map(read).collect();
        dumps.extend(file.get("text").map(|text| parse(text.as_str().unwrap())));
        let context = file.get("context").and_then(toml::Value::as_table);
        let mut host = Host::default();
        for address in list(context.and_then(|context| context.get("node_ip"))) {
            host = host.with_node_address(address.parse().unwrap());
        }
        let routes = list(context.and_then(|context| context.get("route")));
        for name in routes.iter().filter(|name| !name.contains(' ')) {
            host = host.with_routes(context::routes(&std::fs::read_to_string(testdata(name)).unwrap()).0);
        }
        let engine = Engine::new(dumps, host);
        let mut writer = WalkWriter::new(&engine);
        for flow in file.get("flow").and_then(toml::Value::as_array).into_iter().flatten() {
            let packet: PacketReport = flow.get("packet").unwrap().clone().try_into().unwrap();
            assert_same(&engine, &mut writer, &packet.to_packet().unwrap(), Some("q \"1\"\n"));
            run += 1;
        }
    }
    assert!(run > 100, "{run}");
}

/// A step of `SplitMix64`.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn twenty_thousand_packets_through_the_rules_of_nodes() {
    let mut seed = 20_261_126;
    let folders = ["docker-ee", "kube-proxy"].map(|name| std::fs::read_dir(testdata(name)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let saves = |path: &PathBuf| path.to_string_lossy().contains(".save");
    let mut files: Vec<PathBuf> = files.filter(saves).collect();
    files.sort();
    let each = 20_000_usize.div_ceil(files.len());
    for file in files {
        let dump = parse(std::fs::read(&file).unwrap());
        // What the rules name, and what they do not.
        let mut addresses = vec!["203.0.113.9".parse().unwrap(), "fd00::99".parse().unwrap()];
        let mut ports = vec![53, 80, 443, 6443, 30_000];
        for rule in dump.tables().iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules) {
            addresses
                .extend(rule.base.source().iter().chain(&rule.base.destination()).map(|a| a.value.address()));
            for part in &rule.matches {
                if let hookwalk::extensions::Match::Tcp(tcp) = part {
                    ports.extend(tcp.dport.map(|ports| ports.value.first));
                }
            }
        }
        let engine =
            Engine::new(vec![dump], Host::default().with_node_address("192.168.50.10".parse().unwrap()));
        let mut writer = WalkWriter::new(&engine);
        let mut pick = |count: usize| usize::try_from(draw(&mut seed) % count as u64).unwrap();
        for _ in 0..each {
            let src = addresses[pick(addresses.len())];
            let same: Vec<_> = addresses.iter().filter(|dst| dst.is_ipv4() == src.is_ipv4()).collect();
            let mut packet = Packet::new(src, *same[pick(same.len())]);
            packet.protocol = [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol(47)][pick(4)];
            if packet.protocol.has_ports() && pick(8) > 0 {
                packet.sport = Some(40_000);
                packet.dport = Some(ports[pick(ports.len())]);
            }
            packet.in_interface =
                [None, Some("cni0".parse().unwrap()), Some("eth0".parse().unwrap())][pick(3)];
            packet.mark = [0, 0x4000, 0x8000][pick(3)];
            packet.state = [PacketState::New, PacketState::Established, PacketState::Invalid][pick(3)];
            assert_same(&engine, &mut writer, &packet, None);
        }
    }
}
