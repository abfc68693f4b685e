//! The choices of a route on a packet's way (kernel: `net/ipv4/route.c`, `net/ipv6/route.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::AddressType;

use super::way::{End, Move, Turn, Way};
use crate::host::{InterfaceAddress, NextHop, ReversePath, RouteKey, Routed};
use crate::outcome::{Place, Verdict};
use crate::packet::{InterfaceName, Packet};
use crate::program::{Hook, TableName};
use crate::question::Question;
use crate::state::{At, Chosen, Granted, Interface, List, PacketId, State};

/// `ff02::1`
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The bits of `ff02::1:ff00:0/104` (RFC 4291, 2.7.1).
const SOLICITED_NODE: u128 = 0xff02 << 88 | 0x01ff;

/// Why there is no next hop.
enum NextHopError {
    Refused(&'static str),
    Ask(Turn),
}

/// An IPv4 source that was let pass by an interface, where its way back is not looked up: it does not depend on
/// the destination then, nor does whether packets are forwarded.
#[derive(Clone, Copy, Debug)]
pub(super) struct LetPass {
    src: Ipv4Addr,
    /// This tells the interface, since nothing is remembered of what came in again by lo.
    packet: PacketId,
    facts: List,
    in_interface: InterfaceName,
    /// Where all destinations go, when no route is known.
    any: Option<Chosen>,
}

impl Way<'_> {
    /// After PREROUTING: to this node, on to another, or nowhere.
    #[inline]
    pub(super) fn route_in(&mut self, state: &mut State) -> Move {
        if self.is_forwarded_as_before(state) {
            return self.onward(state, Hook::Forward);
        }
        self.route_in_anew(state)
    }

    #[inline(never)]
    fn route_in_anew(&mut self, state: &mut State) -> Move {
        // What comes in again by `lo` has its route already, which only NAT takes away (`ip6_rcv_finish`).
        if state.looped_back && state.route.is_some() && !is_fragment4(self.packet_of(state)) {
            state.at = At::Table(Hook::Input, TableName::Mangle);
            return Ok(());
        }
        let in_interface = match state.in_interface {
            Interface::Known(name) => name,
            _ => InterfaceName::LOOPBACK,
        };
        if in_interface != InterfaceName::LOOPBACK
            && let Some(reason) = self.refused_source(state, in_interface)?
        {
            return lost(End::not_routed(reason));
        }
        let to_this_node = self.is_to_this_node(state)?;
        // Only an interface that holds it gives `::1` away, and `lo` does not ask (`rt6_need_strict`).
        if to_this_node && in_interface != InterfaceName::LOOPBACK && is_loopback6(state.dst) {
            return self.forward_loopback(state, in_interface);
        }
        if to_this_node && is_fragment4(self.packet_of(state)) {
            // `ip_local_deliver` puts packets together before INPUT; IPv6 does it behind.
            return lost(End::not_routed("a fragment for this node waits for the others before INPUT"));
        }
        if to_this_node {
            state.route = Some(Chosen { to_this_node: true, via: None, out: Interface::None });
            state.at = At::Table(Hook::Input, TableName::Mangle);
            return Ok(());
        }
        if is_multicast(state.dst) {
            if self.listens(state, in_interface)? {
                state.route = Some(Chosen { to_this_node: true, via: None, out: Interface::None });
                state.at = At::Table(Hook::Input, TableName::Mangle);
                return Ok(());
            }
            return lost(End::not_routed("this node does not listen to the group"));
        }
        let chosen = match self.next_hop(state, in_interface) {
            Ok(chosen) => chosen,
            Err(NextHopError::Refused(reason)) => return lost(End::not_routed(reason)),
            Err(NextHopError::Ask(turn)) => return Err(turn),
        };
        if chosen.to_this_node {
            // A table other than `local` says so, as TPROXY needs it.
            state.route = Some(Chosen { out: Interface::None, ..chosen });
            state.at = At::Table(Hook::Input, TableName::Mangle);
            return Ok(());
        }
        if !self.may_forward(state, in_interface) {
            return lost(End::not_routed("forwarding is off"));
        }
        // `ip6_forward` passes on nothing that names no host as its source, or one of its link alone; but it does
        // not look at what leaves by the interface that it came by.
        let turns_round = chosen.out == Interface::Known(in_interface);
        if !turns_round && is_no_source6(state.src) {
            return lost(End::not_routed("the source is no address of a host"));
        }
        if state.ttl <= 1 {
            return lost(End::not_routed("its time to live ends here"));
        }
        state.ttl -= 1;
        (state.route, state.out) = (Some(chosen), chosen.out);
        state.at = At::Table(Hook::Forward, TableName::Mangle);
        if let IpAddr::V4(src) = state.src
            && !state.looped_back
            && self.host.sysctls.reverse_path(in_interface) == ReversePath::Off
        {
            let &mut State { packet, facts, .. } = state;
            let any = (!self.host.routing().is_known()).then_some(chosen);
            self.let_pass = Some(LetPass { src, packet, facts, in_interface, any });
        }
        Ok(())
    }

