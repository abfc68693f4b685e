use std::net::IpAddr;

use hookwalk_parser::extensions::AddressType;
use hookwalk_parser::types::Protocol;

use super::{Answer, Connection, Facts, Interface, Memory, Past, RuleKey, State};
use crate::host::{ConnectionTable, ConnectionTuple, Host, RouteKey, Routed, TrackedConnection, source6};
use crate::packet::{InterfaceName, Packet, PacketState};
use crate::program::{Hook, RuleId};
use crate::question::Question;

/// What a match or target looks at.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) host: &'a Host,
    pub(crate) table: &'a ConnectionTable,
    pub(crate) past: &'a Past,
    /// The packet under way.
    pub(crate) packet: &'a Packet,
    /// The first packet of its connection.
    pub(crate) first: &'a Packet,
    pub(crate) state: &'a State,
    /// What the first packet of its connection came to, for later packets.
    pub(crate) connection: Option<&'a Connection>,
    pub(crate) facts: &'a Facts,
    pub(crate) memory: &'a Memory,
    pub(crate) hook: Hook,
    pub(crate) rule_id: RuleId,
    /// Whether the rule is one of the nft backend.
    pub(crate) is_nft: bool,
    /// Whether any rule needs connection tracking.
    pub(crate) tracks: bool,
    /// Whether rules of table raw mark what a target `CT` puts in the place of a connection.
    pub(crate) marks_templates: bool,
}

