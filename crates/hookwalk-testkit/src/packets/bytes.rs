//! Packets to and from bytes.

use std::net::IpAddr;

use etherparse::{
    IcmpEchoHeader, Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpDscp, IpEcn, IpFragOffset,
    IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6FragmentHeader, Ipv6Header, Ipv6HeaderSlice, TcpHeader,
    UdpHeader,
};

use super::{Fragment, PacketSpec, flag, proto};

/// Next header of an IPv6 fragment.
const FRAGMENT: u8 = 44;
/// The length of an INIT chunk, which is all that an SCTP packet here holds.
const INIT: usize = 20;
/// The length of the header of SCTP.
const SCTP_HEADER: usize = 12;

impl PacketSpec {
    /// The packet's bytes, with valid checksums.
    pub fn to_bytes(&self) -> Vec<u8> {
        let data = match &self.about {
            Some(about) => about.to_bytes(),
            None => vec![0x68; usize::from(self.data)],
        };
        let mut payload = Vec::new();
        // Only a first fragment has the header of the upper layer.
        if self.fragment.is_none_or(|fragment| fragment.offset == 0) {
            payload = self.transport(&data);
        }
        if self.proto != proto::SCTP {
            payload.extend(&data);
        }
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.ipv4(src.octets(), dst.octets(), payload),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.ipv6(src.octets(), dst.octets(), payload),
            _ => Vec::new(),
        }
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4], payload: Vec<u8>) -> Vec<u8> {
        let mut header = Ipv4Header {
            dscp: IpDscp::try_new(self.tos >> 2).unwrap_or_default(),
            ecn: IpEcn::try_new(self.tos & 3).unwrap_or_default(),
            identification: self.id,
            time_to_live: self.ttl,
            protocol: IpNumber(self.proto),
            source,
            destination,
            total_len: u16::try_from(Ipv4Header::MIN_LEN + payload.len()).unwrap_or(u16::MAX),
            ..Ipv4Header::default()
        };
        if let Some(Fragment { offset, more }) = self.fragment {
            header.fragment_offset = IpFragOffset::try_new(offset).unwrap_or_default();
            header.more_fragments = more;
        }
        header.header_checksum = header.calc_header_checksum();
        [header.to_bytes().to_vec(), payload].concat()
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16], payload: Vec<u8>) -> Vec<u8> {
        let extension = self.fragment.map_or(Vec::new(), |Fragment { offset, more }| {
            let offset = IpFragOffset::try_new(offset).unwrap_or_default();
            let id = u32::from(self.id);
            Ipv6FragmentHeader::new(IpNumber(self.proto), offset, more, id).to_bytes().to_vec()
        });
        let header = Ipv6Header {
            traffic_class: self.tos,
            payload_length: u16::try_from(extension.len() + payload.len()).unwrap_or(u16::MAX),
            next_header: IpNumber(if extension.is_empty() { self.proto } else { FRAGMENT }),
            hop_limit: self.ttl,
            source,
            destination,
            ..Ipv6Header::default()
        };
        [header.to_bytes().to_vec(), extension, payload].concat()
    }

    /// The transport header; without its checksum in the one case that `etherparse` refuses, too much data.
    fn transport(&self, data: &[u8]) -> Vec<u8> {
        match self.proto {
            proto::TCP => {
                let mut tcp = TcpHeader::new(self.sport, self.dport, 0x1000, 0x2000);
                let is_set = |bit| self.flags & bit != 0;
                (tcp.fin, tcp.syn, tcp.rst) = (is_set(flag::FIN), is_set(flag::SYN), is_set(flag::RST));
                (tcp.psh, tcp.ack, tcp.urg) = (is_set(flag::PSH), is_set(flag::ACK), is_set(flag::URG));
                tcp.checksum = match (self.src, self.dst) {
                    (IpAddr::V4(src), IpAddr::V4(dst)) => {
                        tcp.calc_checksum_ipv4_raw(src.octets(), dst.octets(), data).unwrap_or(0)
                    }
                    (IpAddr::V6(src), IpAddr::V6(dst)) => {
                        tcp.calc_checksum_ipv6_raw(src.octets(), dst.octets(), data).unwrap_or(0)
                    }
                    _ => 0,
                };
                tcp.to_bytes().to_vec()
            }
            proto::UDP => {
                let length = u16::try_from(data.len() + UdpHeader::LEN).unwrap_or(u16::MAX);
                let mut udp =
                    UdpHeader { source_port: self.sport, destination_port: self.dport, length, checksum: 0 };
                udp.checksum = match (self.src, self.dst) {
                    (IpAddr::V4(src), IpAddr::V4(dst)) => {
                        udp.calc_checksum_ipv4_raw(src.octets(), dst.octets(), data).unwrap_or(0)
                    }
                    (IpAddr::V6(src), IpAddr::V6(dst)) => {
                        udp.calc_checksum_ipv6_raw(src.octets(), dst.octets(), data).unwrap_or(0)
                    }
                    _ => 0,
                };
                udp.to_bytes().to_vec()
            }
            proto::SCTP => self.sctp(),
            proto::ICMP => {
                let message = Icmpv4Type::Unknown {
                    type_u8: self.icmp_type,
                    code_u8: self.icmp_code,
                    bytes5to8: self.rest_of_icmp(),
                };
                Icmpv4Header::with_checksum(message, data).to_bytes().to_vec()
            }
            proto::ICMPV6 => {
                let message = Icmpv6Type::Unknown {
                    type_u8: self.icmp_type,
                    code_u8: self.icmp_code,
                    bytes5to8: self.rest_of_icmp(),
                };
                let (IpAddr::V6(src), IpAddr::V6(dst)) = (self.src, self.dst) else { return Vec::new() };
                Icmpv6Header::with_checksum(message, src.octets(), dst.octets(), data)
                    .map(|header| header.to_bytes().to_vec())
                    .unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Identifier and sequence number; nothing in an error.
    fn rest_of_icmp(&self) -> [u8; 4] {
        if self.about.is_some() { [0; 4] } else { IcmpEchoHeader { id: self.icmp_id, seq: 1 }.to_bytes() }
    }

    /// A header and an INIT chunk, the first packet of an association (RFC 9260, section 3.3.2).
    fn sctp(&self) -> Vec<u8> {
        let mut bytes = [self.sport.to_be_bytes(), self.dport.to_be_bytes()].concat();
        // Verification tag 0 and room for the checksum.
        bytes.extend([0; 8]);
        bytes.extend([1, 0, 0, 20]);
        bytes.extend([0, 0, 0, 1, 0, 0, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
        let checksum = crc32c(&bytes).to_le_bytes();
        for (byte, value) in bytes.iter_mut().skip(8).zip(checksum) {
            *byte = value;
        }
        bytes
    }

    /// The fields of a packet, of which the data may be cut off; `None` when it is no such packet. What an
    /// ICMP error is about is not read.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut packet = Self { in_iface: None, data: 0, mark: 0, ..Self::default() };
        let (rest, total) = match bytes.first()? >> 4 {
            4 => packet.read_ipv4(bytes)?,
            6 => packet.read_ipv6(bytes)?,
            _ => return None,
        };
        (packet.sport, packet.dport, packet.flags) = (0, 0, 0);
        (packet.icmp_type, packet.icmp_code, packet.icmp_id) = (0, 0, 0);
        if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
            packet.data = u16::try_from(total).ok()?;
            return Some(packet);
        }
        let pair = |at: usize| rest.get(at..)?.first_chunk::<2>().map(|two| u16::from_be_bytes(*two));
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        let transport = match packet.proto {
            proto::TCP | proto::UDP | proto::SCTP => {
                (packet.sport, packet.dport) = (pair(0)?, pair(2)?);
                match packet.proto {
                    proto::TCP => {
                        packet.flags = byte(13) & 0x3f;
                        usize::from(byte(12) >> 4) * 4
                    }
                    proto::UDP => UdpHeader::LEN,
                    _ => SCTP_HEADER + INIT,
                }
            }
            proto::ICMP | proto::ICMPV6 => {
                (packet.icmp_type, packet.icmp_code) = (byte(0), byte(1));
                packet.icmp_id = pair(4).unwrap_or(0);
                8
            }
            _ => 0,
        };
        packet.data = u16::try_from(total.saturating_sub(transport)).ok()?;
        Some(packet)
    }

    /// What follows the header, and how long that is when nothing is cut off.
    fn read_ipv4<'b>(&mut self, bytes: &'b [u8]) -> Option<(&'b [u8], usize)> {
        let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
        (self.src, self.dst) = (header.source_addr().into(), header.destination_addr().into());
        (self.proto, self.ttl, self.id) = (header.protocol().0, header.ttl(), header.identification());
        self.tos = header.dcp().value() << 2 | header.ecn().value();
        if header.is_fragmenting_payload() {
            let offset = header.fragments_offset().value();
            self.fragment = Some(Fragment { offset, more: header.more_fragments() });
        }
        let length = header.slice().len();
        Some((bytes.get(length..)?, usize::from(header.total_len()).saturating_sub(length)))
    }

    fn read_ipv6<'b>(&mut self, bytes: &'b [u8]) -> Option<(&'b [u8], usize)> {
        let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
        (self.src, self.dst) = (header.source_addr().into(), header.destination_addr().into());
        (self.proto, self.ttl, self.tos) =
            (header.next_header().0, header.hop_limit(), header.traffic_class());
        let (mut rest, mut total) = (bytes.get(40..)?, usize::from(header.payload_length()));
        while matches!(self.proto, 0 | 43 | 60 | FRAGMENT) {
            let ([next, length, high, low], _) = rest.split_first_chunk::<4>()?;
            let whole = if self.proto == FRAGMENT { 8 } else { 8 + usize::from(*length) * 8 };
            if self.proto == FRAGMENT {
                let field = u16::from_be_bytes([*high, *low]);
                self.fragment = Some(Fragment { offset: field >> 3, more: field & 1 == 1 });
                self.id = u16::from_be_bytes(*rest.get(6..)?.first_chunk::<2>()?);
            }
            self.proto = *next;
            (rest, total) = (rest.get(whole..)?, total.saturating_sub(whole));
        }
        Some((rest, total))
    }
}

