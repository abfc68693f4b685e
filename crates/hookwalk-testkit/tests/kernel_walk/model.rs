//! The kernel side's node and packets in the engine's words.

use std::net::IpAddr;

use hookwalk_engine::{Host, InterfaceAddress, NextHop, Packet, PacketState, Route, RouteKind};
use hookwalk_parser::types::{Protocol, TcpFlags};
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
