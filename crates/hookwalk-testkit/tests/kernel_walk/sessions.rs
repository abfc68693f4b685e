//! Packets one after the other on one host, and hosts that have connections already.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{
    Answer, Answers, Arbiter as _, AsItLeft, Backend, Context, EngineArbiter, KernelArbiter, Scene, Shot,
    later,
};
use hookwalk_testkit::dice::Dice;
use hookwalk_testkit::packets::{PacketSpec, aimed_at, proto};
use hookwalk_testkit::ruleset::Ruleset;
use hookwalk_testkit::specimen::Specimen;
use hookwalk_testkit::topology::Topology;

use crate::common::{has_kernel, host, is_ci, setting, smaller};

/// What was compared.
#[derive(Default)]
struct Tally {
    packets: usize,
    verdicts: BTreeMap<String, usize>,
    /// Sessions that were given up where a port was drawn (the engine's dice fall otherwise), or nobody tells.
    drawn: usize,
    /// Packets that belong to a connection which was there before.
    known: usize,
    unexplained: Vec<String>,
    differences: Vec<String>,
    specimens: Vec<Specimen>,
}

/// The next packet of a session: a new one, or one that has to do with those before.
struct Next<'a> {
    dice: Dice,
    fresh: std::slice::Iter<'a, PacketSpec>,
    /// What has been sent, with the answer to it where it got through.
    sent: Sent,
}

/// Packets, each with the answer to it.
type Sent = Vec<(PacketSpec, Option<PacketSpec>)>;

impl Next<'_> {
    fn packet(&mut self) -> Option<PacketSpec> {
        let kind = self.dice.number(0..=9);
        let earlier = self.dice.pick(&self.sent).cloned();
        match (earlier, kind) {
            (Some((packet, _)), 0 | 1) => Some(packet),
            (Some((_, Some(answer))), 2..=4) => Some(answer),
            (Some((packet, Some(_))), 5) => Some(later::established(&packet)),
            (Some((packet, _)), 6) => {
                Some(PacketSpec { sport: packet.sport ^ 1, icmp_id: packet.icmp_id ^ 0x4000, ..packet })
            }
            _ => self.fresh.next().cloned(),
        }
    }
}

/// Packets that a kernel was asked about one by one, and what became of them; with rules that count (`counts`) up to
/// the first that it answered.
fn go(
    kernel: &KernelArbiter,
    fresh: &[PacketSpec],
    seed: u64,
    count: usize,
    before: Sent,
    counts: bool,
) -> (Vec<PacketSpec>, Vec<Answer>, Sent) {
    let mut next = Next { dice: Dice::new(seed), fresh: fresh.iter(), sent: before };
    let (mut packets, mut answers) = (Vec::new(), Vec::new());
    while packets.len() < count
        && let Some(packet) = next.packet()
    {
        let (answer, observed) = kernel.step(&packet).unwrap();
        let reply = kernel.answers_to(&packet, &observed).map(|(reply, _)| reply);
        next.sent.push((packet.clone(), reply));
        packets.push(packet);
        answers.push(answer);
        // What the kernel answers by itself passes OUTPUT too, and rules there count it.
        if counts && !observed.replies.is_empty() {
            break;
        }
    }
    (packets, answers, next.sent)
}

fn scene(backend: Backend, topology: &Topology, ruleset: &Ruleset) -> Scene {
    Scene {
        backend,
        family: ruleset.family,
        topology: topology.clone(),
        sets: ruleset.sets_text(),
        rules: ruleset.to_string(),
        context: Context::default(),
    }
}

/// Packets of which nothing is left open where they stand alone. The arbiter makes no SCTP but the first packet.
fn fresh(ruleset: &Ruleset, topology: &Topology, seed: u64, count: usize) -> Vec<PacketSpec> {
    let mut packets = aimed_at(ruleset, topology, seed, count);
    packets.retain(|packet| packet.proto != proto::SCTP);
    // NAT gives one of two echo requests another id, which nothing tells.
    for (id, packet) in (100..).zip(&mut packets) {
        packet.icmp_id = id;
    }
    packets
}

impl Tally {
    fn judge(&mut self, place: &str, packets: &[PacketSpec], seen: &[Answer], answers: &[Answers]) -> bool {
        for ((packet, seen), answers) in packets.iter().zip(seen).zip(answers) {
            let is_drawn = |answer: &Answer| answer.packet.as_ref().is_some_and(AsItLeft::has_drawn_port);
            // Of a connection that was there before nobody tells whether it is masqueraded.
            let is_masqueraded =
                answers.unknown.iter().any(|unknown| unknown.what.starts_with("MASQUERADE chose"));
            if is_masqueraded || answers.possible.iter().any(is_drawn) {
                self.drawn += 1;
                return true;
            }
            self.packets += 1;
            let verdict = seen.verdict.split(' ').next().unwrap_or_default();
            *self.verdicts.entry(verdict.to_owned()).or_default() += 1;
            if !answers.unknown.is_empty() {
                self.unexplained.push(format!("{place}: {packet}: {:?}", answers.unknown));
                return true;
            }
            if let Err(why) = answers.agree(seen) {
                self.differences.push(format!("{place}: {packet}: {why}"));
                return false;
            }
        }
        true
    }

