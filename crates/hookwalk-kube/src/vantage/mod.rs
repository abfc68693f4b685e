//! Where a Service address leads, seen from a Pod, from this node, from another node, from outside.
//!
//! Each question is one packet, walked: so the answer takes in everything that stands on the way, not
//! kube-proxy's rules alone. The packets' sources are addresses that stand for their kind; where
//! nothing tells the node's own address, one does that no rule names.

mod places;

use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::{Assumption, Case, Engine, Host, Outcome, Packet, Probability, RuleRef, Verdict, Walk};
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::{Family, Protocol};
use hookwalk_parser::{Dump, Rule};

use crate::inventory::{AddressEntry, Inventory};
use crate::objects::Node;
use crate::rules::{self, MARK_MASQ};

pub use places::Places;
pub(crate) use places::member;

/// Where a packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vantage {
    /// From a Pod of this node.
    Pod,
    /// From a process of this node.
    ThisNode,
    /// From another node of the cluster.
    OtherNode,
    /// From anywhere else.
    Outside,
}

impl Vantage {
    /// All four, in this order.
    pub const ALL: [Vantage; 4] = [Vantage::Pod, Vantage::ThisNode, Vantage::OtherNode, Vantage::Outside];

    /// The words for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Vantage::Pod => "a Pod",
            Vantage::ThisNode => "this node",
            Vantage::OtherNode => "another node",
            Vantage::Outside => "outside",
        }
    }
}

/// What becomes of a packet to a Service address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where it comes from.
    pub vantage: Vantage,
    /// The packet that was walked.
    pub packet: Packet,
    /// Every way it can turn out; exactly one where nothing unknown makes a difference.
    pub ways: Vec<Way>,
    /// Whether a limit of the walk was reached, so that something is left out.
    pub truncated: bool,
}

/// One way it can turn out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What is taken to be so: of the first case that turns out this way.
    pub assume: Vec<Assumption>,
    /// What happens, with its probability; those alike are one.
    pub parts: Vec<Part>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The endpoint it is sent to; none when the destination stays as it was.
    pub endpoint: Option<SocketAddr>,
    /// Where it ends.
    pub verdict: Verdict,
    /// How likely it is.
    pub share: Probability,
    /// Whether the source is masqueraded.
    pub masquerade: bool,
    /// The mark it ends with.
    pub mark: u32,
    /// The rule that serves the address, rewrites the destination, or ends the packet.
    pub rule: Option<RuleRef>,
    /// The rule that marks it for masquerading, or masquerades it.
    pub masquerade_rule: Option<RuleRef>,
}

/// Walks packets to Service addresses.
#[derive(Debug)]
pub struct Prober {
    engine: Engine,
    v4: Places,
    v6: Places,
}

