use std::net::IpAddr;

use hookwalk_engine::SetEntry;
use hookwalk_parser::types::Family;
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use crate::context::values::{PREFIX, prefix};

/// One member with its options, `10.0.0.0/8 timeout 0 comment "all of it"`, as networks: several for a
/// range. On failure the word that is wrong and what was expected.
pub(super) fn read(
    member: &str,
    family: Family,
    netmask: Option<u8>,
) -> Result<impl Iterator<Item = SetEntry>, (&str, &'static str)> {
    let (element, options) = member.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((member, ""));
    let (first, last) = bounds(element).ok_or((element, PREFIX))?;
    if Family::of(first) != family || Family::of(last) != family {
        return Err((element, "an address of the set's family"));
    }
    let (first, last) = match netmask {
        Some(len) => {
            let block = |address| {
                IpNet::new(address, len).map_err(|_| (element, "an address with the set's netmask"))
            };
            (block(first)?.network(), block(last)?.broadcast())
        }
        None => (first, last),
    };
    let networks = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => IpSubnets::V4(Ipv4Subnets::new(first, last, 0)),
        (IpAddr::V6(first), IpAddr::V6(last)) => IpSubnets::V6(Ipv6Subnets::new(first, last, 0)),
        _ => return Err((element, "a range of one family")),
    };
    let nomatch = has_word(options, "nomatch");
    Ok(networks
        .filter_map(|network| SetEntry::new(network.addr(), network.prefix_len()))
        .map(move |entry| if nomatch { entry.nomatch() } else { entry }))
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

/// Whether a word stands outside the quotes of a comment.
fn has_word(options: &str, word: &str) -> bool {
    options.split('"').step_by(2).any(|outside| outside.split_ascii_whitespace().any(|known| known == word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(member: &str, netmask: Option<u8>) -> Vec<String> {
        let family = if member.contains(':') { Family::V6 } else { Family::V4 };
        read(member, family, netmask).map_or_else(
            |(word, expected)| vec![format!("{word} is not {expected}")],
            |entries| entries.map(|entry| format!("{entry:?}")).collect(),
        )
    }

    #[test]
    fn ranges_become_networks() {
        assert_eq!(shown("10.0.0.1-10.0.0.9", None).len(), 4);
        assert_eq!(shown("0.0.0.0-255.255.255.255", None), shown("0.0.0.0/0", None));
        assert_eq!(shown("fd00::-fd00::ffff", None), shown("fd00::/112", None));
        assert_eq!(shown("10.4.5.6", Some(24)), shown("10.4.5.0/24", None));
        assert_eq!(shown("10.4.5.6-10.4.6.1", Some(24)).len(), 2);
        assert_eq!(
            shown("10.0.0.9-10.0.0.1", None),
            ["10.0.0.9-10.0.0.1 is not an address or prefix such as 10.0.0.0/8"]
        );
    }

    #[test]
    fn comments_are_no_options() {
        assert_eq!(shown("10.0.0.1 comment \"a nomatch b\"", None), shown("10.0.0.1", None));
        assert_ne!(shown("10.0.0.1 nomatch comment \"a\"", None), shown("10.0.0.1", None));
    }
}
