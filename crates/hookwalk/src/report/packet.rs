use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::types::{MacAddress, Protocol, TcpFlags};
use crate::{InterfaceName, Packet, PacketState};

/// A packet as JSON: what goes in and, with defaults filled in, comes back.
///
/// ```
/// use hookwalk::report::PacketReport;
/// let line = r#"{"id":"q1","in":"cni0","src":"10.0.0.5","dst":"10.96.0.10","proto":"udp","dport":53}"#;
/// let report: PacketReport = serde_json::from_str(line).unwrap();
/// let packet = report.to_packet().unwrap();
/// assert_eq!(packet.dport, Some(53));
/// assert_eq!(packet.sport, None);
/// assert_eq!(packet.ttl, 64);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacketReport {
    /// Any text, handed back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// The interface it arrives by; absent when a local process sends it.
    #[serde(rename = "in")]
    pub in_iface: Option<String>,
    /// Source address.
    pub src: String,
    /// Destination address.
    pub dst: String,
    /// Protocol by name or number; `tcp` when absent.
    pub proto: Option<Text>,
    /// Source port; unknown when absent.
    pub sport: Option<u16>,
    /// Destination port; unknown when absent.
    pub dport: Option<u16>,
    /// TCP flags; `SYN` when absent.
    pub flags: Option<String>,
    /// ICMP or ICMPv6 type; unknown when absent.
    pub icmp_type: Option<u8>,
    /// ICMP or ICMPv6 code; unknown when absent.
    pub icmp_code: Option<u8>,
    /// Identifier of an ICMP request or answer; unknown when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_id: Option<u16>,
    /// The packet's mark; 0 when absent.
    pub mark: Option<u32>,
    /// What conntrack makes of it: `new` when absent.
    pub state: Option<String>,
    /// Time to live or hop limit; 64 when absent.
    pub ttl: Option<u8>,
    /// Type of service or traffic class; 0 when absent.
    pub tos: Option<u8>,
    /// Length in bytes from the IP header on; unknown when absent.
    pub length: Option<u16>,
    /// Fragment offset in units of 8 bytes; 0 when absent.
    pub frag_off: Option<u16>,
    /// Whether more fragments follow; not when absent.
    pub mf: Option<bool>,
    /// User id of the sending socket; unknown when absent.
    pub uid: Option<u32>,
    /// Group id of the sending socket; unknown when absent.
    pub gid: Option<u32>,
    /// Source MAC address; unknown when absent.
    pub mac: Option<String>,
    /// The bridge port it came in by; unknown when absent.
    pub physdev_in: Option<String>,
    /// The bridge port it leaves by; unknown when absent.
    pub physdev_out: Option<String>,
    /// The mark of its connection; 0 when absent.
    pub connmark: Option<u32>,
    /// When it comes, in seconds: Unix time, or any other clock of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// A JSON string or number, kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// Given as a string.
    String(String),
    /// Given as a number.
    Number(i64),
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Text::String(text) => f.pad(text),
            Text::Number(number) => number.fmt(f),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::String(text.to_owned())
    }
}

/// A field of a packet does not hold what it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPacket {
    /// A value that cannot be read.
    #[error("`{value}` cannot stand in `{field}`: expected {expected}")]
    Value {
        /// The field's name in JSON.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// A field that must be given.
    #[error("a packet needs `{field}`")]
    Missing {
        /// The field's name in JSON.
        field: &'static str,
    },
    /// Source and destination are of two families.
    #[error("`{src}` and `{dst}` are of two families")]
    TwoFamilies {
        /// The source.
        src: String,
        /// The destination.
        dst: String,
    },
}

impl PacketReport {
    /// A packet with everything told, as a walk hands it back.
    pub fn new(packet: &Packet) -> Self {
        let name = |name: Option<InterfaceName>| name.map(|name| name.to_string());
        PacketReport {
            id: None,
            in_iface: name(packet.in_interface),
            src: packet.src.to_string(),
            dst: packet.dst.to_string(),
            proto: Some(Text::String(protocol_name(packet.protocol))),
            sport: packet.sport,
            dport: packet.dport,
            flags: (packet.protocol == Protocol::TCP).then(|| packet.tcp_flags.to_string()),
            icmp_type: packet.icmp_type,
            icmp_code: packet.icmp_code,
            icmp_id: packet.icmp_id,
            mark: Some(packet.mark),
            state: Some(state_name(packet.state).to_owned()),
            ttl: Some(packet.ttl),
            tos: Some(packet.tos),
            length: packet.length,
            frag_off: Some(packet.fragment_offset),
            mf: Some(packet.more_fragments),
            uid: packet.uid,
            gid: packet.gid,
            mac: packet.mac.map(|mac| mac.to_string()),
            physdev_in: name(packet.physdev_in),
            physdev_out: name(packet.physdev_out),
            connmark: Some(packet.connmark),
            at: packet.at,
        }
    }

