//! The kernel as arbiter.

use hookwalk_engine::Probability;
use hookwalk_parser::types::Family;

use super::answer::{Answer, Answers, AsItLeft, Port};
use super::scene::{Backend, Context, Moment, Scene, Shot, later};
use super::{Arbiter, ArbiterError};
use crate::kernel::{At, Injection, Namespace, Observation, Place, Step, Verdict};
use crate::packets::PacketSpec;
use crate::topology::Topology;

/// Answers by doing it, in a network namespace of its own.
#[derive(Debug, Default)]
pub struct KernelArbiter {
    /// The node and what it is like; kept as long as scenes are on such a node.
    node: Option<(Topology, Namespace)>,
    /// Whose rules are in it.
    rules: Vec<(Backend, Family)>,
    has_sets: bool,
}

impl KernelArbiter {
    /// An arbiter without a scene.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the rules of several backends or families on one node, the first scene's.
    pub fn place_all(&mut self, scenes: &[Scene]) -> Result<(), ArbiterError> {
        let Some(first) = scenes.first() else { return Err(ArbiterError::NoScene) };
        if self.node.as_ref().is_none_or(|(topology, _)| *topology != first.topology) {
            self.rules.clear();
            self.has_sets = false;
            self.node = Some((first.topology.clone(), Namespace::open(&first.topology)?));
        }
        let node = self.node()?;
        let here: Vec<_> = scenes.iter().map(|scene| (scene.backend, scene.family)).collect();
        if self.has_sets || !first.sets.is_empty() {
            node.load_sets(&first.sets)?;
        } else if self.rules != here {
            node.clear()?;
        }
        for scene in scenes {
            node.load(scene.backend, scene.family, &scene.rules)?;
        }
        self.has_sets = !first.sets.is_empty();
        self.rules = here;
        Ok(())
    }

    /// Whose steps are told: all, where both backends have rules.
    fn told(&self) -> Option<Backend> {
        match self.rules.as_slice() {
            [(backend, _)] => Some(*backend),
            _ => None,
        }
    }

    /// The node of the scene in place.
    pub fn node(&self) -> Result<&Namespace, ArbiterError> {
        self.node.as_ref().map(|(_, node)| node).ok_or(ArbiterError::NoScene)
    }

    /// The scene in place as the node's own tools print it: the saved rules, and everything about the node.
    pub fn saved(&self, scene: &Scene) -> Result<Scene, ArbiterError> {
        let node = self.node()?;
        let ip = if scene.family == Family::V4 { "-4" } else { "-6" };
        let ipset = if scene.sets.is_empty() { String::new() } else { node.command("ipset", &["save"])? };
        let context = Context {
            addr: node.command("ip", &["addr"])?,
            route: node.command("ip", &[ip, "route", "show", "table", "all"])?,
            rule: node.command("ip", &[ip, "rule"])?,
            ipset,
            sysctl: node.sysctls(scene.family)?,
        };
        Ok(Scene { rules: node.save(scene.backend, scene.family)?, context, ..scene.clone() })
    }

    /// Everything that was seen of the packet that a shot means; none where the connection did not get so far.
    pub fn observe(&self, shot: &Shot) -> Result<Option<Observation>, ArbiterError> {
        let (topology, node) = self.node.as_ref().ok_or(ArbiterError::NoScene)?;
        let first = Injection::of(&shot.first);
        if shot.moment == Moment::First {
            // What came late of the packets before must not be met.
            node.forget_connections()?;
            return Ok(Some(node.send(first)?));
        }
        node.forget_connections()?;
        let opened = node.send_within_session(first.clone())?;
        if opened.connection.is_none() {
            return Ok(None);
        }
        let Some(reply) = reply(&shot.first, &opened, topology) else { return Ok(None) };
        let seen = match shot.moment {
            Moment::First | Moment::Second => node.send_within_session(first)?,
            Moment::Reply => node.send_within_session(Injection::of(&reply))?,
            Moment::Established => {
                node.send_within_session(Injection::of(&reply))?;
                node.send_within_session(Injection::of(&later::established(&shot.first)))?
            }
        };
        node.forget_connections()?;
        Ok(Some(seen))
    }

    /// [`Arbiter::answer`] for the first packets of connections; faster than one by one.
    pub fn answer_all(&self, packets: &[PacketSpec]) -> Result<Vec<Answer>, ArbiterError> {
        let seen = self.node()?.send_all(packets.iter().map(Injection::of).collect())?;
        Ok(seen.iter().map(|seen| answer(seen, self.told())).collect())
    }
}

impl Arbiter for KernelArbiter {
    fn place(&mut self, scene: &Scene) -> Result<(), ArbiterError> {
        self.place_all(std::slice::from_ref(scene))
    }

    /// No answer at all where the connection does not get so far as the packet that is asked about.
    fn answer(&mut self, shot: &Shot) -> Result<Answers, ArbiterError> {
        let possible = self.observe(shot)?.map(|seen| answer(&seen, self.told()));
        Ok(Answers { possible: possible.into_iter().collect(), unknown: vec![] })
    }
}

/// The answer to a first packet, as [`later::reply`] makes it, where there is one.
fn reply(first: &PacketSpec, opened: &Observation, topology: &Topology) -> Option<PacketSpec> {
    let out = match &opened.verdict {
        Verdict::Forwarded { interface } | Verdict::Sent { interface } => Some(interface.clone()),
        Verdict::Local { .. } => None,
        _ => return None,
    };
    later::reply(first, &opened.decoded()?, out, topology)
}

/// What was seen, with the steps of one backend's rules or of all.
fn answer(seen: &Observation, backend: Option<Backend>) -> Answer {
    let verdict = match &seen.verdict {
        Verdict::Forwarded { interface } => format!("forwarded by {interface}"),
        Verdict::Sent { interface } => format!("sent by {interface}"),
        Verdict::Local { .. } => "local".to_owned(),
        Verdict::Dropped { place: Place::Routing | Place::Receive }
        | Verdict::Rejected { place: Place::Routing | Place::Receive } => "lost in routing".to_owned(),
        Verdict::Dropped { place } => format!("dropped in {place}"),
        Verdict::Rejected { place } => format!("rejected in {place}"),
    };
    let is_delivered =
        matches!(seen.verdict, Verdict::Forwarded { .. } | Verdict::Sent { .. } | Verdict::Local { .. });
    let packet = seen.decoded().filter(|_| is_delivered).map(|packet| {
        let port = |port| if packet.has_ports() { Port::Known(port) } else { Port::Untold };
        AsItLeft {
            src: Some(packet.src),
            dst: packet.dst,
            sport: port(packet.sport),
            dport: port(packet.dport),
            mark: seen.mark,
        }
    });
    let steps = seen.steps.iter().filter(|step| backend.is_none_or(|backend| step.backend == backend));
    Answer { verdict, steps: steps.map(step).collect(), maybe: vec![], packet, share: Probability::ONE }
}

fn step(step: &Step) -> String {
    let at = match step.at {
        At::Rule(rule) => rule.to_string(),
        At::Return => "return".to_owned(),
        At::Policy => "policy".to_owned(),
    };
    format!("{}/{}/{at} mark {:#x}", step.table, step.chain, step.mark)
}
