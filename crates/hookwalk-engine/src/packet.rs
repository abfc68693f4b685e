use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::types::{Family, MacAddress, Protocol, TcpFlags};

/// The name of an interface, at most 15 bytes, as the kernel keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceName {
    bytes: [u8; InterfaceName::MAX],
    len: Length,
}

/// How long a name is: a type with room for what is no name, so that it takes no more memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[rustfmt::skip]
enum Length { L1 = 1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11, L12, L13, L14, L15 }

impl Length {
    #[rustfmt::skip]
    const ALL: [Length; InterfaceName::MAX] = {
        use Length::{L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11, L12, L13, L14, L15};
        [L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11, L12, L13, L14, L15]
    };
}

impl InterfaceName {
    /// The longest name (`linux/if.h`, `IFNAMSIZ` - 1).
    pub const MAX: usize = 15;

    /// The loopback interface.
    pub const LOOPBACK: InterfaceName = {
        let mut bytes = [0; Self::MAX];
        [bytes[0], bytes[1]] = *b"lo";
        InterfaceName { bytes, len: Length::L2 }
    };

    /// A name; none when it is empty or too long.
    pub fn new(name: &[u8]) -> Option<Self> {
        let len = *Length::ALL.get(name.len().checked_sub(1)?)?;
        let mut bytes = [0; Self::MAX];
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = *from;
        }
        Some(InterfaceName { bytes, len })
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len as usize).unwrap_or_default()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InterfaceName({self})")
    }
}

impl std::str::FromStr for InterfaceName {
    type Err = BadInterfaceName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        InterfaceName::new(name.as_bytes()).ok_or_else(|| BadInterfaceName { name: name.to_owned() })
    }
}

/// The text is no name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no interface name: expected 1 to 15 bytes")]
pub struct BadInterfaceName {
    /// What was given.
    pub name: String,
}

/// What conntrack makes of the packet when it comes. For the later packets of a connection the
/// [`Packet`] is the first one: each of its outcomes has its own later packet, and where it did not get
/// through, its own walk is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PacketState {
    /// The first packet of its connection.
    #[default]
    New,
    /// The first packet again, before any answer to it.
    Second,
    /// The first packet's sender again, after an answer: a SYN is then an ACK.
    Established,
    /// The answer to the first packet as it comes back: a SYN is then a SYN,ACK.
    Reply,
    /// An ICMP error about the first packet, from where an answer would come.
    Related,
    /// Belongs to no connection and may start none.
    Invalid,
    /// Not tracked.
    Untracked,
}

/// A packet as it arrives at the node or leaves a local process. `None` is unknown, not zero.
///
/// ```
/// use hookwalk_engine::Packet;
/// use hookwalk_parser::types::Protocol;
/// let query = Packet::new("192.168.200.156".parse().unwrap(), "10.96.0.10".parse().unwrap())
///     .arriving_by("cali2f3bd2e14cc".parse().unwrap())
///     .protocol(Protocol::UDP)
///     .destination_port(53);
/// assert_eq!(query.sport, None);
/// assert_eq!(query.ttl, 64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// The interface it arrives by; none when a local process sends it.
    pub in_interface: Option<InterfaceName>,
    /// It arrives, also where no interface is named: by one that is not known.
    pub arrives: bool,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol; in IPv6 that of the upper layer.
    pub protocol: Protocol,
    /// Source port.
    pub sport: Option<u16>,
    /// Destination port.
    pub dport: Option<u16>,
    /// TCP flags.
    pub tcp_flags: TcpFlags,
    /// ICMP or ICMPv6 type.
    pub icmp_type: Option<u8>,
    /// ICMP or ICMPv6 code.
    pub icmp_code: Option<u8>,
    /// The identifier of an ICMP request or its answer.
    pub icmp_id: Option<u16>,
    /// The mark it comes with.
    pub mark: u32,
    /// What conntrack makes of it.
    pub state: PacketState,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Length in bytes from the IP header on.
    pub length: Option<u16>,
    /// Fragment offset in units of 8 bytes.
    pub fragment_offset: u16,
    /// Whether more fragments follow.
    pub more_fragments: bool,
    /// User id of the sending socket.
    pub uid: Option<u32>,
    /// Group id of the sending socket.
    pub gid: Option<u32>,
    /// The Ethernet address it comes from.
    pub mac: Option<MacAddress>,
    /// The bridge port it came in by.
    pub physdev_in: Option<InterfaceName>,
    /// The bridge port it leaves by.
    pub physdev_out: Option<InterfaceName>,
    /// The mark of its connection.
    pub connmark: u32,
    /// When it comes, in seconds: of Unix time, or of any other clock that a session runs by. Times before
    /// 2001 (10^9) are taken for the latter, which tells no date.
    pub at: Option<u64>,
}

impl Packet {
    /// The first packet of a TCP connection, sent by a local process: SYN, TTL 64, no marks.
    pub fn new(src: IpAddr, dst: IpAddr) -> Self {
        Packet {
            in_interface: None,
            arrives: false,
            src,
            dst,
            protocol: Protocol::TCP,
            sport: None,
            dport: None,
            tcp_flags: TcpFlags::SYN,
            icmp_type: None,
            icmp_code: None,
            icmp_id: None,
            mark: 0,
            state: PacketState::New,
            ttl: 64,
            tos: 0,
            length: None,
            fragment_offset: 0,
            more_fragments: false,
            uid: None,
            gid: None,
            mac: None,
            physdev_in: None,
            physdev_out: None,
            connmark: 0,
            at: None,
        }
    }

    /// Arrives by an interface that is not known: rules that ask for it split the walk.
    #[must_use]
    pub fn arriving(mut self) -> Self {
        self.arrives = true;
        self
    }

    /// Arrives by an interface.
    #[must_use]
    pub fn arriving_by(mut self, interface: InterfaceName) -> Self {
        self.in_interface = Some(interface);
        self
    }

    /// Of another protocol than TCP.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// From a port.
    #[must_use]
    pub fn source_port(mut self, port: u16) -> Self {
        self.sport = Some(port);
        self
    }

    /// To a port.
    #[must_use]
    pub fn destination_port(mut self, port: u16) -> Self {
        self.dport = Some(port);
        self
    }

    /// The family of its addresses; none when they are of two.
    pub fn family(&self) -> Option<Family> {
        let family = Family::of(self.src);
        (family == Family::of(self.dst)).then_some(family)
    }
}
