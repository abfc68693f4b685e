//! Sources that routing refuses, and what IPv6 refuses before any rule.

use std::net::{IpAddr, Ipv4Addr};

use hookwalk_parser::extensions::AddressType;

use super::way::{End, Move, Turn, Way};
use crate::host::{ReversePath, RouteKey, Routed};
use crate::packet::InterfaceName;
use crate::program::{Hook, TableName};
use crate::question::Question;
use crate::state::{At, Granted, Interface, State};

impl Way<'_> {
    /// Before the first hook of a packet that arrives (kernel: `net/ipv6/ip6_input.c`, `ip6_rcv_core`).
    pub(super) fn receive(state: &mut State) -> Move {
        if let (IpAddr::V6(src), IpAddr::V6(dst)) = (state.src, state.dst) {
            let from_outside = state.in_interface != Interface::Known(InterfaceName::LOOPBACK);
            let scope = dst.octets()[1] & 0xf;
            let refused = if from_outside && (src.is_loopback() || dst.is_loopback()) {
                Some("a loopback address is used on another interface than lo")
            } else if src.is_multicast() {
                Some("the source is no address of a host")
            } else if from_outside && dst.is_multicast() && scope < 2 {
                Some("the group does not reach beyond the sending node")
            } else {
                None
            };
            if let Some(reason) = refused {
                return Err(Turn::End(End::not_routed(reason)));
            }
        }
        state.at = At::Table(Hook::Prerouting, TableName::Raw);
        Ok(())
    }

    /// Why a packet that arrives by another interface than `lo` is refused for its source, or for a
    /// destination that nobody has (kernel: `net/ipv4/route.c`, `ip_route_input_slow` and
    /// `ip_mc_validate_source`). IPv6 asks less.
    pub(super) fn refused_source(
        &mut self,
        state: &mut State,
        interface: InterfaceName,
    ) -> Result<Option<&'static str>, Turn> {
        let (IpAddr::V4(src), IpAddr::V4(dst)) = (state.src, state.dst) else {
            return Ok(self.refused_source6(state));
        };
        if src.is_multicast() || src.is_broadcast() {
            return Ok(Some("the source is no address of a host"));
        }
        // Who has no address yet asks all: DHCP, and groups of the link.
        let to_all = dst.is_broadcast() || dst.is_multicast() && dst.octets()[..3] == [224, 0, 0];
        if src.is_unspecified() {
            return Ok((!to_all).then_some("the source is no address of a host"));
        }
        if dst.is_unspecified() {
            return Ok(Some("the destination is no address"));
        }
        if dst.is_loopback() && !self.may_route_localnet(state.in_interface) {
            return Ok(Some("a loopback address is reached by another interface than lo"));
        }
        if src.is_loopback() && !self.may_route_localnet(state.in_interface) {
            return Ok(Some("a loopback address comes by another interface than lo"));
        }
        self.refused_way_back(state, interface)
    }

    fn refused_source6(&mut self, state: &mut State) -> Option<&'static str> {
        if self.host.address_type(state.src).is_none() {
            self.is_from_this_node(state);
        }
        // `::` is forwarded like any other destination.
        None
    }

    /// Whether a rule has asked if the source is this node's (`--src-type LOCAL`), and it is. Else it is taken for
    /// another host's, and rules behind find that settled.
    fn is_from_this_node(&mut self, state: &mut State) -> bool {
        let question = Question::is_of_this_node(state.src);
        self.facts.settle(&question, state.facts).unwrap_or_else(|| {
            self.granted.insert(Granted::ForeignSource);
            let id = self.facts.id(question);
            state.facts = self.facts.assume(state.facts, id, false);
            false
        })
    }

    /// What the way back to the sender says (kernel: `net/ipv4/fib_frontend.c`, `fib_validate_source`).
    fn refused_way_back(
        &mut self,
        state: &mut State,
        interface: InterfaceName,
    ) -> Result<Option<&'static str>, Turn> {
        let sysctls = &self.host.sysctls;
        let (filter, accept_local) = (sysctls.reverse_path(interface), sysctls.accept_local(interface));
        // Without a filter the kernel looks at the addresses of interfaces alone, while nobody has changed the
        // routing rules.
        let looks_up = filter != ReversePath::Off || self.host.routing().has_custom_rules() && !accept_local;
        let of_no_interface = state.src.is_loopback() && state.src != IpAddr::V4(Ipv4Addr::LOCALHOST);
        match self.host.address_type(state.src) {
            Some(AddressType::Local) if !accept_local && (looks_up || !of_no_interface) => {
                return Ok(Some("the source is an address of this node"));
            }
            Some(AddressType::Broadcast) if looks_up => {
                return Ok(Some("the source is a broadcast address"));
            }
            None if !accept_local && self.is_from_this_node(state) && (looks_up || !of_no_interface) => {
                return Ok(Some("the source is an address of this node"));
            }
            Some(_) | None => {}
        }
        if filter == ReversePath::Off {
            if !self.host.sysctls.tells_reverse_path(interface) {
                self.granted.insert(Granted::NoReversePath);
            }
            return Ok(None);
        }
        let mark = if self.host.sysctls.src_valid_mark(interface) { state.mark } else { 0 };
        let routing = self.host.routing();
        // The way back of what is forwarded begins at the interface it will leave by (`__mkroute_input`).
        let forth = RouteKey {
            src: state.src,
            dst: state.dst,
            mark: state.mark,
            in_interface: interface,
            out_interface: None,
        };
        let in_interface = match routing.is_known().then(|| routing.route(&forth)) {
            Some(Routed::Forward(hop)) => hop.interface.unwrap_or(InterfaceName::LOOPBACK),
            _ => InterfaceName::LOOPBACK,
        };
        // What is for all of the link or for a group tells no source (`ip_route_input_slow`, `ip_mc_validate_source`).
        let kind = self.host.address_type(state.dst);
        let is_for_many = matches!(kind, Some(AddressType::Broadcast | AddressType::Multicast));
        let src = if is_for_many { RouteKey::nobody(state.dst) } else { state.dst };
        let key = RouteKey { src, dst: state.src, mark, in_interface, out_interface: None };
        let passes = match routing.is_known().then(|| routing.route(&key)) {
            Some(Routed::Forward(_)) if filter == ReversePath::Loose => Some(true),
            Some(Routed::Forward(_)) => {
                let hops = routing.next_hops(&key);
                let by_it = hops.iter().any(|hop| hop.interface == Some(interface));
                let told = by_it || hops.iter().all(|hop| hop.interface.is_some());
                told.then_some(by_it)
            }
            Some(Routed::Local) => Some(filter == ReversePath::Loose || self.is_address_of(state, interface)),
            Some(Routed::Broadcast(_) | Routed::Refused(_)) => Some(false),
            Some(Routed::Unknown) | None => None,
        };
        let passes = match passes {
            Some(passes) => passes,
            None => {
                let text = match filter {
                    ReversePath::Loose => format!("there is a route back to {}", state.src),
                    _ => format!("the way back to {} is by `{interface}`", state.src),
                };
                let question = Question::Opaque { text, seen: 0 };
                match self.facts.settle(&question, state.facts) {
                    Some(is) => is,
                    None => return Err(self.ask(question, None)),
                }
            }
        };
        Ok((!passes).then_some("the way back to its source is not the way it came (rp_filter)"))
    }

    /// Whether the source is an address of the interface itself.
    fn is_address_of(&self, state: &State, interface: InterfaceName) -> bool {
        let all = self.host.interface_addresses().unwrap_or_default();
        all.iter().any(|own| own.interface == interface && own.address() == state.src)
    }
}
