use std::net::IpAddr;

use ipnet::IpNet;

/// Networks, each with a number, to be found by an address that they hold: the longest ones first, and of equal
/// ones the smallest number first. A look costs a search for each length that there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    /// Longest first.
    lengths: Vec<OfLength>,
}

/// The networks of one family and length, in order.
#[derive(Clone, Debug)]
struct OfLength {
    is_ipv6: bool,
    prefix_len: u8,
    networks: Vec<(u128, u32)>,
}

impl Prefixes {
    /// Networks with their numbers.
    pub(super) fn new(all: impl Iterator<Item = (IpNet, u32)>) -> Prefixes {
        let mut prefixes = Prefixes::default();
        for (net, number) in all {
            let (is_ipv6, prefix_len) = (matches!(net, IpNet::V6(_)), net.prefix_len());
            let entry = (bits(net.network()), number);
            let found = |of: &&mut OfLength| (of.is_ipv6, of.prefix_len) == (is_ipv6, prefix_len);
            match prefixes.lengths.iter_mut().find(found) {
                Some(of) => of.networks.push(entry),
                None => prefixes.lengths.push(OfLength { is_ipv6, prefix_len, networks: vec![entry] }),
            }
        }
        prefixes.lengths.sort_by_key(|of| std::cmp::Reverse(of.prefix_len));
        prefixes.lengths.iter_mut().for_each(|of| of.networks.sort_unstable());
        prefixes
    }

    /// Whether there is a network of the family of an address.
    pub(super) fn have_family(&self, like: IpAddr) -> bool {
        self.lengths.iter().any(|of| of.is_ipv6 == like.is_ipv6())
    }

    /// The numbers of the networks that hold an address.
    pub(super) fn holding(&self, address: IpAddr) -> impl Iterator<Item = u32> {
        let is_ipv6 = address.is_ipv6();
        self.lengths.iter().filter(move |of| of.is_ipv6 == is_ipv6).flat_map(move |of| of.holding(address))
    }
}

impl OfLength {
    fn holding(&self, address: IpAddr) -> impl Iterator<Item = u32> {
        let width = if self.is_ipv6 { 128 } else { 32 };
        let mask = u128::MAX.checked_shl(width - u32::from(self.prefix_len)).unwrap_or(0);
        let network = bits(address) & mask;
        let first = self.networks.partition_point(|(known, _)| *known < network);
        let equal = self.networks.get(first..).unwrap_or_default().iter();
        equal.take_while(move |(known, _)| *known == network).map(|(_, number)| *number)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_come_first_and_of_equal_ones_the_earlier() {
        let nets =
            ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8", "::/0", "10.1.2.3/32", "fd00::/8"];
        let prefixes = Prefixes::new(nets.into_iter().map(|net| net.parse().unwrap()).zip(0..));
        let holding = |address: &str| prefixes.holding(address.parse().unwrap()).collect::<Vec<_>>();
        assert_eq!(holding("10.1.2.3"), [5, 2, 1, 3, 0]);
        assert_eq!(holding("10.2.0.1"), [1, 3, 0]);
        assert_eq!(holding("192.0.2.1"), [0]);
        assert_eq!(holding("fd00::1"), [6, 4]);
        assert_eq!(holding("2001:db8::1"), [4]);
        assert!(prefixes.have_family("::1".parse().unwrap()));
        assert!(!Prefixes::default().have_family("::1".parse().unwrap()));
    }
}