    #[expect(clippy::print_stderr, reason = "that is how a test says what it did")]
    fn report(self, what: &str, start: Instant) {
        smaller::write(&self.specimens, true);
        let Self { packets, verdicts, drawn, known, unexplained, differences, .. } = self;
        eprintln!("{what}: {packets} packets in {:?}, {} differences", start.elapsed(), differences.len());
        eprintln!(
            "{verdicts:?}; {drawn} given up at a drawn port or a masqueraded connection; {known} of known connections"
        );
        let shown = usize::try_from(setting("HOOKWALK_SHOW", 10)).unwrap();
        for line in unexplained.iter().chain(&differences).take(shown) {
            eprintln!("{line}\n");
        }
        assert!(differences.is_empty(), "{} of {packets} differ", differences.len());
        assert!(unexplained.is_empty(), "{} are unknown", unexplained.len());
    }
}

#[test]
fn packets_one_after_the_other_walk_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let rulesets = setting("HOOKWALK_RULESETS", if is_ci() { 20 } else { 3 });
    // An IPv6 host also speaks by itself, and rules count it: such sessions differ now and then.
    let families: &[Family] =
        if setting("HOOKWALK_IPV6_SESSIONS", 0) == 1 { &[Family::V4, Family::V6] } else { &[Family::V4] };
    eprintln!("sessions {first} to {}, {families:?}, both backends", first + rulesets - 1);
    let (start, mut tally) = (Instant::now(), Tally::default());
    for seed in first..first + rulesets {
        for &family in families {
            let topology = Topology::random(seed / 10);
            let ruleset = Ruleset::of_session(seed, family, &topology);
            let fresh = fresh(&ruleset, &topology, seed, 12);
            for backend in Backend::ALL {
                let mut kernel = KernelArbiter::new();
                let scene = scene(backend, &topology, &ruleset);
                kernel.place(&scene).unwrap();
                let saved = kernel.saved(&scene).unwrap();
                let (packets, mut seen, _) = go(&kernel, &fresh, seed, 20, vec![], true);
                let mut engine = EngineArbiter::new(host);
                engine.place(&saved).unwrap();
                let answers = engine.answer_session(&packets, seed).unwrap();
                let place = format!("session {seed}, {family:?} {backend:?}");
                // What differs is asked once more.
                if families.len() > 1
                    && answers.iter().zip(&seen).any(|(answers, seen)| answers.agree(seen).is_err())
                {
                    seen = kernel.answer_session(&scene, &packets).unwrap();
                }
                if !tally.judge(&place, &packets, &seen, &answers) {
                    let shots = packets.iter().map(Shot::first).collect();
                    tally.specimens.push(Specimen::of_scene(&saved, shots));
                }
            }
        }
    }
    tally.report("sessions", start);
}

/// Connections that were made under other rules go on under these, as `conntrack -L` lists them.
#[test]
fn connections_that_were_there_before_go_on_as_in_linux() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let rulesets = setting("HOOKWALK_RULESETS", if is_ci() { 20 } else { 3 });
    let (start, mut tally) = (Instant::now(), Tally::default());
    for seed in first..first + rulesets {
        for family in [Family::V4, Family::V6] {
            let topology = Topology::random(seed / 10);
            let [before, now] = [seed, seed + 1_000_000].map(|seed| {
                let mut all =
                    (seed..).step_by(2_000_000).map(|seed| Ruleset::random(seed, family, &topology));
                all.find(|ruleset| ruleset.sets.is_empty() && !is_open(ruleset)).unwrap()
            });
            for backend in Backend::ALL {
                let mut kernel = KernelArbiter::new();
                kernel.place(&scene(backend, &topology, &before)).unwrap();
                let made = fresh(&before, &topology, seed, 30);
                let (.., sent) = go(&kernel, &made, seed, 30, vec![], false);
                let scene = scene(backend, &topology, &now);
                kernel.replace_rules(&scene).unwrap();
                let mut saved = kernel.saved(&scene).unwrap();
                saved.context.conntrack = kernel.connections(family).unwrap();
                let fresh = fresh(&now, &topology, seed, 10);
                let (packets, seen, _) = go(&kernel, &fresh, seed, 25, sent, false);
                let mut engine = EngineArbiter::new(host);
                engine.place(&saved).unwrap();
                let answers = engine.answer_session(&packets, seed).unwrap();
                let place = format!("connections {seed}, {family:?} {backend:?}");
                tally.known += saved.context.conntrack.lines().count();
                if !tally.judge(&place, &packets, &seen, &answers) {
                    let place = tally.differences.last_mut().unwrap();
                    let Context { conntrack, route, rule, .. } = &saved.context;
                    let sent: Vec<String> = packets.iter().map(ToString::to_string).collect();
                    let _ = write!(place, "\n{}\n{conntrack}{}{rule}{route}", sent.join("\n"), saved.rules);
                }
            }
        }
    }
    tally.report("connections", start);
}

/// Whether chance or what nobody tells decides.
fn is_open(ruleset: &Ruleset) -> bool {
    let text = ruleset.to_string();
    ruleset.is_exotic() || ["--mode random", "--random"].into_iter().any(|word| text.contains(word))
}
