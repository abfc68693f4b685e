//! Addresses of a range, of which the kernel picks one by a hash.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::Rule;
use hookwalk_parser::extensions::Target;
use hookwalk_parser::types::AddressRange;

use super::path::PathKind;
use super::way::{End, Turn, Way};
use crate::extensions::{self, Effect, jhash};
use crate::outcome::Place;
use crate::state::{Decider, InChain, State};

/// More outcomes than this are no use to anybody.
const MOST_ADDRESSES: u64 = 1024;

impl Way<'_> {
    /// One way for each address of a range (kernel: `net/netfilter/nf_nat_core.c`,
    /// `find_best_ips_proto`): a hash of 32 bits is mapped on the range by multiplication.
    pub(super) fn choose(
        &mut self,
        before: &State,
        place: InChain,
        rule: &Rule,
        range: AddressRange,
    ) -> Turn {
        let decider = Decider::Rule(place.rule);
        let Some(addresses) = addresses(range) else {
            let reason = format!("a hash picks one of more than {MOST_ADDRESSES} addresses, {range}");
            let end = End::unknown(Place::Hook(place.hook), reason);
            return Turn::End(End { decided_by: Some(decider), ..end });
        };
        let kept =
            kept(before, rule, range).and_then(|own| addresses.iter().position(|(one, _)| *one == own));
        let picked = kept.or_else(|| picked(before, rule, range, addresses.len()));
        let mut ways = Vec::with_capacity(addresses.len());
        for (number, (address, share)) in addresses.into_iter().enumerate() {
            // One host hashes one packet to one address, and a session has one host.
            let is_certain = self.past.in_session && picked.is_some() || kept.is_some();
            if is_certain && picked != Some(number) {
                continue;
            }
            let share = if is_certain { 1 << 32 } else { share };
            let mut state = *before;
            let effect =
                extensions::apply(&rule.target, &mut state, &self.view(before, place), Some(address));
            if let Effect::Ask(question) = effect {
                return self.ask(question, Some(place.rule));
            }
            state.by_hash = true;
            state.picked = picked.map(|picked| picked == number);
            self.note(&mut state, PathKind::Rule(place.rule));
            if let Err(turn) = self.accepted(&mut state, place, decider) {
                return turn;
            }
            ways.push((share, state));
        }
        for granted in rule.matches.iter().filter_map(extensions::granted) {
            self.granted.insert(granted);
        }
        Turn::Choose(ways)
    }
}

/// The source, where SNAT leaves it as it is because it is in the range already
/// (kernel: `net/netfilter/nf_nat_core.c`, `get_unique_tuple`).
fn kept(state: &State, rule: &Rule, range: AddressRange) -> Option<IpAddr> {
    let Target::Snat(t) = &rule.target else { return None };
    let port_fits = t.to.ports.is_none_or(|ports| state.sport.is_some_and(|port| ports.contains(port)));
    let is_inside = range.contains(state.src);
    (is_inside && port_fits && !state.src_unknown && !t.random && !t.random_fully).then_some(state.src)
}

/// Which address of how many the hash picks. It is seeded with nothing but the packet and the zone, and reads
/// words as a little-endian machine has them, which x86 and ARM are.
fn picked(state: &State, rule: &Rule, range: AddressRange, count: usize) -> Option<usize> {
    // DNAT writes over the words of the destination one by one, and then reads them.
    let (persistent, met) = match &rule.target {
        Target::Dnat(t) => (t.persistent, range.first),
        Target::Snat(t) => (t.persistent, state.dst),
        _ => return None,
    };
    if state.src_unknown {
        return None;
    }
    let words = |address: IpAddr| match address {
        IpAddr::V4(v4) => [u32::from_le_bytes(v4.octets()), 0, 0, 0],
        IpAddr::V6(v6) => jhash::little_endian(v6),
    };
    let (before, last) = match (words(met), words(state.dst)) {
        ([one, two, three, _], [.., last]) if state.dst.is_ipv6() => (one ^ two ^ three, last),
        (_, [only, ..]) => (0, only),
    };
    let seed = if persistent { 0 } else { last ^ u32::from(state.zone) };
    // On the way to the last word of an IPv6 address the ones before it come in.
    let hash = jhash::words(&words(state.src), seed) ^ if persistent { 0 } else { before };
    usize::try_from((u64::from(hash) * u64::try_from(count).ok()?) >> 32).ok()
}

/// The addresses of a range with their shares of 2^32; none when they are too many.
fn addresses(range: AddressRange) -> Option<Vec<(IpAddr, u64)>> {
    let (first, last) = match (range.first, range.last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (u128::from(first.to_bits()), u128::from(last.to_bits())),
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            // Above the last 32 bits the kernel treats each word by itself, and unevenly.
            if first.to_bits() >> 32 != last.to_bits() >> 32 {
                return None;
            }
            (first.to_bits(), last.to_bits())
        }
        _ => return None,
    };
    let count = u64::try_from(last.checked_sub(first)?).ok()?.checked_add(1)?;
    if count > MOST_ADDRESSES {
        return None;
    }
    // Hashes h with h * count / 2^32 = i, rounded down, go to number i.
    let begin = |number: u64| (number << 32).div_ceil(count);
    let of = |number: u64| {
        let bits = first + u128::from(number);
        match range.first {
            IpAddr::V4(_) => u32::try_from(bits).map_or(range.first, |bits| Ipv4Addr::from_bits(bits).into()),
            IpAddr::V6(_) => Ipv6Addr::from_bits(bits).into(),
        }
    };
    Some((0..count).map(|number| (of(number), begin(number + 1) - begin(number))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.18 on x86 made of 203.0.113.1 to 29 with `--to-destination 10.1.0.1-10.1.0.5`, of which
    /// this test has a few; the docs tell how it was asked.
    #[test]
    fn the_hash_is_the_kernels() {
        let word = |text: &str| u32::from_le_bytes(text.parse::<Ipv4Addr>().unwrap().octets());
        let pick = |src: &str, dst: &str, count: u64| {
            (u64::from(jhash::words(&[word(src), 0, 0, 0], word(dst))) * count) >> 32
        };
        for (src, dst, number) in PICKED {
            assert_eq!(pick(src, dst, 5), number, "{src} to {dst}");
        }
    }

    const PICKED: [(&str, &str, u64); 6] = [
        ("10.9.0.1", "203.0.113.1", 4),
        ("10.9.0.1", "203.0.113.2", 0),
        ("10.9.0.1", "203.0.113.3", 1),
        ("10.9.0.2", "203.0.113.1", 4),
        ("10.9.0.2", "203.0.113.2", 4),
        ("10.9.0.2", "203.0.113.29", 2),
    ];

    #[test]
    fn shares_are_the_whole() {
        for last in ["10.0.0.1", "10.0.0.3", "10.0.3.255"] {
            let range = AddressRange { first: "10.0.0.1".parse().unwrap(), last: last.parse().unwrap() };
            let all = addresses(range).unwrap();
            assert_eq!(all.iter().map(|(_, share)| share).sum::<u64>(), 1 << 32);
            assert_eq!(all.last().unwrap().0, range.last);
        }
        let three = AddressRange { first: "fd00::1".parse().unwrap(), last: "fd00::3".parse().unwrap() };
        let shares: Vec<u64> = addresses(three).unwrap().into_iter().map(|(_, share)| share).collect();
        assert_eq!(shares, [1_431_655_766, 1_431_655_765, 1_431_655_765]);
        let many = AddressRange { first: "10.0.0.0".parse().unwrap(), last: "10.1.0.0".parse().unwrap() };
        assert_eq!(addresses(many), None);
    }
}
