//! Random rulesets and packets.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use hookwalk_engine::Support;
use hookwalk_testkit::Family;
use hookwalk_testkit::arbiter::{
    Answer, Arbiter, AsItLeft, Backend, Context, EngineArbiter, KernelArbiter, Moment, Scene, Shot, Unknown,
};
use hookwalk_testkit::packets::{PacketSpec, aimed_at, icmp, proto};
use hookwalk_testkit::ruleset::{MATCHES, MatchKind, Ruleset, TARGETS};
use hookwalk_testkit::specimen::Specimen;
use hookwalk_testkit::topology::Topology;

use crate::common::{has_kernel, host, is_ci, setting, smaller};

/// What one family and backend came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) pairs: usize,
    moments: BTreeMap<&'static str, usize>,
    pub(crate) verdicts: BTreeMap<String, usize>,
    /// Pairs with something unknown, by the part of a rule that asks.
    unknown: BTreeMap<String, usize>,
    pub(crate) with_unknown: usize,
    /// What was unknown although everything is told, each with where it was met first.
    unexplained: BTreeMap<String, (usize, String)>,
    pub(crate) differences: Vec<String>,
    /// The first disagreements, to be made smaller.
    pub(crate) specimens: Vec<Specimen>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.pairs += other.pairs;
        self.with_unknown += other.with_unknown;
        for (name, count) in other.moments {
            *self.moments.entry(name).or_default() += count;
        }
        for (name, count) in other.verdicts {
            *self.verdicts.entry(name).or_default() += count;
        }
        for (name, count) in other.unknown {
            *self.unknown.entry(name).or_default() += count;
        }
        for (what, (count, place)) in other.unexplained {
            self.unexplained.entry(what).or_insert((0, place)).0 += count;
        }
        self.differences.extend(other.differences);
        self.specimens.extend(other.specimens);
    }
}

/// A node by a ruleset's seed: each serves ten rulesets, and one in eight does not track connections.
fn topology(seed: u64) -> Topology {
    let number = seed / 10;
    Topology { track_connections: number % 8 != 7, ..Topology::random(number) }
}

/// The part of a rule that no packet and no context answers, where that is why something is unknown.
fn excuse(unknown: &Unknown, shot: &Shot, rules: &str) -> Option<String> {
    if unknown.what.contains("that NAT drew") {
        return Some(DRAWN_PORT.to_owned());
    }
    let is_later = shot.first.fragment.is_some_and(|fragment| fragment.offset > 0);
    if is_later && unknown.rule.contains(" -m hashlimit ") {
        return Some(LATER_FRAGMENT.to_owned());
    }
    // What earlier packets of the comparison have left there is told to nobody.
    if unknown.what.contains(" on the template of `CT`") {
        return Some("-m connmark".to_owned());
    }
    let is_udp = shot.first.proto == proto::UDP;
    if is_udp && shot.moment == Moment::Established && unknown.rule.contains("--ctstatus ASSURED") {
        return Some("-m conntrack".to_owned());
    }
    let comes_back = matches!(shot.moment, Moment::Reply | Moment::Related);
    // Who answers from this node is not told, nor of the answer before what follows it.
    let comes_back = comes_back || shot.moment == Moment::Established;
    if comes_back && unknown.rule.contains(" -m owner ") {
        return Some("-m owner".to_owned());
    }
    if unknown.rule.contains(" -m set ") && rules.contains(" -j SET ") {
        return Some("-m set".to_owned());
    }
    if unknown.rule.contains(" -m connmark ") && marks_templates(rules) {
        return Some("-m connmark".to_owned());
    }
    // How long an ICMP error is nobody tells, nor of one about ICMP its type.
    let of_error = ["-m length ", "-m quota ", "-m icmp ", "-m icmp6 "];
    if shot.moment == Moment::Related && of_error.iter().any(|word| unknown.rule.contains(word)) {
        return Some(ICMP_ERROR.to_owned());
    }
    // Sets of ports know ICMP by type and code.
    let is_of_icmp = shot.moment == Moment::Related && proto::is_icmp(shot.first.proto);
    if is_of_icmp && unknown.rule.contains(" -m set ") {
        return Some(ICMP_ERROR.to_owned());
    }
    let has = |word: &str| format!("{} ", unknown.rule).contains(&format!(" {word} "));
    let by_match = MATCHES.iter().filter(|kind| kind.is_exotic()).map(MatchKind::word).find(|word| has(word));
    let by_target =
        TARGETS.iter().filter(|kind| kind.is_exotic()).find(|kind| has(&format!("-j {}", kind.ext)));
    by_match.or(by_target.map(|kind| format!("-j {}", kind.ext)))
}