    /// Sends a packet on whose source was let pass before: outcomes most often differ in the destination
    /// alone. What is more than an address of another host with a route goes the long way.
    #[inline]
    fn is_forwarded_as_before(&mut self, state: &mut State) -> bool {
        let Some(known) = &self.let_pass else { return false };
        let is_same = state.src == IpAddr::V4(known.src)
            && (known.packet, known.facts) == (state.packet, state.facts)
            && !state.looped_back;
        if !is_same || state.ttl <= 1 || self.host.address_type(state.dst) != Some(AddressType::Unicast) {
            return false;
        }
        let chosen = match known.any {
            Some(chosen) => chosen,
            None => {
                let in_interface = known.in_interface;
                match self.next_hop(state, in_interface) {
                    Ok(chosen) if !chosen.to_this_node => chosen,
                    _ => return false,
                }
            }
        };
        state.ttl -= 1;
        (state.route, state.out) = (Some(chosen), chosen.out);
        state.at = At::Table(Hook::Forward, TableName::Mangle);
        true
    }

    /// What DNAT sent to `::1` goes on by the interface that it came by, where that has a route for it
    /// (kernel: `net/ipv6/route.c`, `rt6_need_strict`).
    fn forward_loopback(&mut self, state: &mut State, in_interface: InterfaceName) -> Move {
        if !self.may_forward(state, in_interface) {
            return lost(End::not_routed("forwarding is off"));
        }
        let routing = self.host.routing();
        let key =
            RouteKey { src: state.src, dst: state.dst, mark: state.mark, in_interface, out_interface: None };
        let back = routing.is_known().then(|| routing.route_back(&key));
        let chosen = match back {
            Some(Some(hop)) if state.ttl > 1 => Chosen::forward(hop),
            Some(Some(_)) => return lost(End::not_routed("its time to live ends here")),
            Some(None) => {
                return lost(End::not_routed("a loopback address is reached by another interface than lo"));
            }
            None => {
                let reason = format!("nothing tells whether `{in_interface}` has a route to {}", state.dst);
                return lost(End::unknown(Place::Routing, reason));
            }
        };
        state.ttl -= 1;
        (state.route, state.out) = (Some(chosen), chosen.out);
        state.at = At::Table(Hook::Forward, TableName::Mangle);
        Ok(())
    }

    /// Before OUTPUT: a packet without a route is not made at all.
    #[inline(never)]
    pub(super) fn route_out(&mut self, state: &mut State) -> Move {
        match self.choose_for_sent(state)? {
            // A process that has bound to 127.0.0.1 can only talk to this node (`__mkroute_output`).
            Ok(chosen) if self.is_loopback_leaving(state, chosen) => {
                lost(End::not_routed("a loopback address may not leave by another interface than lo"))
            }
            Ok(chosen) => {
                (state.route, state.out) = (Some(chosen), chosen.out);
                state.at = At::Table(Hook::Output, TableName::Raw);
                Ok(())
            }
            Err(reason) => lost(End::not_routed(reason)),
        }
    }

