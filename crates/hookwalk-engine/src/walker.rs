use std::net::IpAddr;

use hookwalk_parser::extensions::RejectWith;
use hookwalk_parser::types::PortRange;

use crate::engine::{Engine, WalkError};
use crate::outcome::{Place, RuleRef, Verdict, Walk};
use crate::packet::{InterfaceName, Packet};
use crate::probability::Probability;
use crate::program::RuleId;
use crate::state::Interface;
use crate::walk::{EndedRef, Explored, PathStep, Way};

/// Walks many packets: it keeps its memory from one to the next, and gives rules names only when asked.
///
/// ```
/// use hookwalk_engine::{Engine, Host, Packet};
/// let text = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -d 10.0.1.7/32 -j ACCEPT\nCOMMIT\n";
/// let host = Host::default().with_node_address("192.168.50.10".parse().unwrap());
/// let engine = Engine::new(vec![hookwalk_parser::parse(text)], host);
/// let mut walker = engine.walker();
/// for (destination, rules) in [("10.0.1.7", 1), ("10.0.1.8", 0)] {
///     let packet = Packet::new("10.0.0.5".parse().unwrap(), destination.parse().unwrap())
///         .arriving_by("cni0".parse().unwrap());
///     let walk = walker.walk(&packet).unwrap();
///     let outcome = walk.certain().unwrap().next().unwrap();
///     assert_eq!(outcome.rules().count(), rules);
///     // The same in full.
///     assert_eq!(walk.to_walk(), engine.walk(&packet).unwrap());
/// }
/// ```
pub struct Walker<'e> {
    engine: &'e Engine,
    /// The last walk, and the memory of the next one.
    explored: Option<Box<Explored<'e>>>,
}

/// So many packets one core walks with the same memory before it looks for more.
#[cfg(feature = "rayon1")]
const BATCH: usize = 256;

impl Engine {
    /// A walker of this engine's packets.
    pub fn walker(&self) -> Walker<'_> {
        Walker { engine: self, explored: None }
    }

    /// Walks many packets; each stands alone, as with [`walk`](Engine::walk). The answers come in the order of
    /// the packets. With the feature `rayon1` all cores walk, to the same answers.
    ///
    /// ```
    /// use hookwalk_engine::{Engine, Host, Packet};
    /// let engine = Engine::new(vec![hookwalk_parser::parse("*filter\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")], Host::default());
    /// let packets = [1, 2, 3].map(|last| Packet::new([10, 0, 0, 1].into(), [10, 0, 1, last].into()));
    /// let walks = engine.walk_batch(&packets);
    /// assert_eq!(walks[2], engine.walk(&packets[2]));
    /// ```
    pub fn walk_batch(&self, packets: &[Packet]) -> Vec<Result<Walk, WalkError>> {
        #[cfg(feature = "rayon1")]
        {
            use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSlice};
            packets
                .par_chunks(BATCH)
                .with_max_len(1)
                .flat_map_iter(|packets| self.walk_in_turn(packets))
                .collect()
        }
        #[cfg(not(feature = "rayon1"))]
        self.walk_in_turn(packets)
    }

    fn walk_in_turn(&self, packets: &[Packet]) -> Vec<Result<Walk, WalkError>> {
        let mut walker = self.walker();
        packets.iter().map(|packet| Ok(walker.walk(packet)?.to_walk())).collect()
    }
}

impl<'e> Walker<'e> {
    /// What becomes of a packet.
    pub fn walk<'w>(&'w mut self, packet: &'w Packet) -> Result<CompactWalk<'w>, WalkError> {
        let engine: &'e Engine = self.engine;
        let given = engine.given(packet, engine.host().connection_table(), engine.no_past())?;
        let explored = self.explored.get_or_insert_with(|| Box::new(Explored::new(given)));
        explored.explore(given, packet, engine.limits());
        Ok(CompactWalk { packet, explored })
    }
}

impl std::fmt::Debug for Walker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walker").field("engine", self.engine).finish_non_exhaustive()
    }
}

/// A walk as numbers, in the memory of its [`Walker`].
pub struct CompactWalk<'w> {
    packet: &'w Packet,
    explored: &'w Explored<'w>,
}

impl CompactWalk<'_> {
    /// The outcomes, where nothing was unknown and no limit was reached: they are those of the one case
    /// that there is then, in the same order. Else none, and [`to_walk`](Self::to_walk) has the cases.
    pub fn certain(&self) -> Option<impl ExactSizeIterator<Item = CompactOutcome<'_>>> {
        let way = &self.explored.way;
        Some(self.explored.certain()?.map(move |ended| CompactOutcome { way, ended }))
    }

    /// The packet walked.
    pub const fn packet(&self) -> &Packet {
        self.packet
    }

    /// What was assumed because nobody said otherwise, in words.
    pub fn defaults(&self) -> Vec<String> {
        self.explored.way.defaults()
    }

    /// The walk in full, as [`Engine::walk`] gives it.
    pub fn to_walk(&self) -> Walk {
        Walk { packet: *self.packet, ..self.explored.report() }
    }
}