/// Whether the arbiter makes such a later packet: of an SCTP association it makes nothing but the first.
fn may_follow(shot: &Shot) -> bool {
    // What a node sends from a port to the very same one is its own answer, and so is what has no ports.
    let Shot { first, moment } = shot;
    let has_ports = proto::has_ports(first.proto) || proto::is_icmp(first.proto);
    let is_to_itself = !has_ports || first.sport == first.dport;
    if first.src == first.dst && is_to_itself && *moment != Moment::First {
        return false;
    }
    shot.first.proto != proto::SCTP || matches!(shot.moment, Moment::Second | Moment::Related)
}

/// What would be seen if a process had sent the packet by a socket of its protocol, which leaves the checksum to be made
/// as it goes: a raw socket's is there already, and wrong behind the translation of a prefix that is not the packet's.
/// None where that does not matter.
fn would_be_answered(scene: &Scene, shot: &Shot, seen: &Answer) -> Option<Answer> {
    let is_summed = scene.family == Family::V6 && matches!(shot.first.proto, proto::TCP | proto::UDP);
    let is_sent_here = seen.steps.iter().any(|step| step.starts_with("mangle/OUTPUT/"));
    let mangle = scene.rules.split("*mangle").nth(1).and_then(|rest| rest.split("COMMIT").next())?;
    let is_translated = seen.steps.iter().any(|step| {
        let mut parts = step.strip_prefix("mangle/").unwrap_or_default().split(['/', ' ']);
        let (chain, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut rules = mangle.lines().filter(|line| line.contains(&format!("-A {chain} ")));
        let rule = number.parse().ok().and_then(|number: usize| rules.nth(number.checked_sub(1)?));
        rule.is_some_and(|rule| rule.contains(" -j DNPT ") || rule.contains(" -j SNPT "))
    });
    let place = seen.verdict.strip_prefix("dropped in ")?;
    let verdict = format!("rejected in {place}");
    (is_summed && is_sent_here && is_translated).then(|| Answer { verdict, ..seen.clone() })
}

/// Whether a rule has two `--tcp-flags`, of which `iptables-nft-save` prints the last alone: what it prints is then not
/// what the kernel runs.
fn asks_flags_twice(rules: &str) -> bool {
    rules.lines().any(|rule| rule.matches(" --tcp-flags ").count() > 1)
}

/// Whether table raw writes marks behind `CT`, which stay there for the next packet.
fn marks_templates(rules: &str) -> bool {
    let raw = rules.split("*raw").nth(1).and_then(|rest| rest.split("COMMIT").next()).unwrap_or_default();
    raw.contains(" -j CT") && raw.contains(" -j CONNMARK")
}

/// Why a part of a rule stays unknown, by the engine's own table; none where it has no reason to.
fn reason(part: &str) -> Option<&'static str> {
    let support = match part.split_once(' ') {
        Some(("-m", name)) => Support::of_match(name),
        Some(("-j", name)) => Support::of_target(name),
        _ if part == "--tcp-option" => Support::of_match("tcp"),
        _ if part == "--return-nomatch" => Support::of_match("set"),
        _ if part == DRAWN_PORT => {
            return Some("chance decides, and the share of each port is no use to anybody");
        }
        _ if part == LATER_FRAGMENT => {
            return Some("what a later fragment holds where the ports would be is not told");
        }
        _ if part == ICMP_ERROR => return Some("how long the error is and of which type is not told"),
        _ => None,
    };
    support.map(|support| support.open).filter(|open| !open.is_empty())
}