impl View<'_> {
    /// Whether NAT draws an ICMP id, as it does in place of a port (`nf_nat_l4proto_unique_tuple`).
    pub(crate) fn draws_id(&self, random: bool) -> bool {
        random && self.packet.protocol.is_icmp()
    }

    /// What is known of a question by now.
    pub(crate) fn known(&self, question: &Question) -> Option<bool> {
        self.facts.settle(question, self.state.facts)
    }

    /// The answer known by now, or the question.
    pub(crate) fn ask(&self, question: Question) -> Answer {
        match self.known(&question) {
            Some(is) => is.into(),
            None => Answer::Ask(question),
        }
    }

    /// The answers that the connection expects: as far as the first packet has come, or as later packets
    /// find them settled.
    pub(crate) fn reply_tuple(&self) -> ConnectionTuple {
        match self.connection {
            Some(known) => known.reply(),
            None => {
                let state = self.state;
                ConnectionTuple { src: state.dst, sport: state.dport, dst: state.src, dport: state.sport }
            }
        }
    }

    /// The addresses and ports that the first packet of its connection came with.
    pub(crate) fn original_tuple(&self) -> ConnectionTuple {
        let first = self.first;
        self.connection.map_or(
            ConnectionTuple { src: first.src, sport: first.sport, dst: first.dst, dport: first.dport },
            |known| known.original,
        )
    }

    /// The protocol of its connection, which an ICMP error about it is not of.
    pub(crate) fn connection_protocol(&self) -> Protocol {
        self.connection.map_or(self.first.protocol, |known| known.protocol)
    }

    /// The rule, apart from those of the other family.
    pub(crate) fn rule_key(&self) -> RuleKey {
        RuleKey { is_ipv6: self.state.src.is_ipv6(), rule: self.rule_id }
    }

    /// The entry of the connection tracking table that it belongs to.
    pub(crate) fn entry(&self) -> Option<&TrackedConnection> {
        self.table.get(self.connection?.entry?)
    }

    /// Whether it goes the way of its connection's answers.
    pub(crate) fn is_reply(&self) -> bool {
        matches!(self.state.tracking, PacketState::Reply | PacketState::Related)
    }

    /// Whether it is a fragment without the header of the upper layer.
    pub(crate) fn is_later_fragment(&self) -> bool {
        self.packet.fragment_offset > 0
    }

    /// Whether it is a part of a packet.
    pub(crate) fn is_fragment(&self) -> bool {
        self.packet.fragment_offset > 0 || self.packet.more_fragments
    }

    /// The interface that `-i` sees, where it is known: none for packets sent here.
    pub(crate) fn in_interface(&self) -> Option<InterfaceName> {
        match self.state.in_interface {
            Interface::Known(name) => Some(name),
            _ => None,
        }
    }

    /// Whether a local process sent it, and it has not come in again by `lo`.
    pub(crate) fn is_sent_here(&self) -> bool {
        self.state.in_interface == Interface::None
    }

    /// The interface that `-o` sees, where it is known.
    pub(crate) fn out_interface(&self) -> Option<InterfaceName> {
        match self.state.out {
            Interface::Known(name) => Some(name),
            _ => None,
        }
    }

    /// The way of an answer to the sender. A RST comes from the packet's destination (kernel:
    /// `net/netfilter/nf_reject.c`, by way of `ip_route_me_harder`); an ICMP error does where that is this node. Else
    /// IPv4 chooses its source behind the route, so that routing rules see none (`net/ipv4/icmp.c`, `icmp_send`), and
    /// IPv6 before it, as of the interface that the packet came by (`net/ipv6/icmp.c`, `icmp6_send`).
    fn answer_key(&self, is_reset: bool) -> RouteKey {
        let (own, dst) = (self.state.dst, self.state.src);
        let is_own = || self.is_source_of_answers(own);
        let src = match dst {
            _ if is_reset || is_own() => own,
            IpAddr::V4(_) => RouteKey::nobody(dst),
            IpAddr::V6(to) => {
                let all = self.host.interface_addresses().unwrap_or_default();
                let by = self.in_interface().or_else(|| self.host.out_interface(dst));
                source6(all, by, to).map_or(RouteKey::nobody(dst), IpAddr::V6)
            }
        };
        RouteKey { src, ..RouteKey::to(dst) }
    }

    /// Whether an ICMP error may come from an address: in IPv6 only where an interface holds it, or has joined it as
    /// anycast (`ipv6_chk_addr`, `ipv6_chk_acast_addr_src`), and not where there is but a local route.
    fn is_source_of_answers(&self, own: IpAddr) -> bool {
        let kind = self.host.address_type(own);
        match self.host.interface_addresses().filter(|_| own.is_ipv6()) {
            Some(_) if kind == Some(AddressType::Anycast) => !self.host.routing().has_local(own),
            Some(all) => own.is_loopback() || all.iter().any(|held| held.address() == own),
            None => kind.is_some_and(is_of_this_node),
        }
    }

    /// Whether an answer to the sender has a route, as far as routes are known.
    pub(crate) fn answer_has_route(&self, is_reset: bool) -> bool {
        let routing = self.host.routing();
        if !routing.is_known() || self.host.is_local(self.state.src) == Some(true) {
            return true;
        }
        let key = self.answer_key(is_reset);
        let routed = routing.route(&key);
        if matches!(routed, Routed::Refused(_)) {
            return false;
        }
        // 127.0.0.1 may not leave.
        if key.src.is_ipv4() && key.src.is_loopback() && !key.dst.is_multicast() {
            let out = match routed {
                Routed::Forward(hop) => hop.interface,
                _ => None,
            };
            return self.host.sysctls.route_localnet(out.unwrap_or(InterfaceName::LOOPBACK));
        }
        true
    }

    /// Whether the sender's address is nobody's in particular, by the route of an ICMP error to it.
    pub(crate) fn is_from_anycast(&self) -> bool {
        self.host.address_type(self.state.src) == Some(AddressType::Anycast)
            || self.host.routing().is_anycast(&self.answer_key(false))
    }

    /// The source that MASQUERADE gives (kernel: `net/ipv4/devinet.c`, `inet_select_addr`): of the
    /// out interface's primary global addresses the one whose subnet holds the next hop, else the
    /// first, else one of another interface.
    ///
    /// IPv6 goes by the destination instead: see [`source6`](crate::host::source6).
    pub(crate) fn masquerade_address(&self) -> Option<IpAddr> {
        if let (IpAddr::V6(dst), Some(all)) = (self.state.dst, self.host.interface_addresses()) {
            return source6(all, Some(self.out_interface()?), dst).map(IpAddr::V6);
        }
        let next_hop = self.state.route.and_then(|route| route.via).unwrap_or(self.state.dst);
        if self.host.interface_addresses().is_none() {
            return self.host.only_node_address(self.state.dst);
        }
        self.host.address_toward(self.out_interface()?, next_hop)
    }
}

fn is_of_this_node(kind: AddressType) -> bool {
    matches!(kind, AddressType::Local | AddressType::Anycast)
}
