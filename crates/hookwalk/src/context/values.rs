//! The values that the formats share.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_engine::{InterfaceName, RouteTableId};
use hookwalk_parser::types::Family;

pub(super) const ADDRESS: &str = "an address such as 10.0.0.1";
pub(super) const PREFIX: &str = "an address or prefix such as 10.0.0.0/8";
pub(super) const INTERFACE: &str = "an interface name of at most 15 bytes";

/// How many bits an address has.
pub(super) fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `10.0.0.1`, or `10.0.0.0/8`.
pub(super) fn prefix(text: &str) -> Option<(IpAddr, u8)> {
    let Some((address, len)) = text.split_once('/') else {
        let address: IpAddr = text.parse().ok()?;
        return Some((address, bits(address)));
    };
    let address: IpAddr = address.parse().ok()?;
    let len = number(len).and_then(|len| u8::try_from(len).ok())?;
    (len <= bits(address)).then_some((address, len))
}

/// A decimal number, or a hexadecimal one behind `0x`.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
        None if !text.starts_with('+') => text.parse().ok(),
        _ => None,
    }
}

/// A name, without the `@` and what an interface is linked to behind it.
pub(super) fn interface(text: &str) -> Option<InterfaceName> {
    InterfaceName::new(text.split('@').next()?.as_bytes())
}

/// The family that a word names, as `via inet6` has it.
pub(super) fn family(text: &str) -> Option<Family> {
    match text {
        "inet" => Some(Family::V4),
        "inet6" => Some(Family::V6),
        _ => None,
    }
}

/// The address of all zeros.
pub(super) fn zero(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The number of a routing table by its name.
///
/// `local`, `main`, `default` and `unspec` have the kernel's numbers, and a number is itself. Any
/// other name stands in `/etc/iproute2/rt_tables` of the node, which is not among the context; it
/// becomes 2^31 or more, made from the name alone, so that `ip route` and `ip rule` of one node
/// agree and neither needs the other.
///
/// ```
/// use hookwalk::context::route_table;
/// assert_eq!(route_table("main").0, 254);
/// assert_eq!(route_table("51820").0, 51820);
/// assert_eq!(route_table("uplink"), route_table("uplink"));
/// assert!(route_table("uplink").0 >= 1 << 31);
/// ```
pub fn route_table(name: &str) -> RouteTableId {
    match name {
        "local" => RouteTableId::LOCAL,
        "main" => RouteTableId::MAIN,
        "default" => RouteTableId::DEFAULT,
        "unspec" => RouteTableId(0),
        _ => RouteTableId(number(name).unwrap_or_else(|| hash(name) | 1 << 31)),
    }
}

/// FNV-1a: the same on every machine and in every version.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_refused() {
        assert_eq!(prefix("10.0.0.0/8"), Some(("10.0.0.0".parse().unwrap(), 8)));
        assert_eq!(prefix("fd00::1"), Some(("fd00::1".parse().unwrap(), 128)));
        for bad in
            ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "x/8", "::/129", "10.0.0.0/+8", "10.0.0.0/8/8"]
        {
            assert_eq!(prefix(bad), None, "{bad}");
        }
        assert_eq!(
            (number("0xff"), number("7"), number("+7"), number("0x+7")),
            (Some(255), Some(7), None, None)
        );
        assert_eq!(interface("eth0@if5"), InterfaceName::new(b"eth0"));
        assert_eq!(interface("@if5"), None);
    }

    #[test]
    fn names_of_tables_keep_apart() {
        let names = ["uplink", "vpn", "FREIFUNK", "KABEL", "DSL", "mgmt", "-1", "4294967296"];
        let mut numbers: Vec<_> = names.iter().map(|name| route_table(name)).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), names.len());
        assert!(numbers.iter().all(|table| table.0 >= 1 << 31));
    }
}