    /// What mangle OUTPUT marks or changes in the header chooses a route again; `-o` sees the old one as long as the
    /// packet is in OUTPUT.
    #[inline(never)]
    pub(super) fn reroute_mark(&mut self, state: &mut State) -> Move {
        if state.for_route() != state.at_table || state.dst != self.packet_of(state).dst {
            state.route = Some(self.reroute(state)?);
        }
        state.at = At::Table(Hook::Output, TableName::Nat);
        Ok(())
    }

    /// A destination that nat OUTPUT rewrote chooses a route again.
    #[inline(never)]
    pub(super) fn reroute_dnat(&mut self, state: &mut State) -> Move {
        if state.dst != self.packet_of(state).dst {
            state.route = Some(self.reroute(state)?);
        }
        state.at = At::Table(Hook::Output, TableName::Filter);
        Ok(())
    }

    /// A new choice in OUTPUT (kernel: `net/ipv4/netfilter.c`, `ip_route_me_harder`). What fails here is
    /// dropped in OUTPUT; a loopback source, which the first choice let pass, may not leave now.
    fn reroute(&mut self, state: &State) -> Result<Chosen, Turn> {
        let fails =
            |reason: String| Turn::End(End::lost(Verdict::Dropped, Place::Hook(Hook::Output), Some(reason)));
        let chosen = self.choose_for_sent(state)?.map_err(|reason| fails(reason.to_owned()))?;
        if self.is_loopback_leaving(state, chosen) {
            return Err(fails(format!("{} may not leave by another interface than lo", state.src)));
        }
        Ok(chosen)
    }

    fn is_loopback_leaving(&mut self, state: &State, chosen: Chosen) -> bool {
        let from_loopback = state.src.is_ipv4() && state.src.is_loopback();
        from_loopback && !chosen.to_this_node && !self.may_route_localnet(chosen.out)
    }

