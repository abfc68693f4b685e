//! The engine as arbiter.

use std::net::IpAddr;

use hookwalk_engine::{
    Engine, Host, Outcome, Packet, PacketState, Place, RuleRef, Simulator, StepKind, Verdict, Walk, WalkStep,
};
use hookwalk_parser::Severity;
use hookwalk_parser::types::Family;

use super::answer::{Answer, Answers, AsItLeft, Port, Unknown};
use super::scene::{Context, Moment, Scene, Shot, first_state};
use super::{Arbiter, ArbiterError};
use crate::packets::{PacketSpec, icmp, proto};

/// Answers by walking the dump.
pub struct EngineArbiter {
    /// Reads what the tools of the node print.
    read: Box<dyn Fn(&Context) -> Host + Send>,
    engine: Option<Engine>,
}

impl EngineArbiter {
    /// An arbiter without a scene. Texts about the node are read by `read`, which stands above this crate.
    pub fn new(read: impl Fn(&Context) -> Host + Send + 'static) -> Self {
        Self { read: Box::new(read), engine: None }
    }

    /// The engine of the scene in place.
    pub fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    /// Puts the rules of several backends or families on one node, the first scene's.
    pub fn place_all(&mut self, scenes: &[Scene]) -> Result<(), ArbiterError> {
        let Some(first) = scenes.first() else { return Err(ArbiterError::NoScene) };
        let mut dumps = Vec::new();
        for scene in scenes {
            let dump = hookwalk_parser::parse(scene.rules.clone());
            if let Some(error) = dump.diagnostics().iter().find(|d| d.severity == Severity::Error) {
                return Err(ArbiterError::Dump(format!("{error:?}")));
            }
            dumps.push(dump);
        }
        let engine = Engine::new(dumps, (self.read)(&first.context));
        if let Some(problem) = engine.problems().first() {
            return Err(ArbiterError::Dump(format!("{problem:?}")));
        }
        self.engine = Some(engine);
        Ok(())
    }

    /// The walk of a packet.
    pub fn walk(&self, shot: &Shot) -> Result<Walk, ArbiterError> {
        let engine = self.engine.as_ref().ok_or(ArbiterError::NoScene)?;
        let mut packet = shot.first.to_packet();
        packet.state = match shot.moment {
            Moment::First => first_state(&shot.first),
            Moment::Second => PacketState::Second,
            Moment::Reply => PacketState::Reply,
            Moment::Established => PacketState::Established,
            Moment::Related => PacketState::Related,
        };
        if shot.moment == Moment::Related && !proto::is_icmp(shot.first.proto) {
            // What the first packet does not have itself is told of the error.
            (packet.icmp_type, packet.icmp_code) = error_type(shot.first.family());
        }
        Ok(engine.walk(&packet)?)
    }
}

impl Arbiter for EngineArbiter {
    fn place(&mut self, scene: &Scene) -> Result<(), ArbiterError> {
        self.place_all(std::slice::from_ref(scene))
    }

    fn answer(&mut self, shot: &Shot) -> Result<Answers, ArbiterError> {
        let walk = self.walk(shot)?;
        self.answers(&walk)
    }
}

impl EngineArbiter {
    /// What becomes of packets one after the other on the node of the scene, with the connections that it was told
    /// to have. Where chance decides it decides by `seed`.
    pub fn answer_session(&self, packets: &[PacketSpec], seed: u64) -> Result<Vec<Answers>, ArbiterError> {
        let packets: Vec<(u64, PacketSpec)> = packets.iter().map(|packet| (0, packet.clone())).collect();
        self.answer_timed(&packets, seed)
    }

    /// The same with the second in which each packet comes.
    pub fn answer_timed(
        &self,
        packets: &[(u64, PacketSpec)],
        seed: u64,
    ) -> Result<Vec<Answers>, ArbiterError> {
        let engine = self.engine.as_ref().ok_or(ArbiterError::NoScene)?;
        let mut session = Simulator::new(engine, seed);
        let walk = |(at, spec): &(u64, PacketSpec)| {
            let mut packet = spec.to_packet();
            packet.at = Some(*at);
            self.answers(&session.walk(&packet)?)
        };
        packets.iter().map(walk).collect()
    }

    /// Where what becomes of a packet was going to, also where it did not get there.
    pub fn destinations(&self, shot: &Shot) -> Result<Vec<IpAddr>, ArbiterError> {
        let walk = self.walk(shot)?;
        Ok(walk.cases.iter().flat_map(|case| &case.outcomes).map(|outcome| outcome.dst).collect())
    }

