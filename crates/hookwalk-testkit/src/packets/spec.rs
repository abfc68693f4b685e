//! A packet as plain fields.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use hookwalk_engine::Packet;
use hookwalk_parser::types::{Family, Protocol, TcpFlags};

/// Protocol numbers.
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// GRE: a protocol without ports.
    pub const GRE: u8 = 47;
    /// The authentication header: an index stands where others have ports.
    pub const AH: u8 = 51;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDPLITE: u8 = 136;

    /// Whether a protocol has ports that rules and NAT know.
    pub fn has_ports(proto: u8) -> bool {
        matches!(proto, TCP | UDP | SCTP | UDPLITE)
    }

    /// Whether it is ICMP of either family.
    pub fn is_icmp(proto: u8) -> bool {
        matches!(proto, ICMP | ICMPV6)
    }
}

/// TCP flags, as bits of [`PacketSpec::flags`](super::PacketSpec::flags).
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Ends a connection at once.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// Acknowledges.
    pub const ACK: u8 = 0x10;
    /// Urgent.
    pub const URG: u8 = 0x20;
    /// Their names, in iptables' order.
    pub const NAMES: [(u8, &str); 6] =
        [(FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG")];
}

/// ICMP and ICMPv6 types.
pub mod icmp {
    /// Answers an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Asks for an echo.
    pub const ECHO_REQUEST: u8 = 8;
    /// Destination unreachable, ICMPv6.
    pub const UNREACHABLE_V6: u8 = 1;
    /// Asks for an echo, ICMPv6.
    pub const ECHO_REQUEST_V6: u8 = 128;
    /// Answers an echo request, ICMPv6.
    pub const ECHO_REPLY_V6: u8 = 129;

    /// Whether a type of ICMPv6 is of multicast listeners or neighbours, which a node also sends by itself
    /// (RFC 2710, 3810, 4861).
    pub const fn is_of_the_link(kind: u8) -> bool {
        matches!(kind, 130..=137 | 143)
    }
}

/// The part of a packet that a fragment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// Where it begins, in units of 8 bytes.
    pub offset: u16,
    /// Whether more follow.
    pub more: bool,
}

/// A packet of either family. Fields that its protocol does not have are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PacketSpec {
    /// The interface it arrives by; `None` when a local process sends it.
    pub in_iface: Option<String>,
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// Protocol number; in IPv6 that of the upper layer.
    pub proto: u8,
    /// Source port (TCP, UDP, UDP-Lite, SCTP).
    pub sport: u16,
    /// Destination port (likewise).
    pub dport: u16,
    /// TCP flags: bits of [`flag`].
    pub flags: u8,
    /// ICMP type.
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// ICMP identifier, of the types that have one.
    pub icmp_id: u16,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// IP identification; not 0, or the kernel picks one for what a local process sends.
    pub id: u16,
    /// Bytes of data after the headers. SCTP has none: its data would have to be chunks.
    pub data: u16,
    /// The mark a local process gives it; what arrives has none.
    pub mark: u32,
    /// The part of a packet it is; `None` for a whole one.
    pub fragment: Option<Fragment>,
    /// The packet that an ICMP error is about.
    pub about: Option<Box<PacketSpec>>,
}

impl Default for PacketSpec {
    /// A TCP SYN from 10.0.0.5:40000 to 10.1.0.5:80, sent locally.
    fn default() -> Self {
        Self {
            in_iface: None,
            src: Ipv4Addr::new(10, 0, 0, 5).into(),
            dst: Ipv4Addr::new(10, 1, 0, 5).into(),
            proto: proto::TCP,
            sport: 40000,
            dport: 80,
            flags: flag::SYN,
            icmp_type: icmp::ECHO_REQUEST,
            icmp_code: 0,
            icmp_id: 7,
            ttl: 64,
            tos: 0,
            id: 0x4857,
            data: 8,
            mark: 0,
            fragment: None,
            about: None,
        }
    }
}

impl PacketSpec {
    /// The family of its destination.
    pub fn family(&self) -> Family {
        Family::of(self.dst)
    }

    /// Whether it has ports: those of a later fragment are in the first one.
    pub fn has_ports(&self) -> bool {
        proto::has_ports(self.proto) && self.fragment.is_none_or(|fragment| fragment.offset == 0)
    }

    /// Its length from the IP header on.
    pub fn length(&self) -> u16 {
        u16::try_from(self.to_bytes().len()).unwrap_or(u16::MAX)
    }

