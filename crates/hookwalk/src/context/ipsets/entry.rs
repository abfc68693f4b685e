use std::net::IpAddr;

use hookwalk_engine::{InterfaceName, IpNetwork, SetDimension, SetMember, SetPart};
use hookwalk_parser::types::{Family, MacAddress, Protocol};
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use crate::context::values::{self, PREFIX, prefix};

/// Of ranges no more members than this are made.
const MOST_MEMBERS: usize = 1 << 18;

/// What a set's members have to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'s> {
    pub(super) dimensions: &'s [SetDimension],
    pub(super) family: Family,
    /// The set holds networks of this length.
    pub(super) netmask: Option<u8>,
}

/// One member with its options, `10.0.0.0/8,tcp:80 timeout 0 comment "all of it"`: several for a range. On
/// failure the word that is wrong and what was expected.
pub(super) fn read<'m>(member: &'m str, shape: Shape<'_>) -> Result<Vec<SetMember>, (&'m str, &'static str)> {
    let (element, options) = member.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((member, ""));
    let options = Options::read(options);
    let mut words = element.split(',');
    let mut all: Vec<Vec<SetPart>> = vec![Vec::new()];
    for dimension in shape.dimensions {
        let parts = match (words.next(), dimension) {
            (Some(word), _) => part(word, *dimension, shape, options.wildcard)?,
            // A bitmap:ip,mac holds addresses with any MAC too.
            (None, SetDimension::OptionalMac) => vec![SetPart::Mac(None)],
            (None, _) => return Err((element, "a part for each dimension of the set's type")),
        };
        if all.len().saturating_mul(parts.len()) > MOST_MEMBERS {
            return Err((element, "a range of bearable size"));
        }
        all = all
            .iter()
            .flat_map(|before| {
                parts.iter().map(move |part| {
                    let mut longer = before.clone();
                    longer.push(part.clone());
                    longer
                })
            })
            .collect();
    }
    if let Some(more) = words.next() {
        return Err((more, "a part of a set of this type"));
    }
    let with_options = |parts| {
        let mut member = SetMember::new(parts);
        (member.nomatch, member.timeout, member.mark) = (options.nomatch, options.timeout, options.mark);
        member
    };
    Ok(all.into_iter().map(with_options).collect())
}

fn part<'m>(
    word: &'m str,
    dimension: SetDimension,
    shape: Shape<'_>,
    wildcard: bool,
) -> Result<Vec<SetPart>, (&'m str, &'static str)> {
    match dimension {
        SetDimension::Address => Ok(networks(word, shape)?.map(SetPart::Network).collect()),
        SetDimension::Port => {
            let (protocol, first, last) = port(word).ok_or((word, "a port such as tcp:80"))?;
            Ok((first..=last).map(|port| SetPart::Port(protocol, port)).collect())
        }
        SetDimension::BarePort => {
            let (_, first, last) = port(word).ok_or((word, "a port such as 80"))?;
            Ok((first..=last).map(|port| SetPart::Port(Protocol(0), port)).collect())
        }
        SetDimension::Mac | SetDimension::OptionalMac => {
            let mac = mac(word).ok_or((word, "an Ethernet address such as 02:00:5e:00:53:01"))?;
            Ok(vec![SetPart::Mac(Some(mac))])
        }
        SetDimension::Mark { .. } => {
            Ok(vec![SetPart::Mark(values::number(word).ok_or((word, "a mark such as 0x1"))?)])
        }
        SetDimension::Interface => {
            // What rules look up is never a bridge's port.
            if word.starts_with("physdev:") {
                return Ok(Vec::new());
            }
            let name = InterfaceName::new(word.as_bytes()).ok_or((word, values::INTERFACE))?;
            Ok(vec![SetPart::Interface { name, wildcard }])
        }
    }
}