    fn answers(&self, walk: &Walk) -> Result<Answers, ArbiterError> {
        let engine = self.engine.as_ref().ok_or(ArbiterError::NoScene)?;
        let rule = |rule: Option<&RuleRef>| {
            rule.map(|rule| String::from_utf8_lossy(engine.text(rule)).into_owned()).unwrap_or_default()
        };
        let mut answers = Answers::default();
        for case in &walk.cases {
            for assumption in &case.assume {
                answers
                    .unknown
                    .push(Unknown { rule: rule(assumption.rule.as_ref()), what: assumption.what.clone() });
            }
            // Of what a hash decides only the one address that it picks can be seen.
            for outcome in case.outcomes.iter().filter(|outcome| outcome.picked != Some(false)) {
                for assumption in &outcome.assume {
                    let rule = rule(assumption.rule.as_ref());
                    answers.unknown.push(Unknown { rule, what: assumption.what.clone() });
                }
                answers.unknown.extend(
                    outcome
                        .maybe_rules
                        .iter()
                        .map(|maybe| Unknown { rule: rule(Some(maybe)), what: Unknown::MAYBE.to_owned() }),
                );
                if outcome.verdict == Verdict::Unknown {
                    let last = outcome.steps.last().map(|step| &step.at);
                    let what = outcome.reason.clone().unwrap_or_else(|| outcome.not_in_dump.join(", "));
                    answers.unknown.push(Unknown { rule: rule(last), what });
                }
                answers.possible.push(answer(outcome));
            }
        }
        answers.unknown.sort();
        answers.unknown.dedup();
        Ok(answers)
    }
}

/// A packet of the engine's as fields, and when it comes; none where it leaves open what a real one cannot, or
/// is none that a node can meet.
pub fn shot_of(packet: &Packet) -> Option<Shot> {
    let moment = match packet.state {
        PacketState::New | PacketState::Invalid => Moment::First,
        PacketState::Second => Moment::Second,
        PacketState::Reply => Moment::Reply,
        PacketState::Established => Moment::Established,
        PacketState::Related => Moment::Related,
        PacketState::Untracked => return None,
    };
    let mut spec = PacketSpec {
        in_iface: packet.in_interface.map(|name| name.to_string()),
        src: packet.src,
        dst: packet.dst,
        proto: packet.protocol.0,
        flags: packet.tcp_flags.0,
        icmp_type: packet.icmp_type.unwrap_or(0),
        icmp_code: packet.icmp_code.unwrap_or(0),
        ttl: packet.ttl,
        tos: packet.tos,
        mark: packet.mark,
        ..PacketSpec::default()
    };
    if proto::has_ports(spec.proto) {
        (spec.sport, spec.dport) = (packet.sport?, packet.dport?);
    }
    let is_open = proto::is_icmp(spec.proto) && packet.icmp_type.is_none();
    let as_asked = moment != Moment::First || first_state(&spec) == packet.state;
    let is_bridged = packet.physdev_in.is_some() || packet.physdev_out.is_some();
    (!is_open && as_asked && !is_bridged && packet.fragment_offset == 0)
        .then_some(Shot { first: spec, moment })
}

/// Type and code of the error that [`later::error`](super::later::error) makes.
fn error_type(family: Family) -> (Option<u8>, Option<u8>) {
    if family == Family::V4 {
        (Some(icmp::UNREACHABLE), Some(3))
    } else {
        (Some(icmp::UNREACHABLE_V6), Some(4))
    }
}

/// The answers of one case of a walk.
pub fn answers_of(case: &hookwalk_engine::Case) -> Vec<Answer> {
    case.outcomes.iter().map(answer).collect()
}

fn answer(outcome: &Outcome) -> Answer {
    let out = || outcome.out_interface.map_or_else(|| "?".to_owned(), |name| name.to_string());
    let place = match outcome.place {
        Some(Place::Hook(hook)) => hook.name(),
        Some(Place::Routing) => "routing",
        None => "nowhere",
    };
    let verdict = match outcome.verdict {
        Verdict::Forwarded => format!("forwarded by {}", out()),
        Verdict::Sent => format!("sent by {}", out()),
        Verdict::Local => "local".to_owned(),
        // Whether a failed route is told depends on a limit of the kernel's.
        Verdict::Dropped | Verdict::Rejected if place == "routing" => "lost in routing".to_owned(),
        // No program listens.
        Verdict::Dropped | Verdict::Queued => format!("dropped in {place}"),
        Verdict::Rejected => format!("rejected in {place}"),
        Verdict::Unknown => "unknown".to_owned(),
    };
    let is_delivered = matches!(outcome.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
    let port = |known: Option<u16>, range: Option<hookwalk_parser::types::PortRange>| match (known, range) {
        // In a session the engine draws one of them, and the kernel another.
        (_, Some(range)) => Port::Among(range.first..=range.last),
        (Some(port), None) => Port::Known(port),
        (None, None) => Port::Untold,
    };
    let packet = is_delivered.then(|| AsItLeft {
        src: outcome.src,
        dst: outcome.dst,
        sport: port(outcome.sport, outcome.sport_range),
        dport: port(outcome.dport, outcome.dport_range),
        mark: outcome.mark,
    });
    Answer {
        verdict,
        steps: outcome.steps.iter().map(step).collect(),
        steps_are_told: outcome.matched_rules.is_some(),
        maybe: outcome.maybe_rules.iter().map(ToString::to_string).collect(),
        packet,
        share: outcome.probability.clone(),
    }
}

fn step(step: &WalkStep) -> String {
    let at = match step.kind {
        StepKind::Rule => step.at.rule.map(|rule| rule.to_string()).unwrap_or_default(),
        StepKind::Return => "return".to_owned(),
        StepKind::Policy => "policy".to_owned(),
    };
    format!("{}/{}/{at} mark {:#x}", step.at.table, step.at.chain, step.mark)
}