/// What rules ask that is no extension's fault.
const DRAWN_PORT: &str = "a port that NAT draws";
const LATER_FRAGMENT: &str = "the ports of a later fragment";
const ICMP_ERROR: &str = "an ICMP error";

pub(crate) struct Job {
    family: Family,
    backend: Backend,
    kernel: KernelArbiter,
    engine: EngineArbiter,
    /// The context of the last topology, which costs commands to read.
    context: Option<(Topology, Context)>,
    pub(crate) tally: Tally,
    /// Whether the ruleset in place holds what leaves a walk open.
    is_exotic: bool,
}

impl Job {
    pub(crate) fn new(family: Family, backend: Backend) -> Self {
        let (kernel, engine) = (KernelArbiter::new(), EngineArbiter::new(host));
        Self { family, backend, kernel, engine, context: None, tally: Tally::default(), is_exotic: false }
    }

    fn run(mut self, seeds: std::ops::Range<u64>, packets: usize) -> Tally {
        for seed in seeds {
            let topology = topology(seed);
            let ruleset = Ruleset::random(seed, self.family, &topology);
            let scene = Scene {
                backend: self.backend,
                family: self.family,
                topology,
                sets: ruleset.sets_text(),
                rules: ruleset.to_string(),
                context: Context::default(),
            };
            if self.backend == Backend::Nft && asks_flags_twice(&scene.rules) {
                continue;
            }
            if let Err(error) = self.scene(seed, &ruleset, &scene, packets) {
                self.tally.differences.push(format!("seed {seed}: {error}\n{}{}", scene.sets, scene.rules));
            }
        }
        self.tally
    }

    /// Compares what becomes of packets aimed at the rules of a scene; tells why it cannot be had in the kernel, or
    /// read back.
    pub(crate) fn scene(
        &mut self,
        seed: u64,
        ruleset: &Ruleset,
        scene: &Scene,
        packets: usize,
    ) -> Result<(), String> {
        self.is_exotic = ruleset.is_exotic();
        self.kernel.place(scene).map_err(|error| error.to_string())?;
        let saved = self.saved(scene);
        self.engine.place(&saved).map_err(|error| error.to_string())?;
        self.compare(seed, ruleset, &saved, packets);
        Ok(())
    }

    /// The scene as the node prints it; what does not change with the rules is asked once for a node.
    fn saved(&mut self, scene: &Scene) -> Scene {
        if let Some((topology, context)) = &self.context
            && *topology == scene.topology
            && scene.sets.is_empty()
        {
            let rules = self.kernel.node().unwrap().save(self.backend, self.family).unwrap();
            return Scene { rules, context: context.clone(), ..scene.clone() };
        }
        let saved = self.kernel.saved(scene).unwrap();
        let without_sets = Context { ipset: String::new(), ..saved.context.clone() };
        self.context = Some((scene.topology.clone(), without_sets));
        saved
    }