fn networks<'m>(
    word: &'m str,
    shape: Shape<'_>,
) -> Result<impl Iterator<Item = IpNetwork>, (&'m str, &'static str)> {
    let (first, last) = bounds(word).ok_or((word, PREFIX))?;
    if Family::of(first) != shape.family || Family::of(last) != shape.family {
        return Err((word, "an address of the set's family"));
    }
    let (first, last) = match shape.netmask {
        Some(len) => {
            let block =
                |address| IpNet::new(address, len).map_err(|_| (word, "an address with the set's netmask"));
            (block(first)?.network(), block(last)?.broadcast())
        }
        None => (first, last),
    };
    let networks = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => IpSubnets::V4(Ipv4Subnets::new(first, last, 0)),
        (IpAddr::V6(first), IpAddr::V6(last)) => IpSubnets::V6(Ipv6Subnets::new(first, last, 0)),
        _ => return Err((word, "a range of one family")),
    };
    Ok(networks.filter_map(|network| IpNetwork::new(network.addr(), network.prefix_len())))
}

/// The first and the last address of `10.0.0.1`, `10.0.0.0/8` or `10.0.0.1-10.0.0.9`.
fn bounds(element: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = element.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        return (first <= last).then_some((first, last));
    }
    let (address, len) = prefix(element)?;
    let network = IpNet::new(address, len).ok()?;
    Some((network.network(), network.broadcast()))
}

/// `tcp:80`, `80` (of TCP), `udp:53-99`, `icmp:echo-request`, `icmp:8/0`, `gre:0`.
fn port(word: &str) -> Option<(Protocol, u16, u16)> {
    let (protocol, port) = match word.split_once(':') {
        Some((protocol, port)) => (protocol.parse::<Protocol>().ok()?, port),
        None => (Protocol::TCP, word),
    };
    if matches!(protocol, Protocol::ICMP | Protocol::ICMPV6) {
        let number = icmp(protocol, port)?;
        return Some((protocol, number, number));
    }
    let (first, last) = port.split_once('-').unwrap_or((port, port));
    let number = |text: &str| values::number(text).and_then(|n| u16::try_from(n).ok());
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((protocol, first, last))
}

/// Type times 256 plus code.
fn icmp(protocol: Protocol, text: &str) -> Option<u16> {
    let (kind, code) = match (protocol, text) {
        (Protocol::ICMP, "echo-reply" | "pong") => (0, 0),
        (Protocol::ICMP, "echo-request" | "ping") => (8, 0),
        (Protocol::ICMP, "network-unreachable") => (3, 0),
        (Protocol::ICMP, "host-unreachable") => (3, 1),
        (Protocol::ICMP, "protocol-unreachable") => (3, 2),
        (Protocol::ICMP, "port-unreachable") => (3, 3),
        (Protocol::ICMP, "fragmentation-needed") => (3, 4),
        (Protocol::ICMP, "ttl-zero-during-transit" | "ttl-exceeded")
        | (Protocol::ICMPV6, "port-unreachable") => {
            if protocol == Protocol::ICMP {
                (11, 0)
            } else {
                (1, 4)
            }
        }
        (Protocol::ICMPV6, "no-route") => (1, 0),
        (Protocol::ICMPV6, "packet-too-big") => (2, 0),
        (Protocol::ICMPV6, "echo-request" | "ping") => (128, 0),
        (Protocol::ICMPV6, "echo-reply" | "pong") => (129, 0),
        (Protocol::ICMPV6, "router-solicitation") => (133, 0),
        (Protocol::ICMPV6, "router-advertisement") => (134, 0),
        (Protocol::ICMPV6, "neighbour-solicitation" | "neighbor-solicitation") => (135, 0),
        (Protocol::ICMPV6, "neighbour-advertisement" | "neighbor-advertisement") => (136, 0),
        _ => {
            let (kind, code) = text.split_once('/')?;
            (kind.parse::<u8>().ok()?, code.parse::<u8>().ok()?)
        }
    };
    Some(u16::from(kind) << 8 | u16::from(code))
}

fn mac(word: &str) -> Option<MacAddress> {
    let mut bytes = [0; 6];
    let mut parts = word.split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(parts.next().filter(|part| part.len() <= 2)?, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddress(bytes))
}

/// The options that decide what a member holds.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    nomatch: bool,
    wildcard: bool,
    timeout: Option<u64>,
    mark: Option<(u32, u32)>,
}

