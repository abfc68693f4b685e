//! A packet under way: where it is, what happened to it, and what is known or assumed about it.

mod answer;
mod changed_sets;
mod connection;
mod facts;
mod granted;
mod lists;
mod memory;
mod numbers;
mod past;
mod recent;
mod template;
mod view;

use std::net::IpAddr;
use std::num::NonZeroU32;

use hookwalk_parser::types::PortRange;

pub(crate) use answer::Answer;
pub(crate) use changed_sets::ChangedSets;
pub(crate) use connection::Connection;
pub(crate) use facts::{Facts, QuestionId};
pub(crate) use granted::{Granted, GrantedSet};
pub(crate) use lists::{List, Lists};
pub(crate) use memory::{BucketKey, Event, HashKey, Memory, RuleKey};
pub(crate) use past::{Past, Tokens};
pub(crate) use recent::RecentUse;
pub(crate) use template::Template;
pub(crate) use view::View;

use crate::host::NextHop;
use crate::packet::{InterfaceName, PacketState};
use crate::program::{ChainId, Hook, RuleId, TableName};
use crate::question::Field;

/// The checksum of the upper layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Checksum {
    Right,
    /// A prefix was translated that is not the packet's own, and the checksum with it.
    Off,
    /// That was before the packet, sent here, came in again.
    CameBackOff,
}

/// A packet at one point of its way, and what happened to it so far. Small, without heap: a fork of
/// the walk copies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) sport: Option<u16>,
    pub(crate) dport: Option<u16>,
    /// Where NAT drew a port from that is not known.
    pub(crate) sport_range: Option<PortRange>,
    pub(crate) dport_range: Option<PortRange>,
    /// MASQUERADE chose a source address that is not known.
    pub(crate) src_unknown: bool,
    pub(crate) mark: u32,
    /// What it came to the present table with.
    pub(crate) at_table: AtTable,
    pub(crate) connmark: u32,
    pub(crate) tracking: PacketState,
    /// Behind table raw; before, conntrack has not seen the packet.
    pub(crate) tracked: bool,
    /// The packet under way, which for later packets of a connection is not the one walked first.
    pub(crate) packet: PacketId,
    /// The connection it belongs to, for later packets.
    pub(crate) connection: Option<ConnectionId>,
    /// The zone of connection tracking, which table raw sets.
    pub(crate) zone: u16,
    /// A target `CT` has said how it is tracked: in table raw that is the connection that rules see.
    pub(crate) template: Option<Template>,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    /// The sets that targets `SET` on the way have filled: what was told of them is no longer so.
    pub(crate) sets_changed: ChangedSets,
    pub(crate) translated: Translated,
    pub(crate) checksum: Checksum,
    pub(crate) dnat: bool,
    pub(crate) snat: bool,
    pub(crate) masquerade: bool,
    /// A hash picked the address that NAT rewrote to.
    pub(crate) by_hash: bool,
    /// Whether the hash picks this one, where that can be told.
    pub(crate) picked: Option<bool>,
    pub(crate) dnat_by: Option<RuleId>,
    pub(crate) snat_by: Option<RuleId>,
    /// How often an address, port or mark has changed: a part that cannot be judged may hold for one
    /// form of the packet and not for the next.
    pub(crate) rewrites: u32,
    /// Locally sent and routed to this node itself: it enters again by `lo`.
    pub(crate) looped_back: bool,
    /// The chain of the other backend that the packet meets next at this hook.
    pub(crate) other_backend: Option<ChainId>,
    /// Whether a NAT target has settled the mapping at this hook: the other backend is not asked then.
    pub(crate) nat_settled: bool,
    pub(crate) in_interface: Interface,
    pub(crate) out: Interface,
    /// The route chosen last; `out` follows it at the next hook that looks again.
    pub(crate) route: Option<Chosen>,
    /// The last accepting rule or policy of table filter.
    pub(crate) accepted_by: Option<Decider>,
    pub(crate) at: At,
    /// Rules met, newest first.
    pub(crate) path: List,
    /// Rules that may have matched and would not have mattered, newest first.
    pub(crate) maybe: List,
    /// Answers assumed, newest first.
    pub(crate) facts: List,
    /// What rules with a memory have seen of the packet itself, newest first.
    pub(crate) memory: List,
    /// What the dump does not hold and may have held, newest first.
    pub(crate) missing: List,
}

/// What of a packet chooses its route again in OUTPUT, where table mangle changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct AtTable {
    mark: u32,
    tos: u8,
    /// Of IPv6 alone.
    ttl: Option<u8>,
}

/// The interface that `-i` or `-o` sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Interface {
    /// In: sent here. Out: not routed yet, or delivered here.
    None,
    Known(InterfaceName),
    Unknown,
}

/// What routing decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chosen {
    pub(crate) to_this_node: bool,
    pub(crate) via: Option<IpAddr>,
    pub(crate) out: Interface,
}

impl Chosen {
    pub(crate) const LOOPBACK: Chosen =
        Chosen { to_this_node: true, via: None, out: Interface::Known(InterfaceName::LOOPBACK) };

    pub(crate) fn forward(hop: NextHop) -> Chosen {
        let out = hop.interface.map_or(Interface::Unknown, Interface::Known);
        Chosen { to_this_node: false, via: hop.via, out }
    }
}

/// A rule or a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Decider {
    Rule(RuleId),
    Policy(ChainId),
}