    /// The packet as the engine walks it, sent by root where a local process sends it.
    ///
    /// ```
    /// use hookwalk_testkit::packets::PacketSpec;
    ///
    /// let packet = PacketSpec { dport: 53, ..PacketSpec::default() }.to_packet();
    /// assert_eq!(packet.dport, Some(53));
    /// ```
    pub fn to_packet(&self) -> Packet {
        let mut packet = Packet::new(self.src, self.dst).protocol(Protocol(self.proto));
        packet.in_interface = self.in_iface.as_deref().and_then(|name| name.parse().ok());
        packet.ttl = self.ttl;
        packet.tos = self.tos;
        packet.tcp_flags = TcpFlags(self.flags);
        packet.length = Some(self.length());
        packet.mark = self.mark;
        if self.has_ports() {
            (packet.sport, packet.dport) = (Some(self.sport), Some(self.dport));
        }
        if proto::is_icmp(self.proto) {
            (packet.icmp_type, packet.icmp_code) = (Some(self.icmp_type), Some(self.icmp_code));
            packet.icmp_id = Some(self.icmp_id);
        }
        if let Some(fragment) = self.fragment {
            (packet.fragment_offset, packet.more_fragments) = (fragment.offset, fragment.more);
        }
        if self.in_iface.is_none() {
            (packet.uid, packet.gid) = (Some(0), Some(0));
        }
        packet
    }

    /// The TCP flags as iptables writes them: `SYN,ACK`, or `NONE`.
    pub fn flag_names(&self) -> String {
        let set = flag::NAMES.iter().filter(|(bit, _)| self.flags & bit != 0);
        let names: Vec<&str> = set.map(|(_, name)| *name).collect();
        if names.is_empty() { "NONE".to_owned() } else { names.join(",") }
    }
}

impl fmt::Display for PacketSpec {
    /// `tun0: tcp 10.0.0.5:40000 > 10.1.0.5:80 SYN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.in_iface.as_deref().unwrap_or("local"))?;
        let Self { src, dst, sport, dport, .. } = self;
        let at = |address: &IpAddr, port: &u16| match address {
            IpAddr::V4(_) => format!("{address}:{port}"),
            IpAddr::V6(_) => format!("[{address}]:{port}"),
        };
        let (from, to) = (at(src, sport), at(dst, dport));
        match self.proto {
            proto::TCP => write!(f, "tcp {from} > {to} {}", self.flag_names())?,
            proto::UDP => write!(f, "udp {from} > {to}")?,
            proto::SCTP => write!(f, "sctp {from} > {to}")?,
            proto::UDPLITE => write!(f, "udplite {from} > {to}")?,
            proto::ICMP => write!(f, "icmp {src} > {dst} {}/{}", self.icmp_type, self.icmp_code)?,
            proto::ICMPV6 => write!(f, "icmpv6 {src} > {dst} {}/{}", self.icmp_type, self.icmp_code)?,
            other => write!(f, "proto {other} {src} > {dst}")?,
        }
        if self.ttl != 64 {
            write!(f, " ttl {}", self.ttl)?;
        }
        if self.tos != 0 {
            write!(f, " tos {:#x}", self.tos)?;
        }
        if self.mark != 0 {
            write!(f, " mark {:#x}", self.mark)?;
        }
        if self.data != 8 {
            write!(f, " data {}", self.data)?;
        }
        if let Some(Fragment { offset, more }) = self.fragment {
            write!(f, " fragment {offset}{}", if more { "+" } else { "" })?;
        }
        self.about.as_ref().map_or(Ok(()), |about| write!(f, " about ({about})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_line() {
        let packet = PacketSpec { in_iface: Some("tun0".into()), ..PacketSpec::default() };
        assert_eq!(packet.to_string(), "tun0: tcp 10.0.0.5:40000 > 10.1.0.5:80 SYN");
        let packet =
            PacketSpec { proto: proto::ICMP, icmp_type: icmp::UNREACHABLE, icmp_code: 1, ttl: 1, ..packet };
        assert_eq!(packet.to_string(), "tun0: icmp 10.0.0.5 > 10.1.0.5 3/1 ttl 1");
        let fragment = Some(Fragment { offset: 3, more: true });
        let packet = PacketSpec {
            src: "fd00::5".parse().unwrap(),
            dst: "fd00:1::5".parse().unwrap(),
            proto: proto::UDP,
            fragment,
            ttl: 64,
            ..packet
        };
        assert_eq!(packet.to_string(), "tun0: udp [fd00::5]:40000 > [fd00:1::5]:80 fragment 3+");
    }
}
