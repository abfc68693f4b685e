//! An IPv4 packet as plain fields.

use std::fmt;
use std::net::Ipv4Addr;

use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Type, IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv4HeaderSlice,
    TcpHeader, UdpHeader,
};

/// Protocol numbers.
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
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

/// ICMP types.
pub mod icmp {
    /// Answers an echo request.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Asks for an echo.
    pub const ECHO_REQUEST: u8 = 8;
}

/// An IPv4 packet. Fields that its protocol does not have are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PacketSpec {
    /// The interface it arrives by; `None` when a local process sends it.
    pub in_iface: Option<String>,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol number.
    pub proto: u8,
    /// Source port (TCP, UDP).
    pub sport: u16,
    /// Destination port (TCP, UDP).
    pub dport: u16,
    /// TCP flags: bits of [`flag`].
    pub flags: u8,
    /// ICMP type.
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// ICMP identifier, of the types that have one.
    pub icmp_id: u16,
    /// Time to live.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
    /// IP identification; not 0, or the kernel picks one for what a local process sends.
    pub id: u16,
    /// Bytes of data after the headers.
    pub data: u16,
}

impl Default for PacketSpec {
    /// A TCP SYN from 10.0.0.5:40000 to 10.1.0.5:80, sent locally.
    fn default() -> Self {
        Self {
            in_iface: None,
            src: Ipv4Addr::new(10, 0, 0, 5),
            dst: Ipv4Addr::new(10, 1, 0, 5),
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
        }
    }
}

impl PacketSpec {
    /// The packet's bytes, with valid checksums.
    pub fn to_bytes(&self) -> Vec<u8> {
        let data = vec![0x68; usize::from(self.data)];
        let transport = self.transport(&data);
        let mut header = Ipv4Header {
            dscp: IpDscp::try_new(self.tos >> 2).unwrap_or_default(),
            ecn: IpEcn::try_new(self.tos & 3).unwrap_or_default(),
            identification: self.id,
            time_to_live: self.ttl,
            protocol: IpNumber(self.proto),
            source: self.src.octets(),
            destination: self.dst.octets(),
            total_len: u16::try_from(Ipv4Header::MIN_LEN + transport.len() + data.len()).unwrap_or(u16::MAX),
            ..Ipv4Header::default()
        };
        header.header_checksum = header.calc_header_checksum();
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend(transport);
        bytes.extend(data);
        bytes
    }

    /// The transport header; without its checksum in the one case that `etherparse` refuses, too much data.
    fn transport(&self, data: &[u8]) -> Vec<u8> {
        let (src, dst) = (self.src.octets(), self.dst.octets());
        match self.proto {
            proto::TCP => {
                let mut tcp = TcpHeader::new(self.sport, self.dport, 0x1000, 0x2000);
                let is_set = |bit| self.flags & bit != 0;
                (tcp.fin, tcp.syn, tcp.rst) = (is_set(flag::FIN), is_set(flag::SYN), is_set(flag::RST));
                (tcp.psh, tcp.ack, tcp.urg) = (is_set(flag::PSH), is_set(flag::ACK), is_set(flag::URG));
                tcp.checksum = tcp.calc_checksum_ipv4_raw(src, dst, data).unwrap_or(0);
                tcp.to_bytes().to_vec()
            }
            proto::UDP => {
                let length = self.data.saturating_add(8);
                let mut udp =
                    UdpHeader { source_port: self.sport, destination_port: self.dport, length, checksum: 0 };
                udp.checksum = udp.calc_checksum_ipv4_raw(src, dst, data).unwrap_or(0);
                udp.to_bytes().to_vec()
            }
            proto::ICMP => {
                let echo = IcmpEchoHeader { id: self.icmp_id, seq: 1 };
                let message = Icmpv4Type::Unknown {
                    type_u8: self.icmp_type,
                    code_u8: self.icmp_code,
                    bytes5to8: echo.to_bytes(),
                };
                Icmpv4Header::with_checksum(message, data).to_bytes().to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// The fields of an IPv4 packet, of which the data may be cut off; `None` when it is no such packet.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
        let rest = bytes.get(header.slice().len()..)?;
        let pair = |at: usize| rest.get(at..)?.first_chunk::<2>().map(|two| u16::from_be_bytes(*two));
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        let proto = header.protocol().0;
        let total = usize::from(header.total_len()).saturating_sub(header.slice().len());
        let mut packet = Self {
            in_iface: None,
            src: header.source_addr(),
            dst: header.destination_addr(),
            proto,
            sport: 0,
            dport: 0,
            flags: 0,
            icmp_type: 0,
            icmp_code: 0,
            icmp_id: 0,
            ttl: header.ttl(),
            tos: header.dcp().value() << 2 | header.ecn().value(),
            id: header.identification(),
            data: 0,
        };
        let transport = match proto {
            proto::TCP | proto::UDP => {
                (packet.sport, packet.dport) = (pair(0)?, pair(2)?);
                if proto == proto::TCP {
                    packet.flags = byte(13) & 0x3f;
                    usize::from(byte(12) >> 4) * 4
                } else {
                    UdpHeader::LEN
                }
            }
            proto::ICMP => {
                (packet.icmp_type, packet.icmp_code) = (byte(0), byte(1));
                packet.icmp_id = pair(4).unwrap_or(0);
                8
            }
            _ => 0,
        };
        packet.data = u16::try_from(total.saturating_sub(transport)).ok()?;
        Some(packet)
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
        match self.proto {
            proto::TCP => write!(f, "tcp {src}:{sport} > {dst}:{dport} {}", self.flag_names())?,
            proto::UDP => write!(f, "udp {src}:{sport} > {dst}:{dport}")?,
            proto::ICMP => write!(f, "icmp {src} > {dst} {}/{}", self.icmp_type, self.icmp_code)?,
            other => write!(f, "proto {other} {src} > {dst}")?,
        }
        if self.ttl == 64 { Ok(()) } else { write!(f, " ttl {}", self.ttl) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for proto in [proto::TCP, proto::UDP, proto::ICMP, 47] {
            let ports = proto == proto::TCP || proto == proto::UDP;
            let packet = PacketSpec {
                proto,
                sport: if ports { 40000 } else { 0 },
                dport: if ports { 80 } else { 0 },
                flags: if proto == proto::TCP { flag::SYN | flag::ACK } else { 0 },
                icmp_type: if proto == proto::ICMP { 8 } else { 0 },
                icmp_id: if proto == proto::ICMP { 9 } else { 0 },
                tos: 0x13,
                ..PacketSpec::default()
            };
            assert_eq!(PacketSpec::from_bytes(&packet.to_bytes()), Some(packet));
        }
        assert_eq!(PacketSpec::from_bytes(&[0x45, 0, 0]), None);
    }

    #[test]
    fn reads_as_a_line() {
        let packet = PacketSpec { in_iface: Some("tun0".into()), ..PacketSpec::default() };
        assert_eq!(packet.to_string(), "tun0: tcp 10.0.0.5:40000 > 10.1.0.5:80 SYN");
        let packet =
            PacketSpec { proto: proto::ICMP, icmp_type: icmp::UNREACHABLE, icmp_code: 1, ttl: 1, ..packet };
        assert_eq!(packet.to_string(), "tun0: icmp 10.0.0.5 > 10.1.0.5 3/1 ttl 1");
    }
}
