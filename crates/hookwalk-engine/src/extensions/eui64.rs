use std::net::IpAddr;

use crate::packet::InterfaceName;
use crate::question::Question;
use crate::state::{Answer, View};

/// The lower half of the source is the Ethernet address with `ff:fe` in its middle and the bit turned that
/// says it is local (kernel: `net/ipv6/netfilter/ip6t_eui64.c`; RFC 4291, appendix A).
pub(super) fn test(view: &View<'_>) -> Answer {
    let IpAddr::V6(src) = view.state.src else { return Answer::No };
    if view.is_sent_here() || view.in_interface() == Some(InterfaceName::LOOPBACK) {
        return Answer::No;
    }
    let Some(mac) = view.packet.mac else {
        let text = format!("the lower half of {src} is made from the source MAC address");
        return view.ask(Question::Opaque { text, seen: 0 });
    };
    let octets = mac.0.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let (upper, lower) = (octets >> 24, octets & 0xff_ffff);
    let made = (upper << 40 | 0xff_fe00_0000 | lower) ^ 2 << 56;
    Answer::from(u128::from(made) == src.to_bits() & u128::from(u64::MAX))
}
