//! The kernel side's node and packets in the engine's words.

use std::net::IpAddr;

use hookwalk_engine::{Host, InterfaceAddress, NextHop, Packet, PacketState, Route, RouteKind};
use hookwalk_parser::types::{Protocol, TcpFlags};
use hookwalk_testkit::kernel::{Observation, Verdict};
use hookwalk_testkit::packets::{PacketSpec, flag, icmp, proto};
use hookwalk_testkit::topology::{Hop, Topology};

pub(crate) fn host(topology: &Topology) -> Host {
    let mut addresses = Vec::new();
    let mut routes = Vec::new();
    for interface in &topology.interfaces {
        let name = interface.name.parse().unwrap();
        for subnet in &interface.addresses {
            addresses.push(InterfaceAddress::new(name, subnet.address.into(), subnet.prefix).unwrap());
            let hop = NextHop { via: None, interface: Some(name) };
            routes.push(Route::new(IpAddr::V4(subnet.first()), subnet.prefix, hop).unwrap());
        }
    }
    for route in &topology.routes {
        let (kind, hop) = match &route.hop {
            Hop::Via(gateway) => {
                let holds = |i: &&hookwalk_testkit::topology::Interface| {
                    i.addresses.iter().any(|s| s.contains(*gateway))
                };
                let interface = topology.interfaces.iter().find(holds).unwrap();
                let hop = NextHop {
                    via: Some((*gateway).into()),
                    interface: Some(interface.name.parse().unwrap()),
                };
                (RouteKind::Unicast, hop)
            }
            Hop::Device(name) => {
                (RouteKind::Unicast, NextHop { via: None, interface: Some(name.parse().unwrap()) })
            }
            Hop::Unreachable => (RouteKind::Unreachable, NextHop::default()),
            Hop::Prohibit => (RouteKind::Prohibit, NextHop::default()),
            Hop::Blackhole => (RouteKind::Blackhole, NextHop::default()),
        };
        let mut built = Route::new(IpAddr::V4(route.to.first()), route.to.prefix, hop).unwrap();
        built.kind = kind;
        routes.push(built);
    }
    Host::default().with_interface_addresses(addresses).with_routes(routes)
}

pub(crate) fn packet(spec: &PacketSpec) -> Packet {
    let mut packet = Packet::new(spec.src.into(), spec.dst.into()).protocol(Protocol(spec.proto));
    packet.in_interface = spec.in_iface.as_deref().map(|name| name.parse().unwrap());
    packet.ttl = spec.ttl;
    packet.tos = spec.tos;
    packet.tcp_flags = TcpFlags(spec.flags);
    if matches!(spec.proto, proto::TCP | proto::UDP) {
        packet.sport = Some(spec.sport);
        packet.dport = Some(spec.dport);
    }
    if spec.proto == proto::ICMP {
        packet.icmp_type = Some(spec.icmp_type);
        packet.icmp_code = Some(spec.icmp_code);
    }
    packet.state = state(spec);
    packet
}

/// What conntrack makes of a packet that belongs to no connection
/// (kernel: `net/netfilter/nf_conntrack_proto_tcp.c`, `nf_conntrack_proto_icmp.c`).
fn state(spec: &PacketSpec) -> PacketState {
    let tracked = match spec.proto {
        proto::TCP => {
            let significant = spec.flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN);
            significant == flag::SYN || significant == flag::ACK
        }
        proto::ICMP => matches!(spec.icmp_type, icmp::ECHO_REQUEST | 13 | 15 | 17),
        _ => true,
    };
    if tracked { PacketState::New } else { PacketState::Invalid }
}

/// The answer to a packet that got through and opened a connection: from where it came out, to where
/// that came from.
///
/// Nobody answers from the broadcast address that he was asked by, or to a group that cannot have asked.
pub(crate) fn reply(spec: &PacketSpec, seen: &Observation, topology: &Topology) -> Option<PacketSpec> {
    let out = match &seen.verdict {
        Verdict::Forwarded { interface } | Verdict::Sent { interface } => Some(interface.clone()),
        Verdict::Local { .. } => None,
        _ => return None,
    };
    if state(spec) != PacketState::New {
        return None;
    }
    let arrived = seen.decoded()?;
    let is_broadcast =
        arrived.dst.is_broadcast() || topology.subnets().any(|subnet| subnet.last() == arrived.dst);
    if is_broadcast || spec.src.is_multicast() {
        return None;
    }
    let mut reply = PacketSpec {
        in_iface: out,
        src: arrived.dst,
        dst: arrived.src,
        sport: arrived.dport,
        dport: arrived.sport,
        ttl: 64,
        ..spec.clone()
    };
    if spec.proto == proto::TCP && spec.flags == flag::SYN {
        reply.flags = flag::SYN | flag::ACK;
    }
    if spec.proto == proto::ICMP {
        reply.icmp_type =
            if spec.icmp_type == icmp::ECHO_REQUEST { icmp::ECHO_REPLY } else { spec.icmp_type + 1 };
    }
    Some(reply)
}

/// The packet as it goes on once there was an answer.
pub(crate) fn established(spec: &PacketSpec) -> PacketSpec {
    let flags = if spec.proto == proto::TCP && spec.flags == flag::SYN { flag::ACK } else { spec.flags };
    PacketSpec { flags, ..spec.clone() }
}