    fn choose_for_sent(&mut self, state: &State) -> Result<Result<Chosen, &'static str>, Turn> {
        if self.is_to_this_node(state)? {
            return Ok(Ok(Chosen::LOOPBACK));
        }
        if let Some(chosen) = self.to_all_by_source(state) {
            return Ok(Ok(chosen));
        }
        match self.next_hop(state, InterfaceName::LOOPBACK) {
            Ok(chosen) => Ok(Ok(chosen)),
            Err(NextHopError::Refused(reason)) => Ok(Err(reason)),
            Err(NextHopError::Ask(turn)) => Err(turn),
        }
    }

    /// A group, or all on the link, is sent to by the interface that holds the source, whatever routes say (kernel:
    /// `net/ipv4/route.c`, `ip_route_output_key_hash_rcu`).
    fn to_all_by_source(&self, state: &State) -> Option<Chosen> {
        let IpAddr::V4(dst) = state.dst else { return None };
        let own = self.host.interface_addresses()?;
        let own = own.iter().find(|own| own.address() == state.src)?;
        let hop = NextHop { via: None, interface: Some(own.interface) };
        (dst.is_multicast() || dst.is_broadcast()).then(|| Chosen::forward(hop))
    }

    /// The route to a destination that is not this node.
    fn next_hop(&mut self, state: &State, in_interface: InterfaceName) -> Result<Chosen, NextHopError> {
        let routing = self.host.routing();
        if !routing.is_known() {
            self.granted.insert(Granted::HasRoute);
            return Ok(Chosen::forward(NextHop::default()));
        }
        if !routing.rules_are_known() {
            self.granted.insert(Granted::RoutingRules);
        }
        let key =
            RouteKey { src: state.src, dst: state.dst, mark: state.mark, in_interface, out_interface: None };
        match routing.route(&key) {
            Routed::Forward(hop) | Routed::Broadcast(hop) => Ok(Chosen::forward(hop)),
            Routed::Local => Ok(Chosen::LOOPBACK),
            Routed::Unknown => {
                let question = Question::Opaque { text: format!("{} has a route", state.dst), seen: 0 };
                match self.facts.settle(&question, state.facts) {
                    Some(true) => Ok(Chosen::forward(NextHop::default())),
                    Some(false) => Err(NextHopError::Refused("it has no route")),
                    None => Err(NextHopError::Ask(self.ask(question, None))),
                }
            }
            Routed::Refused(reason) => Err(NextHopError::Refused(reason)),
        }
    }

    /// Whether this node listens to a group (kernel: `net/ipv4/igmp.c`, `ip_check_mc_rcu`;
    /// `net/ipv6/mcast.c`). Each interface listens to all hosts, and in IPv6 to the groups made from its own
    /// addresses; to which others processes listen nothing tells.
    fn listens(&mut self, state: &State, interface: InterfaceName) -> Result<bool, Turn> {
        let made_from = |own: IpAddr, group: Ipv6Addr| matches!(own, IpAddr::V6(own) if own.octets()[13..] == group.octets()[13..]);
        let known = match state.dst {
            IpAddr::V4(group) => group == Ipv4Addr::new(224, 0, 0, 1),
            IpAddr::V6(group) => {
                let solicited = group.to_bits() >> 24 == SOLICITED_NODE;
                let own = self.host.interface_addresses().unwrap_or_default();
                let own = own.iter().filter(|own| own.interface == interface);
                group == ALL_NODES
                    || solicited && own.map(InterfaceAddress::address).any(|own| made_from(own, group))
            }
        };
        let question = Question::Opaque {
            text: format!("this node listens to {} on `{interface}`", state.dst),
            seen: 0,
        };
        match (known, self.facts.settle(&question, state.facts)) {
            (true, _) => Ok(true),
            (false, Some(is)) => Ok(is),
            (false, None) => Err(self.ask(question, None)),
        }
    }

    /// Whether the destination is this node, broadcasts included.
    fn is_to_this_node(&mut self, state: &State) -> Result<bool, Turn> {
        let sent_here = state.in_interface == Interface::None;
        match self.host.address_type(state.dst) {
            Some(AddressType::Local | AddressType::Anycast) => Ok(true),
            Some(AddressType::Broadcast) => Ok(!sent_here),
            Some(_) => Ok(false),
            None => {
                let question = Question::is_of_this_node(state.dst);
                match self.facts.settle(&question, state.facts) {
                    Some(is) => Ok(is),
                    None => Err(self.ask(question, None)),
                }
            }
        }
    }

    /// Whether packets for others that come in by an interface are forwarded.
    fn may_forward(&mut self, state: &State, in_interface: InterfaceName) -> bool {
        let sysctls = &self.host.sysctls;
        let known = match state.dst {
            IpAddr::V4(_) => sysctls.forwarding4_known(in_interface),
            IpAddr::V6(_) => sysctls.forwarding6_known(in_interface),
        };
        known.unwrap_or_else(|| {
            self.granted.insert(Granted::Forwarding);
            true
        })
    }

    /// Whether 127.0.0.0/8 may come in or leave by an interface.
    pub(super) fn may_route_localnet(&mut self, interface: Interface) -> bool {
        // Where the interface is not known, `all` speaks.
        let interface = match interface {
            Interface::Known(name) => name,
            _ => InterfaceName::LOOPBACK,
        };
        if !self.host.sysctls.tells_route_localnet(interface) {
            self.granted.insert(Granted::NoRouteLocalnet);
        }
        self.host.sysctls.route_localnet(interface)
    }
}

fn lost(end: End) -> Move {
    Err(Turn::End(end))
}

fn is_loopback6(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_loopback())
}

fn is_no_source6(address: IpAddr) -> bool {
    let IpAddr::V6(v6) = address else { return false };
    v6.is_unspecified() || v6.is_loopback() || v6.is_multicast() || v6.is_unicast_link_local()
}

fn is_fragment4(packet: &Packet) -> bool {
    packet.dst.is_ipv4() && (packet.fragment_offset > 0 || packet.more_fragments)
}

fn is_multicast(address: IpAddr) -> bool {
    address.is_multicast()
}