/// CRC-32C, bit by bit (RFC 9260, appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let ends = [("10.0.0.5", "10.1.0.5"), ("fd00::5", "fd00:1::5")];
        let protocols = [proto::TCP, proto::UDP, proto::SCTP, proto::ICMP, proto::ICMPV6, proto::GRE];
        for ((src, dst), proto) in ends.into_iter().flat_map(|ends| protocols.map(|proto| (ends, proto))) {
            let src: IpAddr = src.parse().unwrap();
            if proto == proto::ICMPV6 && src.is_ipv4() {
                continue;
            }
            for fragment in [None, Some(Fragment { offset: 0, more: true })] {
                let packet = PacketSpec {
                    src,
                    dst: dst.parse().unwrap(),
                    proto,
                    sport: if proto::has_ports(proto) { 40000 } else { 0 },
                    dport: if proto::has_ports(proto) { 80 } else { 0 },
                    flags: if proto == proto::TCP { flag::SYN | flag::ACK } else { 0 },
                    icmp_type: if proto::is_icmp(proto) { 8 } else { 0 },
                    icmp_id: if proto::is_icmp(proto) { 9 } else { 0 },
                    tos: 0x13,
                    data: if proto == proto::SCTP { 0 } else { 16 },
                    fragment,
                    ..PacketSpec::default()
                };
                assert_eq!(PacketSpec::from_bytes(&packet.to_bytes()), Some(packet));
            }
        }
        assert_eq!(PacketSpec::from_bytes(&[0x45, 0, 0]), None);
        assert_eq!(PacketSpec::from_bytes(&[0x60; 20]), None);
    }

    #[test]
    fn the_checksum_of_sctp() {
        // RFC 3720, appendix B.4: 32 bytes of zeros.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn an_error_holds_the_packet_it_is_about() {
        let first = PacketSpec::default();
        let error = PacketSpec {
            proto: proto::ICMP,
            icmp_type: 3,
            icmp_code: 1,
            about: Some(Box::new(first.clone())),
            ..PacketSpec::default()
        };
        assert_eq!(error.to_bytes()[28..], first.to_bytes());
    }
}