impl Prober {
    /// Makes the engine of one node's dumps. Where `host` tells no address of the node, those of
    /// `node` are taken, and else addresses that no rule names.
    pub fn new(
        dumps: Vec<Dump>,
        host: Host,
        inventory: &Inventory,
        node: Option<&Node>,
        others: &[Node],
    ) -> Self {
        let mut host = host;
        let mut places = |family| {
            let places = Places::choose(&dumps, &host, inventory, node, others, family);
            if places.adds_node_address {
                let mut own = places::served_addresses(inventory, family);
                own.push(places.node);
                own.sort_unstable();
                own.dedup();
                host = own.into_iter().fold(std::mem::take(&mut host), Host::with_node_address);
            }
            places
        };
        let (v4, v6) = (places(Family::V4), places(Family::V6));
        Prober { engine: Engine::new(dumps, host), v4, v6 }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The addresses that stand for each kind of sender.
    pub fn places(&self, family: Family) -> &Places {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// What becomes of a packet to an address of a Service.
    pub fn ask(&self, to: &AddressEntry, protocol: Protocol, vantage: Vantage) -> Answer {
        let places = self.places(to.family);
        let to_node = to.ip.unwrap_or(places.node_port);
        self.ask_from(vantage, places.source(vantage), to_node, to.port, protocol, Some(&to.rule))
    }

    /// The same from any source, to any destination. `serves` is the rule to name when it is met.
    pub fn ask_from(
        &self,
        vantage: Vantage,
        src: IpAddr,
        dst: IpAddr,
        port: u16,
        protocol: Protocol,
        serves: Option<&RuleRef>,
    ) -> Answer {
        let mut packet = Packet::new(src, dst).protocol(protocol).destination_port(port);
        packet.sport = Some(SOURCE_PORT);
        packet.in_interface = self.places(Family::of(dst)).interface(vantage);
        let mut answer = Answer { vantage, packet, ways: Vec::new(), truncated: false };
        // Source and destination are of one family by their choice.
        let Ok(walk) = self.engine.walk(&packet) else { return answer };
        answer.truncated = walk.truncated;
        answer.ways = self.ways(walk, serves);
        answer
    }

    fn ways(&self, walk: Walk, serves: Option<&RuleRef>) -> Vec<Way> {
        let mut ways: Vec<Way> = Vec::new();
        for case in walk.cases {
            let way = self.way(case, serves);
            let alike = |known: &Way| {
                known.parts.len() == way.parts.len()
                    && known.parts.iter().zip(&way.parts).all(|(a, b)| a.is_like(b) && a.share == b.share)
            };
            if !ways.iter().any(alike) {
                ways.push(way);
            }
        }
        ways
    }

    fn way(&self, case: Case, serves: Option<&RuleRef>) -> Way {
        let mut parts: Vec<Part> = Vec::new();
        let mut assume = case.assume;
        for outcome in &case.outcomes {
            // What is met behind a draw is assumed for its outcome alone, and told with the others'.
            for assumption in &outcome.assume {
                if !assume.contains(assumption) {
                    assume.push(assumption.clone());
                }
            }
            let part = self.part(outcome, serves);
            match parts.iter_mut().find(|known| known.is_like(&part)) {
                Some(known) => known.share = known.share.plus(&part.share),
                None => parts.push(part),
            }
        }
        Way { assume, parts }
    }

    fn part(&self, outcome: &Outcome, serves: Option<&RuleRef>) -> Part {
        let endpoint = outcome.dport.filter(|_| outcome.dnat).map(|port| SocketAddr::new(outcome.dst, port));
        let matched = outcome.matched_rules.as_deref().unwrap_or_default();
        let met = serves.filter(|rule| matched.contains(rule)).cloned();
        let delivered = matches!(outcome.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local);
        let rule = if delivered {
            met.or_else(|| outcome.dnat_by.clone())
        } else {
            outcome.decided_by.clone().or(met)
        };
        let marks = |rule: &&RuleRef| {
            rule.chain.as_bytes().starts_with(b"KUBE-")
                && self.engine.rule(rule).is_some_and(marks_for_masquerading)
        };
        let masquerade_rule =
            outcome.masquerade.then(|| matched.iter().find(marks).or(outcome.snat_by.as_ref()));
        Part {
            endpoint,
            verdict: outcome.verdict,
            share: outcome.probability.clone(),
            masquerade: outcome.masquerade,
            mark: outcome.mark,
            rule,
            masquerade_rule: masquerade_rule.flatten().cloned(),
        }
    }
}

/// A source port that no Service rule asks for.
const SOURCE_PORT: u16 = 49_152;

/// Whether a rule is what sends a packet to be masqueraded.
fn marks_for_masquerading(rule: &Rule) -> bool {
    rules::jumps_to(rule, MARK_MASQ) || matches!(rule.target, Target::Mark(_))
}

impl Part {
    /// Whether both are the same but for how likely they are and by which rule.
    fn is_like(&self, other: &Part) -> bool {
        (self.endpoint, self.verdict, self.masquerade) == (other.endpoint, other.verdict, other.masquerade)
            && self.masquerade_rule == other.masquerade_rule
            && (self.endpoint.is_some() || self.rule == other.rule)
    }

    /// Whether it arrives.
    pub fn is_delivered(&self) -> bool {
        matches!(self.verdict, Verdict::Forwarded | Verdict::Sent | Verdict::Local)
    }
}
