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
    /// Whether rules count connections.
    counts: bool,
}

/// `connlimit` looks only once in a tick of the kernel's clock whether it has counted a connection already
/// (`net/netfilter/nf_conncount.c`, `last_gc`), so that a rule that one packet meets twice counts it twice: packets
/// of a session are apart by more than one.
const TICK: std::time::Duration = std::time::Duration::from_millis(21);

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
        self.counts = scenes.iter().any(|scene| scene.rules.contains("-m connlimit "));
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
            conntrack: String::new(),
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
        let Some((reply, error)) = answers_to(&shot.first, &opened, topology) else { return Ok(None) };
        let seen = match shot.moment {
            Moment::First | Moment::Second => node.send_within_session(first)?,
            Moment::Reply => node.send_within_session(Injection::of(&reply))?,
            Moment::Related => node.send_within_session(Injection::of(&error))?,
            Moment::Established => {
                node.send_within_session(Injection::of(&reply))?;
                if !self.has_answered(&shot.first)? {
                    return Ok(None);
                }
                node.send_within_session(Injection::of(&later::established(&shot.first)))?
            }
        };
        node.forget_connections()?;
        Ok(Some(seen))
    }

    /// What becomes of packets one after the other on a node with the rules of a scene that has seen nothing else.
    /// The rules are loaded anew, since they keep what they counted.
    pub fn answer_session(
        &mut self,
        scene: &Scene,
        packets: &[PacketSpec],
    ) -> Result<Vec<Answer>, ArbiterError> {
        self.node()?.clear()?;
        self.rules.clear();
        self.place(scene)?;
        packets.iter().map(|packet| Ok(self.step(packet)?.0)).collect()
    }

    /// What becomes of the next packet of a session, and everything that was seen of it.
    pub fn step(&self, packet: &PacketSpec) -> Result<(Answer, Observation), ArbiterError> {
        if self.counts {
            std::thread::sleep(TICK);
        }
        let seen = self.node()?.send_within_session(Injection::of(packet))?;
        Ok((answer(&seen, self.told()), seen))
    }

    /// The answer to a packet that was seen to get through, and an ICMP error about it.
    pub fn answers_to(&self, packet: &PacketSpec, seen: &Observation) -> Option<(PacketSpec, PacketSpec)> {
        answers_to(packet, seen, &self.node.as_ref()?.0)
    }

    /// Puts other rules in the place of those of the scene; its connections stay.
    pub fn replace_rules(&mut self, scene: &Scene) -> Result<(), ArbiterError> {
        Ok(self.node()?.load_within_session(scene.backend, scene.family, &scene.rules)?)
    }

    /// The connections of the node, as `conntrack -L` lists them.
    pub fn connections(&self, family: Family) -> Result<String, ArbiterError> {
        let family = if family == Family::V4 { "ipv4" } else { "ipv6" };
        Ok(self.node()?.command("conntrack", &["-L", "-f", family])?)
    }

    /// Whether the connection of a first packet has seen an answer: one that rules leave untracked is none.
    fn has_answered(&self, first: &PacketSpec) -> Result<bool, ArbiterError> {
        let known = self.connections(first.family())?;
        let ends = format!("src={} dst={} ", first.src, first.dst);
        Ok(known.lines().any(|line| line.contains(&ends) && !line.contains("[UNREPLIED]")))
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

/// The answer to a first packet and an ICMP error about it, as [`later`] makes them, where there are any.
fn answers_to(
    first: &PacketSpec,
    opened: &Observation,
    topology: &Topology,
) -> Option<(PacketSpec, PacketSpec)> {
    let out = match &opened.verdict {
        Verdict::Forwarded { interface } | Verdict::Sent { interface } => Some(interface.clone()),
        Verdict::Local { .. } => None,
        _ => return None,
    };
    let arrived = opened.decoded()?;
    let reply = later::reply(first, &arrived, out.clone(), topology)?;
    Some((reply, later::error(first, &arrived, out, topology)?))
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
    Answer {
        verdict,
        steps: steps.map(step).collect(),
        steps_are_told: true,
        maybe: vec![],
        packet,
        share: Probability::ONE,
    }
}

fn step(step: &Step) -> String {
    let at = match step.at {
        At::Rule(rule) => rule.to_string(),
        At::Return => "return".to_owned(),
        At::Policy => "policy".to_owned(),
    };
    format!("{}/{}/{at} mark {:#x}", step.table, step.chain, step.mark)
}
