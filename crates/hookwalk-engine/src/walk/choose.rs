//! Addresses of a range, of which the kernel picks one by a hash.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::Rule;
use hookwalk_parser::types::AddressRange;

use super::way::{End, PathKind, Turn, Way};
use crate::extensions::{self, Effect};
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
        let mut ways = Vec::with_capacity(addresses.len());
        for (address, share) in addresses {
            let mut state = *before;
            let effect =
                extensions::apply(&rule.target, &mut state, &self.view(before, place), Some(address));
            if let Effect::Ask(question) = effect {
                return self.ask(question, Some(place.rule));
            }
            state.by_hash = true;
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