    /// The packet it describes.
    pub fn to_packet(&self) -> Result<Packet, BadPacket> {
        let address = |field, text: &str| match text {
            "" => Err(BadPacket::Missing { field }),
            _ => parsed::<IpAddr>(field, text, "an IPv4 or IPv6 address"),
        };
        let interface = |field, text: &Option<String>| {
            text.as_deref()
                .map(|text| parsed::<InterfaceName>(field, text, "an interface name of 1 to 15 bytes"))
                .transpose()
        };
        let mut packet = Packet::new(address("src", &self.src)?, address("dst", &self.dst)?);
        if packet.family().is_none() {
            return Err(BadPacket::TwoFamilies { src: self.src.clone(), dst: self.dst.clone() });
        }
        packet.in_interface = interface("in", &self.in_iface)?;
        packet.physdev_in = interface("physdev_in", &self.physdev_in)?;
        packet.physdev_out = interface("physdev_out", &self.physdev_out)?;
        if let Some(proto) = &self.proto {
            packet.protocol = parsed("proto", &proto.to_string(), "a protocol by name or number")?;
        }
        if let Some(flags) = &self.flags {
            packet.tcp_flags = parsed::<TcpFlags>("flags", flags, "TCP flags such as SYN,ACK")?;
        }
        if let Some(state) = &self.state {
            packet.state = match state.as_str() {
                "new" => PacketState::New,
                "invalid" => PacketState::Invalid,
                "untracked" => PacketState::Untracked,
                "second" => PacketState::Second,
                "established" => PacketState::Established,
                "reply" => PacketState::Reply,
                "related" => PacketState::Related,
                _ => {
                    let expected = "new, second, established, reply, related, invalid or untracked";
                    return Err(BadPacket::Value { field: "state", value: state.clone(), expected });
                }
            };
        }
        if let Some(mac) = &self.mac {
            packet.mac = Some(read_mac(mac).ok_or_else(|| BadPacket::Value {
                field: "mac",
                value: mac.clone(),
                expected: "a MAC address such as 02:00:5e:00:53:01",
            })?);
        }
        packet.sport = self.sport;
        packet.dport = self.dport;
        packet.icmp_type = self.icmp_type;
        packet.icmp_code = self.icmp_code;
        packet.icmp_id = self.icmp_id;
        packet.at = self.at;
        packet.mark = self.mark.unwrap_or(packet.mark);
        packet.ttl = self.ttl.unwrap_or(packet.ttl);
        packet.tos = self.tos.unwrap_or(packet.tos);
        packet.length = self.length;
        packet.fragment_offset = self.frag_off.unwrap_or(packet.fragment_offset);
        packet.more_fragments = self.mf.unwrap_or(packet.more_fragments);
        packet.uid = self.uid;
        packet.gid = self.gid;
        packet.connmark = self.connmark.unwrap_or(packet.connmark);
        Ok(packet)
    }
}

fn parsed<T: std::str::FromStr>(
    field: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<T, BadPacket> {
    text.parse().map_err(|_| BadPacket::Value { field, value: text.to_owned(), expected })
}

/// `02:00:5e:00:53:01`
fn read_mac(text: &str) -> Option<MacAddress> {
    let mut bytes = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let part =
            parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddress(bytes))
}

/// The word of the command line, where it is not the one that iptables prints.
fn protocol_name(protocol: Protocol) -> String {
    if protocol == Protocol::ICMPV6 { "icmpv6".to_owned() } else { protocol.to_string() }
}

const fn state_name(state: PacketState) -> &'static str {
    match state {
        PacketState::New => "new",
        PacketState::Second => "second",
        PacketState::Established => "established",
        PacketState::Reply => "reply",
        PacketState::Related => "related",
        PacketState::Invalid => "invalid",
        PacketState::Untracked => "untracked",
    }
}