impl Options {
    fn read(options: &str) -> Self {
        let mut read = Options::default();
        // Words in the quotes of a comment are none.
        let mut words = options.split('"').step_by(2).flat_map(|outside| outside.split_ascii_whitespace());
        while let Some(word) = words.next() {
            match word {
                "nomatch" => read.nomatch = true,
                "wildcard" => read.wildcard = true,
                // 0 is without end.
                "timeout" => {
                    read.timeout = words.next().and_then(|left| left.parse().ok()).filter(|left| *left > 0);
                }
                "skbmark" => {
                    let both = words.next().map(|mark| mark.split_once('/').unwrap_or((mark, "0xffffffff")));
                    read.mark =
                        both.and_then(|(mark, mask)| Some((values::number(mark)?, values::number(mask)?)));
                }
                _ => {}
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &[SetDimension] = &[SetDimension::Address];

    fn shown(member: &str, dimensions: &[SetDimension], netmask: Option<u8>) -> Vec<String> {
        let family = if member.starts_with("fd00") { Family::V6 } else { Family::V4 };
        read(member, Shape { dimensions, family, netmask }).map_or_else(
            |(word, expected)| vec![format!("{word} is not {expected}")],
            |members| members.iter().map(|member| format!("{member:?}")).collect(),
        )
    }

    #[test]
    fn ranges_become_networks() {
        assert_eq!(shown("10.0.0.1-10.0.0.9", ADDRESS, None).len(), 4);
        assert_eq!(shown("0.0.0.0-255.255.255.255", ADDRESS, None), shown("0.0.0.0/0", ADDRESS, None));
        assert_eq!(shown("fd00::-fd00::ffff", ADDRESS, None), shown("fd00::/112", ADDRESS, None));
        assert_eq!(shown("10.4.5.6", ADDRESS, Some(24)), shown("10.4.5.0/24", ADDRESS, None));
        assert_eq!(shown("10.4.5.6-10.4.6.1", ADDRESS, Some(24)).len(), 2);
        assert_eq!(
            shown("10.0.0.9-10.0.0.1", ADDRESS, None),
            ["10.0.0.9-10.0.0.1 is not an address or prefix such as 10.0.0.0/8"]
        );
    }

    #[test]
    fn comments_are_no_options() {
        assert_eq!(
            shown("10.0.0.1 comment \"a nomatch b\"", ADDRESS, None),
            shown("10.0.0.1", ADDRESS, None)
        );
        assert_ne!(shown("10.0.0.1 nomatch comment \"a\"", ADDRESS, None), shown("10.0.0.1", ADDRESS, None));
    }

    #[test]
    fn parts_of_every_dimension() {
        use SetDimension::{Address, BarePort, Interface, Mark, OptionalMac, Port};
        assert_eq!(shown("10.0.0.1,tcp:80-82", &[Address, Port], None).len(), 3);
        assert_eq!(
            shown("10.0.0.1,80", &[Address, Port], None),
            shown("10.0.0.1,6:80", &[Address, Port], None)
        );
        assert_eq!(
            shown("10.0.0.1,icmp:echo-request", &[Address, Port], None),
            shown("10.0.0.1,icmp:8/0", &[Address, Port], None)
        );
        assert_eq!(shown("80-89", &[BarePort], None).len(), 10);
        assert_eq!(shown("10.0.0.0/8,eth wildcard", &[Address, Interface], None).len(), 1);
        assert_eq!(shown("10.0.0.0/8,physdev:eth0", &[Address, Interface], None).len(), 0);
        assert_eq!(shown("10.0.0.1,0x10", &[Address, Mark { mask: u32::MAX }], None).len(), 1);
        assert_eq!(shown("10.0.0.1", &[Address, OptionalMac], None).len(), 1);
        assert_eq!(
            shown("10.0.0.1", &[Address, Port], None),
            ["10.0.0.1 is not a part for each dimension of the set's type"]
        );
        assert_eq!(shown("10.0.0.1,http:x", &[Address, Port], None), ["http:x is not a port such as tcp:80"]);
    }
}