    fn compare(&mut self, number: u64, ruleset: &Ruleset, scene: &Scene, packets: usize) {
        let mut specs = aimed_at(ruleset, &scene.topology, number, packets);
        // These the arbiter takes for what the node sends by itself.
        specs.retain(|spec| spec.proto != proto::ICMPV6 || !icmp::is_of_the_link(spec.icmp_type));
        if self.backend == Backend::Nft {
            // nft reads what a later fragment holds as ports, and nobody tells the walk what that is.
            let is_later = |spec: &PacketSpec| spec.fragment.is_some_and(|fragment| fragment.offset > 0);
            specs.retain(|spec| !(is_later(spec) && proto::has_ports(spec.proto)));
        }
        let seen = self.kernel.answer_all(&specs).unwrap();
        for (spec, seen) in specs.iter().zip(seen) {
            self.judge(number, scene, &Shot::first(spec), &seen);
        }
        // Later packets cost up to three each.
        let openers = specs.iter().filter(|_| scene.topology.track_connections).step_by(5);
        for (count, spec) in openers.enumerate() {
            let moment = [Moment::Second, Moment::Reply, Moment::Established, Moment::Related];
            let moment = moment.into_iter().cycle().nth(count);
            let shot = Shot { first: spec.clone(), moment: moment.unwrap_or(Moment::Second) };
            if !may_follow(&shot) {
                continue;
            }
            // Where it is not known what the first came to, nothing is said of what follows.
            if !self.engine.answer(&Shot::first(spec)).unwrap().unknown.is_empty() {
                continue;
            }
            if let Some(seen) = self.kernel.answer(&shot).unwrap().possible.pop() {
                self.judge(number, scene, &shot, &seen);
            }
        }
    }

    /// Whether the kernel draws a port of the first packet, for a later one.
    fn first_draws(&mut self, shot: &Shot) -> bool {
        let first = Shot::first(&shot.first);
        let answers = self.engine.answer(&first).unwrap();
        let mut ports = answers.possible.iter().filter_map(|answer| answer.packet.as_ref());
        ports.any(AsItLeft::has_drawn_port)
    }

    /// What the arbiter cannot tell or make.
    fn is_beyond(&self, scene: &Scene, shot: &Shot, seen: &Answer) -> bool {
        let to_all = |dst: IpAddr| scene.topology.subnets(Family::V4).any(|subnet| subnet.last() == dst);
        let to_many = |dst: IpAddr| {
            let special = matches!(dst, IpAddr::V4(dst) if dst.is_broadcast() || dst.is_unspecified());
            special || dst.is_multicast() || to_all(dst)
        };
        if shot.first.in_iface.is_some() {
            // A TUN device has no link layer to say that a packet is for many.
            return to_many(shot.first.dst) && scene.rules.contains(" -m pkttype ");
        }
        // What is sent to all comes back to the node as a second packet, which the arbiter does not tell apart.
        match &seen.packet {
            Some(packet) => to_all(packet.dst),
            None => self.engine.destinations(shot).unwrap().into_iter().any(to_all),
        }
    }

    fn judge(&mut self, number: u64, scene: &Scene, shot: &Shot, seen: &Answer) {
        if self.is_beyond(scene, shot, seen) {
            return;
        }
        let answers = self.engine.answer(shot).unwrap();
        if answers.agree(seen).is_err()
            && would_be_answered(scene, shot, seen).is_some_and(|other| answers.agree(&other).is_ok())
        {
            return;
        }
        let first_draws = !answers.unknown.is_empty() && self.first_draws(shot);
        let tally = &mut self.tally;
        tally.pairs += 1;
        *tally.moments.entry(shot.moment.name()).or_default() += 1;
        let verdict = seen.verdict.split(' ').next().unwrap_or_default().to_owned();
        *tally.verdicts.entry(verdict).or_default() += 1;
        let Scene { backend, family, rules, sets, .. } = scene;
        let Shot { first, moment } = shot;
        let place = format!("seed {number}, {family:?} {backend:?}, {} of {first}", moment.name());
        tally.with_unknown += usize::from(!answers.unknown.is_empty());
        let excuses: Vec<Option<String>> =
            answers.unknown.iter().map(|unknown| excuse(unknown, shot, rules)).collect();
        let is_exotic = self.is_exotic;
        let ports = answers.possible.iter().filter_map(|answer| answer.packet.as_ref());
        // An answer comes to the port that was drawn for the first packet.
        let is_drawn = first_draws || ports.into_iter().any(AsItLeft::has_drawn_port);
        let is_excused = excuses.iter().any(Option::is_some);
        for (unknown, excuse) in answers.unknown.iter().zip(excuses) {
            match excuse {
                Some(part) => *tally.unknown.entry(part).or_default() += 1,
                // What follows from another answer, and sets that a rule adds to.
                None if unknown.what == Unknown::MAYBE && (is_excused || is_exotic || is_drawn) => {}
                None => {
                    let what = format!("{} in {}", unknown.what, unknown.rule);
                    tally.unexplained.entry(what).or_insert_with(|| (0, place.clone())).0 += 1;
                }
            }
        }
        if let Err(why) = answers.agree(seen) {
            let Context { route, rule, .. } = &scene.context;
            tally.differences.push(format!("{place}: {why}\n{sets}{rules}\n{rule}{route}"));
            tally.specimens.push(Specimen::of_scene(scene, vec![shot.clone()]));
        }
    }
}

