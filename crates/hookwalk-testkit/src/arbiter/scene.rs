//! What is asked: a node with rules, and packets.

use crate::packets::{PacketSpec, flag, icmp, proto};
use crate::topology::Topology;
use hookwalk_engine::PacketState;
use hookwalk_parser::types::Family;

/// Which iptables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backend {
    /// `iptables-legacy`: the tables of `x_tables`.
    Legacy,
    /// `iptables-nft`: iptables syntax over `nf_tables`.
    Nft,
}

impl Backend {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Legacy, Self::Nft];

    /// The word for it in commands and cases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Nft => "nft",
        }
    }
}

/// A node with rules of one family and backend.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Whose rules.
    pub backend: Backend,
    /// Their family.
    pub family: Family,
    /// The node.
    pub topology: Topology,
    /// Its sets, as `ipset restore` reads them.
    pub sets: String,
    /// Its rules: what `iptables-restore` reads, or a dump that `iptables-save` printed.
    pub rules: String,
    /// What the node's own tools say about it; the kernel needs none of it.
    pub context: Context,
}

/// What the tools of a node print, of one family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// `ip addr`
    pub addr: String,
    /// `ip route show table all`
    pub route: String,
    /// `ip rule`
    pub rule: String,
    /// `ipset save`
    pub ipset: String,
    /// Lines of `sysctl -a`
    pub sysctl: String,
    /// `conntrack -L`, of a node that knows connections; empty where nothing is said about them
    pub conntrack: String,
}

/// When in its connection a packet comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    /// It is the first.
    First,
    /// The first once more, before any answer.
    Second,
    /// The answer to the first.
    Reply,
    /// The first's sender again, after the answer.
    Established,
    /// An ICMP error about the first, from where an answer would come.
    Related,
}

impl Moment {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::First, Self::Second, Self::Reply, Self::Established, Self::Related];

    /// The word for it in packet JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "new",
            Self::Second => "second",
            Self::Reply => "reply",
            Self::Established => "established",
            Self::Related => "related",
        }
    }
}

/// A packet to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// The first packet of its connection.
    pub first: PacketSpec,
    /// Which packet of the connection is meant.
    pub moment: Moment,
}

impl Shot {
    /// The first packet itself.
    pub fn first(packet: &PacketSpec) -> Self {
        Self { first: packet.clone(), moment: Moment::First }
    }
}

/// What conntrack makes of a packet that belongs to no connection
/// (kernel: `net/netfilter/nf_conntrack_proto_tcp.c`, `nf_conntrack_proto_icmp.c`, `nf_conntrack_proto_icmpv6.c`).
pub fn first_state(packet: &PacketSpec) -> PacketState {
    let tracked = match packet.proto {
        proto::TCP => {
            let significant = packet.flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN);
            significant == flag::SYN || significant == flag::ACK
        }
        // Echo, timestamp, information and address mask requests.
        proto::ICMP => matches!(packet.icmp_type, icmp::ECHO_REQUEST | 13 | 15 | 17),
        // Echo and node information requests.
        proto::ICMPV6 => matches!(packet.icmp_type, icmp::ECHO_REQUEST_V6 | 139),
        _ => true,
    };
    if tracked { PacketState::New } else { PacketState::Invalid }
}

/// The packets that follow a first one.
pub mod later {
    use super::{PacketSpec, PacketState, Topology, first_state, flag, icmp, proto};

    /// The answer to a packet that got through as `arrived` and opened a connection: from where it came out
    /// (`out`; none when it was delivered), to where that came from.
    ///
    /// Nobody answers from the broadcast address that he was asked by, or to a group that cannot have asked.
    pub fn reply(
        first: &PacketSpec,
        arrived: &PacketSpec,
        out: Option<String>,
        topology: &Topology,
    ) -> Option<PacketSpec> {
        if first_state(first) != PacketState::New {
            return None;
        }
        let is_broadcast = |address: std::net::IpAddr| match address {
            std::net::IpAddr::V4(v4) => {
                v4.is_broadcast() || topology.subnets(arrived.family()).any(|subnet| subnet.last() == address)
            }
            std::net::IpAddr::V6(_) => false,
        };
        if is_broadcast(arrived.dst) || first.src.is_multicast() {
            return None;
        }
        let mut reply = PacketSpec {
            in_iface: out,
            src: arrived.dst,
            dst: arrived.src,
            sport: arrived.dport,
            dport: arrived.sport,
            icmp_id: arrived.icmp_id,
            ttl: 64,
            mark: 0,
            ..first.clone()
        };
        match first.proto {
            proto::TCP if first.flags & (flag::SYN | flag::ACK) == flag::SYN => {
                reply.flags = flag::SYN | flag::ACK;
            }
            proto::ICMP if first.icmp_type == icmp::ECHO_REQUEST => reply.icmp_type = icmp::ECHO_REPLY,
            proto::ICMP | proto::ICMPV6 => reply.icmp_type = first.icmp_type + 1,
            _ => {}
        }
        Some(reply)
    }

    /// The ICMP error about a packet that got through as `arrived`, from who was asked: that its port is
    /// unreachable. None where an answer could not be.
    pub fn error(
        first: &PacketSpec,
        arrived: &PacketSpec,
        out: Option<String>,
        topology: &Topology,
    ) -> Option<PacketSpec> {
        let answer = reply(first, arrived, out, topology)?;
        let (proto, icmp_type, icmp_code) = match answer.src {
            std::net::IpAddr::V4(_) => (proto::ICMP, icmp::UNREACHABLE, 3),
            std::net::IpAddr::V6(_) => (proto::ICMPV6, icmp::UNREACHABLE_V6, 4),
        };
        let about = Some(Box::new(PacketSpec { in_iface: None, mark: 0, ..arrived.clone() }));
        Some(PacketSpec { proto, icmp_type, icmp_code, tos: 0, about, ..answer })
    }

    /// The packet as it goes on once there was an answer.
    pub fn established(first: &PacketSpec) -> PacketSpec {
        let flags = if first.proto == proto::TCP && first.flags & (flag::SYN | flag::ACK) == flag::SYN {
            flag::ACK
        } else {
            first.flags
        };
        PacketSpec { flags, ..first.clone() }
    }
}
