//! The source address that IPv6 chooses for a destination (RFC 6724, section 5).

use std::net::{IpAddr, Ipv6Addr};

use super::InterfaceAddress;
use crate::packet::InterfaceName;

/// The address of this node that packets to `dst` leave from by `out`, or before their way is chosen (kernel: `net/ipv6/addrconf.c`,
/// `ipv6_dev_get_saddr`): the destination itself, then the smallest scope that reaches it, then an address of the
/// out interface, then one of the same label, then the longest common prefix; of equals the first.
pub(crate) fn source6(
    all: &[InterfaceAddress],
    out: Option<InterfaceName>,
    dst: Ipv6Addr,
) -> Option<Ipv6Addr> {
    let reach = scope(dst);
    // To a link or a group only addresses of that link are candidates.
    let of_link = reach <= LINK || dst.is_multicast();
    let mut best: Option<(Score, Ipv6Addr)> = None;
    for own in all.iter().filter(|own| !of_link || out.is_some_and(|out| own.interface == out)) {
        let IpAddr::V6(address) = own.address() else { continue };
        let its = scope(address);
        let score = Score {
            is_destination: address == dst,
            scope: if its >= reach { -i32::from(its) } else { i32::from(its) - 128 },
            is_of_out: out.is_some_and(|out| own.interface == out),
            same_label: label(address) == label(dst),
            common: common_bits(address, dst).min(u32::from(own.prefix_len())),
        };
        if best.is_none_or(|(before, _)| score > before) {
            best = Some((score, address));
        }
    }
    best.map(|(_, address)| address)
}

/// In the order in which the rules of RFC 6724 decide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    is_destination: bool,
    scope: i32,
    is_of_out: bool,
    same_label: bool,
    common: u32,
}

/// Link-local, of the scopes of RFC 4291.
const LINK: u8 = 2;

/// How far an address reaches (RFC 4291, section 2.7); unique local ones count as global.
fn scope(address: Ipv6Addr) -> u8 {
    let [first, second, ..] = address.octets();
    match (first, second >> 6) {
        (0xff, _) => second & 0xf,
        (0xfe, 2) => LINK,
        (0xfe, 3) => 5,
        _ if address.is_loopback() => LINK,
        _ => 14,
    }
}

/// The labels of the kernel's default table (`net/ipv6/addrlabel.c`), the longest prefix first.
fn label(address: Ipv6Addr) -> u8 {
    let [first, second, ..] = address.segments();
    match (first, second) {
        _ if address.is_loopback() => 0,
        _ if address.to_ipv4_mapped().is_some() => 4,
        _ if address.to_bits() >> 32 == 0 => 3,
        (0x2001, 0) => 6,
        (0x2001, 0x10..=0x1f) => 7,
        (0x2002, _) => 2,
        (0x3ffe, _) => 12,
        (0xfec0..=0xfeff, _) => 11,
        (0xfc00..=0xfdff, _) => 5,
        _ => 1,
    }
}

fn common_bits(one: Ipv6Addr, other: Ipv6Addr) -> u32 {
    (one.to_bits() ^ other.to_bits()).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_in_their_order() {
        let own = |interface: &str, address: &str| {
            InterfaceAddress::new(interface.parse().unwrap(), address.parse().unwrap(), 64).unwrap()
        };
        let all = [
            own("lo", "::1"),
            own("eth0", "2001:db8::1"),
            own("eth0", "fd00::1"),
            own("eth0", "fe80::1"),
            own("cni0", "fd00:2::1"),
        ];
        for (dst, expected) in [
            ("2001:db8:9::9", "2001:db8::1"),
            ("fd00:3::9", "fd00::1"),
            ("fd00:2::9", "fd00::1"),
            ("fd00:2::1", "fd00:2::1"),
            ("fe80::9", "fe80::1"),
            ("2002::1", "2001:db8::1"),
        ] {
            let chosen = source6(&all, Some("eth0".parse().unwrap()), dst.parse().unwrap());
            assert_eq!(chosen.unwrap().to_string(), expected, "to {dst}");
        }
    }
}