#[test]
fn the_walk_is_what_linux_does() {
    if !has_kernel() {
        return;
    }
    let first = setting("HOOKWALK_SEED", 1);
    let rulesets = setting("HOOKWALK_RULESETS", if is_ci() { 130 } else { 6 });
    let packets = usize::try_from(setting("HOOKWALK_PACKETS", 40)).unwrap();
    let seeds = first..first + rulesets;
    eprintln!("seeds {first} to {}, {packets} packets each, both families, both backends", seeds.end - 1);
    let start = Instant::now();
    let only = std::env::var("HOOKWALK_ONLY").unwrap_or_default();
    let jobs =
        [Family::V4, Family::V6].into_iter().flat_map(|family| Backend::ALL.map(|backend| (family, backend)));
    let threads: Vec<_> = jobs
        .filter(|(family, backend)| format!("{family:?} {backend:?}").contains(&only))
        .map(|(family, backend)| {
            let seeds = seeds.clone();
            std::thread::spawn(move || Job::new(family, backend).run(seeds, packets))
        })
        .collect();
    let mut tally = Tally::default();
    for thread in threads {
        tally.add(thread.join().unwrap());
    }
    smaller::write(&tally.specimens, false);
    let Tally { pairs, moments, verdicts, unknown, with_unknown, unexplained, differences, .. } = tally;
    eprintln!("{pairs} pairs in {:?}, {} differences", start.elapsed(), differences.len());
    eprintln!("{moments:?}\n{verdicts:?}\n{with_unknown} pairs with something unknown:");
    for (part, count) in &unknown {
        eprintln!("  {count} {part}: {}", reason(part).unwrap_or("no reason"));
    }
    let shown = usize::try_from(setting("HOOKWALK_SHOW", 10)).unwrap();
    for (what, (count, place)) in unexplained.iter().take(shown) {
        eprintln!("unknown {count} times: {what} (first {place})");
    }
    for difference in differences.iter().skip(1).take(shown) {
        eprintln!("{}\n", difference.lines().next().unwrap_or_default());
    }
    assert!(
        differences.is_empty(),
        "{} of {pairs} differ; the first:\n{}",
        differences.len(),
        differences[0]
    );
    let groundless: Vec<_> = unknown.keys().filter(|part| reason(part).is_none()).collect();
    assert!(groundless.is_empty(), "unknown, and the table of support says nothing of it: {groundless:?}");
    assert!(unexplained.is_empty(), "{} things are unknown without a reason", unexplained.len());
    // Twelve rulesets in a hundred may hold what cannot be answered, and most of their packets do not meet it.
    assert!(with_unknown * 10 < pairs.max(500), "{with_unknown} of {pairs} have something unknown");
    if rulesets >= 100 {
        assert_eq!(verdicts.len(), 6, "a verdict never occurred: {verdicts:?}");
    }
}
