//! Connections: told by the kernel when it confirms one, and deleted again.
//!
//! Numbers are those of `linux/netfilter/nfnetlink_conntrack.h`.

use std::io;
use std::net::IpAddr;

use super::netlink::{ACK, Request, Socket, attribute, number};

/// A new connection's message: `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`.
pub(super) const NEW: u16 = 0x0100;
/// `IPCTNL_MSG_CT_DELETE` of the same subsystem.
const DELETE: u16 = 0x0102;
/// `NFNLGRP_CONNTRACK_NEW`, as a mask.
pub(super) const GROUPS: u32 = 1;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const STATUS: u16 = 3;
const ZONE: u16 = 18;
/// `IPS_SRC_NAT`, `IPS_DST_NAT`.
const SOURCE_NAT: u64 = 1 << 4;
const DESTINATION_NAT: u64 = 1 << 5;

/// One direction of a connection. For ICMP and ICMPv6 `sport` is the identifier and `dport` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol number.
    pub proto: u8,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

/// A connection as the kernel confirmed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connection {
    /// As its first packet came.
    pub original: Tuple,
    /// As its answers come.
    pub reply: Tuple,
    /// Its destination is rewritten.
    pub dnat: bool,
    /// Its source is rewritten.
    pub snat: bool,
}

/// What is needed to delete a connection: attributes as they were read.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    family: u8,
    original: Vec<u8>,
    zone: Option<Vec<u8>>,
}

/// A [`NEW`] message's connection.
pub(super) fn read(family: u8, body: &[u8]) -> Option<(Connection, Handle)> {
    let original = attribute(body, ORIGINAL)?;
    let status = attribute(body, STATUS).map_or(0, number);
    let connection = Connection {
        original: tuple(original)?,
        reply: tuple(attribute(body, REPLY)?)?,
        dnat: status & DESTINATION_NAT != 0,
        snat: status & SOURCE_NAT != 0,
    };
    let zone = attribute(body, ZONE).map(<[u8]>::to_vec);
    Some((connection, Handle { family, original: original.to_vec(), zone }))
}

/// A `CTA_TUPLE_*` attribute's content.
fn tuple(nested: &[u8]) -> Option<Tuple> {
    let (ip, proto) = (attribute(nested, 1)?, attribute(nested, 2)?);
    // `CTA_IP_V4_SRC` and the next, `CTA_IP_V6_SRC` and the next.
    let address = |kind| {
        let v4 = || attribute(ip, kind)?.first_chunk::<4>().copied().map(IpAddr::from);
        let v6 = || attribute(ip, kind + 2)?.first_chunk::<16>().copied().map(IpAddr::from);
        v4().or_else(v6)
    };
    let port = |kind| attribute(proto, kind).map(number).and_then(|port| u16::try_from(port).ok());
    Some(Tuple {
        src: address(1)?,
        dst: address(2)?,
        proto: attribute(proto, 1)?.first().copied()?,
        sport: port(2).or_else(|| port(4)).or_else(|| port(7)).unwrap_or(0),
        dport: port(3).unwrap_or(0),
    })
}

/// Deletes one connection; that it is gone already is no error.
pub(super) fn delete(socket: &mut Socket, handle: &Handle) -> io::Result<()> {
    let mut request = Request::new(DELETE, ACK, handle.family, 0).with_nested(ORIGINAL, &handle.original);
    if let Some(zone) = &handle.zone {
        request = request.with(ZONE, zone);
    }
    match socket.ask(request, |_| ()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Deletes all connections.
pub(super) fn delete_all(socket: &mut Socket) -> io::Result<()> {
    socket.ask(Request::new(DELETE, ACK, 0, 0), |_| ())
}
