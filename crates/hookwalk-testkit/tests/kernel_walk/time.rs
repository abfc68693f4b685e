//! Windows and rates while time goes by.

use std::time::{Duration, Instant};

use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{Arbiter as _, Backend, Context, EngineArbiter, KernelArbiter, Scene};
use hookwalk_testkit::packets::{PacketSpec, proto};
use hookwalk_testkit::topology::Topology;

use crate::common::{has_kernel, host};

/// When packets come, in seconds: within the windows of the rules, and far behind them. A window of three seconds and
/// tokens that come every three have no edge within [`LATE`] of any of them: the fourth packet finds two tokens a
/// second after the second one came, the sixth comes a second before the next.
const SECONDS: [u64; 6] = [0, 0, 1, 7, 7, 8];

/// How late a packet may be and still count as sent at its second.
const LATE: Duration = Duration::from_millis(700);

/// How often the packets are sent anew because a busy machine made one late.
const ROUNDS: usize = 10;

const RULES: &str = "*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n\
    :OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n\
    -A PREROUTING -m recent --rcheck --seconds 3 --name CHECKED --rsource\n\
    -A PREROUTING -m recent --rcheck --seconds 3 --hitcount 2 --name CHECKED --rsource\n\
    -A PREROUTING -m recent --set --name CHECKED --rsource\n\
    -A PREROUTING -m recent ! --update --seconds 3 --name UPDATED --rsource\n\
    -A PREROUTING -m recent --set --name UPDATED --rdest\n\
    -A PREROUTING -m limit --limit 20/minute --limit-burst 1\n\
    -A PREROUTING -m limit --limit 20/minute --limit-burst 2\n\
    -A PREROUTING -m hashlimit --hashlimit-upto 20/minute --hashlimit-burst 1 --hashlimit-mode srcip --hashlimit-name up\n\
    -A PREROUTING -m hashlimit --hashlimit-above 20/minute --hashlimit-burst 2 --hashlimit-mode srcip,dstport --hashlimit-name above\n\
    -A PREROUTING -m statistic --mode nth --every 3 --packet 1\n\
    -A PREROUTING\nCOMMIT\n";

fn compare(backend: Backend, family: Family) -> Vec<String> {
    let scene = Scene {
        backend,
        family,
        topology: Topology::default(),
        sets: String::new(),
        rules: RULES.to_owned(),
        context: Context::default(),
    };
    let (src, dst) = match family {
        Family::V4 => ("10.0.0.5", "10.1.0.5"),
        Family::V6 => ("fd00::5", "fd00:1::5"),
    };
    let packet = PacketSpec {
        in_iface: Some("tun0".to_owned()),
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        proto: proto::UDP,
        ..PacketSpec::default()
    };
    let differences = (0..ROUNDS).find_map(|_| round(&scene, &packet));
    assert!(differences.is_some(), "{backend:?} {family:?}: a packet was late in each of {ROUNDS} rounds");
    differences.unwrap()
}

/// The differences of one round, or nothing where a packet was late.
fn round(scene: &Scene, packet: &PacketSpec) -> Option<Vec<String>> {
    let packets: Vec<(u64, PacketSpec)> = SECONDS.map(|at| (at, packet.clone())).to_vec();
    let mut kernel = KernelArbiter::new();
    kernel.place(scene).unwrap();
    let mut engine = EngineArbiter::new(host);
    engine.place(&kernel.saved(scene).unwrap()).unwrap();
    let answers = engine.answer_timed(&packets, 1).unwrap();
    let start = Instant::now();
    let mut differences = Vec::new();
    for ((at, packet), answers) in packets.iter().zip(&answers) {
        let due = start + Duration::from_secs(*at);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (seen, _) = kernel.step(packet).unwrap();
        if due.elapsed() > LATE {
            return None;
        }
        if let Err(why) = answers.agree(&seen) {
            differences.push(format!("{:?} {:?}, second {at}: {why}", scene.backend, scene.family));
        }
        assert!(answers.unknown.is_empty(), "{:?}", answers.unknown);
    }
    Some(differences)
}

#[test]
fn windows_and_rates_go_by_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let nodes =
        [Family::V4, Family::V6].into_iter().flat_map(|family| Backend::ALL.map(|backend| (backend, family)));
    let threads: Vec<_> =
        nodes.map(|(backend, family)| std::thread::spawn(move || compare(backend, family))).collect();
    let wrong: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