impl std::fmt::Debug for CompactWalk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_walk().fmt(f)
    }
}

/// One outcome of a [`CompactWalk`].
#[derive(Clone, Copy)]
pub struct CompactOutcome<'w> {
    way: &'w Way<'w>,
    ended: EndedRef<'w>,
}

impl<'w> CompactOutcome<'w> {
    /// How likely it is.
    pub fn probability(&self) -> &'w Probability {
        self.ended.probability()
    }

    /// Where the packet ends; unknown also where the dump lacks what the way has come through.
    pub const fn verdict(&self) -> Verdict {
        if self.ended.state.missing.is_empty() { self.ended.end.verdict } else { Verdict::Unknown }
    }

    /// The source it has at the end; none when MASQUERADE chose one that is not known.
    pub fn src(&self) -> Option<IpAddr> {
        (!self.ended.state.src_unknown).then_some(self.ended.state.src)
    }

    /// The source port it has at the end.
    pub const fn sport(&self) -> Option<u16> {
        self.ended.state.sport
    }

    /// The destination it has at the end.
    pub const fn dst(&self) -> IpAddr {
        self.ended.state.dst
    }

    /// The destination port it has at the end.
    pub const fn dport(&self) -> Option<u16> {
        self.ended.state.dport
    }

    /// The mark it has at the end.
    pub const fn mark(&self) -> u32 {
        self.ended.state.mark
    }

    /// Whether its connection has the destination rewritten.
    pub const fn dnat(&self) -> bool {
        self.ended.state.dnat
    }

    /// Whether its connection has the source rewritten.
    pub const fn snat(&self) -> bool {
        self.ended.state.snat
    }

    /// Whether MASQUERADE did that.
    pub const fn masquerade(&self) -> bool {
        self.ended.state.masquerade
    }

    /// Where a packet that is not delivered ends.
    pub const fn place(&self) -> Option<Place> {
        self.ended.end.place
    }

    /// The interface it came by; none when a local process sent it.
    pub fn in_interface(&self) -> Option<InterfaceName> {
        self.way.packet_of(self.ended.state).in_interface
    }

    /// The interface it leaves by, where that is known; also that of a packet for this node.
    pub const fn out_interface(&self) -> Option<InterfaceName> {
        match self.ended.state.out {
            Interface::Known(name) => Some(name),
            _ => None,
        }
    }

    /// The ports that the source port was drawn from.
    pub const fn sport_range(&self) -> Option<PortRange> {
        self.ended.state.sport_range
    }

    /// The ports that the destination port was drawn from.
    pub const fn dport_range(&self) -> Option<PortRange> {
        self.ended.state.dport_range
    }

    /// Whether a hash of the packet picked the address that it was rewritten to.
    pub const fn by_hash(&self) -> bool {
        self.ended.state.by_hash
    }

    /// Whether the hash picks this outcome's address on a little-endian machine, where that can be told.
    pub const fn picked(&self) -> Option<bool> {
        self.ended.state.picked
    }

    /// The answer of REJECT.
    pub const fn reject_with(&self) -> Option<RejectWith> {
        self.ended.end.reject_with
    }

    /// The rule that rewrote the destination.
    pub fn dnat_by(&self) -> Option<CompactRule> {
        self.ended.state.dnat_by.map(CompactRule)
    }

    /// The rule that rewrote the source.
    pub fn snat_by(&self) -> Option<CompactRule> {
        self.ended.state.snat_by.map(CompactRule)
    }

    /// Whether this tells all of it: else the dump lacks something, there is a reason in words, or the
    /// packet belongs to a tracked connection that is listed, and [`to_walk`](CompactWalk::to_walk) says so.
    pub fn is_told(&self) -> bool {
        self.ended.state.missing.is_empty()
            && self.ended.end.reason.is_none()
            && self.way.connection_line(self.ended.state).is_none()
    }

    /// The rule or policy that ended it; delivered, the last accepting one of table filter.
    pub fn decided_by(&self) -> Option<RuleRef> {
        self.way.decider_ref(self.ended.end.decided_by?)
    }

    /// Every rule whose matches all held, the last one first.
    pub fn rules(&self) -> impl Iterator<Item = CompactRule> + use<'w> {
        self.way.steps(self.ended.state).filter_map(PathStep::rule).map(CompactRule)
    }

    /// A rule by its name.
    pub fn name(&self, rule: CompactRule) -> Option<RuleRef> {
        self.way.rule_ref(rule.0)
    }
}

impl std::fmt::Debug for CompactOutcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactOutcome")
            .field("probability", self.probability())
            .field("verdict", &self.verdict())
            .field("dst", &self.dst())
            .field("dport", &self.dport())
            .finish_non_exhaustive()
    }
}

/// A rule of an engine, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CompactRule(RuleId);

impl CompactRule {
    /// Its place among the rules of its family, from 0.
    pub const fn index(self) -> usize {
        self.0.0 as usize
    }
}
