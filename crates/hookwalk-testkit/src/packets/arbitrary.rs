//! Packets of `arbitrary` 1, for fuzzers.

use std::net::IpAddr;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{PacketSpec, flag, icmp, proto};
use crate::topology::Topology;

/// A packet of any addresses and fields, of one family, at the default node.
impl<'a> Arbitrary<'a> for PacketSpec {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let names = Topology::default().interfaces.into_iter().map(|interface| interface.name);
        let names: Vec<String> = names.collect();
        let in_iface = bytes.arbitrary::<bool>()?.then(|| bytes.choose(&names).cloned()).transpose()?;
        let (src, dst): (IpAddr, IpAddr) = if bytes.arbitrary()? {
            (IpAddr::V6(bytes.arbitrary()?), IpAddr::V6(bytes.arbitrary()?))
        } else {
            (IpAddr::V4(bytes.arbitrary()?), IpAddr::V4(bytes.arbitrary()?))
        };
        let (ping, icmp) = if src.is_ipv4() {
            (icmp::ECHO_REQUEST, proto::ICMP)
        } else {
            (icmp::ECHO_REQUEST_V6, proto::ICMPV6)
        };
        Ok(Self {
            in_iface,
            src,
            dst,
            proto: *bytes.choose(&[proto::TCP, proto::UDP, icmp, proto::SCTP, proto::GRE])?,
            sport: bytes.arbitrary()?,
            dport: bytes.arbitrary()?,
            flags: bytes.int_in_range(0..=flag::NAMES.iter().fold(0, |all, (bit, _)| all | bit))?,
            icmp_type: ping,
            ttl: bytes.int_in_range(1..=u8::MAX)?,
            tos: bytes.arbitrary()?,
            ..Self::default()
        })
    }
}
