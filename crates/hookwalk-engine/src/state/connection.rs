use std::net::IpAddr;

use hookwalk_parser::types::{PortRange, Protocol};

use crate::host::ConnectionTuple;
use crate::packet::InterfaceName;

/// A connection of the walk: its first packet as it came, and where that came out, which is what its
/// mapping leads to and where answers come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Connection {
    pub(crate) protocol: Protocol,
    pub(crate) original: ConnectionTuple,
    pub(crate) src: IpAddr,
    pub(crate) sport: Option<u16>,
    pub(crate) sport_range: Option<PortRange>,
    pub(crate) src_unknown: bool,
    pub(crate) dst: IpAddr,
    pub(crate) dport: Option<u16>,
    pub(crate) dport_range: Option<PortRange>,
    /// The zone that its first packet was tracked in.
    pub(crate) zone: u16,
    /// The interface that its first packet left by, where MASQUERADE chose the source.
    pub(crate) masqueraded_by: Option<InterfaceName>,
    /// The entry of the connection tracking table that it is.
    pub(crate) entry: Option<usize>,
}

impl Connection {
    /// The addresses and ports of its answers.
    pub(crate) const fn reply(&self) -> ConnectionTuple {
        ConnectionTuple { src: self.dst, sport: self.dport, dst: self.src, dport: self.sport }
    }
}