/// Where the packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// In by an interface, before any rule.
    Receive,
    /// Behind table raw, before connection tracking.
    Track(Hook),
    /// Before a table at a hook.
    Table(Hook, TableName),
    /// In a chain, before a rule.
    Rule(InChain),
    /// The choice of a route for an arrived packet.
    RouteIn,
    /// The choice of a route for a sent packet, before any rule.
    RouteOut,
    /// A new choice when mangle OUTPUT changed the mark it came with.
    RerouteMark,
    /// A new choice when nat OUTPUT changed the destination it came with.
    RerouteDnat,
    /// Behind the last hook.
    Done,
}

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InChain {
    pub(crate) hook: Hook,
    /// The built-in chain that the hook entered.
    pub(crate) base: ChainId,
    pub(crate) chain: ChainId,
    pub(crate) rule: RuleId,
    /// Rules to come back behind, newest first.
    pub(crate) stack: List,
    /// How many draws of this rule came out so that it still matches.
    pub(crate) draws: u8,
}

impl InChain {
    /// Before the same rule again, one draw of which came out so that it may match.
    pub(crate) const fn drawn(self) -> InChain {
        InChain { draws: self.draws + 1, ..self }
    }

    /// Before the next rule.
    pub(crate) const fn turned_away(self) -> InChain {
        InChain { rule: self.rule.next(), draws: 0, ..self }
    }
}

/// The index of a packet of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PacketId(pub(crate) u32);

/// The index of a connection of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(NonZeroU32);

impl ConnectionId {
    pub(crate) fn of(index: usize) -> ConnectionId {
        let id = u32::try_from(index).ok().and_then(|index| NonZeroU32::MIN.checked_add(index));
        ConnectionId(id.unwrap_or(NonZeroU32::MAX))
    }

    pub(crate) const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Past 256 bytes the C library copies in a loop, which takes half as long again.
const _: () = assert!(size_of::<State>() <= 256);

impl State {
    /// Whether it belongs to a connection, by what conntrack knows at this point.
    pub(crate) fn has_connection(&self) -> bool {
        self.tracked && !matches!(self.tracking, PacketState::Invalid | PacketState::Untracked)
    }

    /// What of it chooses a route again where table mangle changes it (kernel: `net/ipv4/netfilter/iptable_mangle.c`,
    /// `net/ipv6/netfilter/ip6table_mangle.c`, `ip6t_mangle_out`); the destination aside.
    pub(crate) fn for_route(&self) -> AtTable {
        AtTable { mark: self.mark, tos: self.tos, ttl: self.dst.is_ipv6().then_some(self.ttl) }
    }

    /// What rules take for its connection as long as conntrack has not seen it.
    pub(crate) fn template(&self) -> Option<Template> {
        self.template.filter(|_| !self.tracked && self.tracking != PacketState::Untracked)
    }

    /// Whether it is settled how conntrack treats it.
    pub(crate) fn is_settled(&self) -> bool {
        self.tracked || self.template.is_some() || self.tracking == PacketState::Untracked
    }

    /// The field that a question about the source port is about.
    pub(crate) fn source_port_field(&self) -> Field {
        if self.sport_range.is_some() { Field::DrawnPort { source: true } } else { Field::SourcePort }
    }

    /// The field that a question about the destination port is about.
    pub(crate) fn destination_port_field(&self) -> Field {
        if self.dport_range.is_some() { Field::DrawnPort { source: false } } else { Field::DestinationPort }
    }

    /// NAT set the destination; what is as before was no rewrite
    /// (kernel: `net/netfilter/nf_nat_core.c`, `nf_nat_setup_info` sets the status bit on a change only). Where it drew
    /// an ICMP id, that is one.
    pub(crate) fn rewritten_destination(
        &mut self,
        before: (IpAddr, Option<u16>),
        draws_id: bool,
        rule: RuleId,
    ) {
        self.nat_settled = true;
        if before != (self.dst, self.dport) || self.dport_range.is_some() || draws_id {
            self.translated = self.translated.without(Translated::DESTINATION);
            self.dnat = true;
            self.dnat_by = Some(rule);
            self.rewrites += 1;
        }
    }

    /// NAT set the source; what is as before was no rewrite. Where it drew an ICMP id, that is one.
    pub(crate) fn rewritten_source(&mut self, before: (IpAddr, Option<u16>), draws_id: bool, rule: RuleId) {
        self.nat_settled = true;
        if before != (self.src, self.sport) || self.src_unknown || self.sport_range.is_some() || draws_id {
            self.translated = self.translated.without(Translated::SOURCE);
            self.snat = true;
            self.rewrites += 1;
        }
        self.snat_by = Some(rule);
    }
}

/// Which of its addresses `DNPT` and `SNPT` have made, of which its connection does not know; what NAT has set since is
/// known again. One byte, since states are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Translated(u8);

impl Translated {
    pub(crate) const SOURCE: Translated = Translated(1);
    pub(crate) const DESTINATION: Translated = Translated(2);

    pub(crate) const fn any(self) -> bool {
        self.0 != 0
    }

    pub(crate) const fn with(self, other: Translated) -> Translated {
        Translated(self.0 | other.0)
    }

    pub(crate) const fn has(self, other: Translated) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn without(self, other: Translated) -> Translated {
        Translated(self.0 & !other.0)
    }
}
