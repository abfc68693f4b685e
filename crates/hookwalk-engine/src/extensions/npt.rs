use std::net::{IpAddr, Ipv6Addr};

use hookwalk_parser::types::MaskedAddress;

use super::{Effect, reject};
use crate::state::{Checksum, State, Translated, View};

/// `SNPT` and `DNPT`: another prefix, and one word changed so that the checksum stays
/// (kernel: `net/ipv6/netfilter/ip6t_NPT.c`; RFC 6296, 3.1 to 3.5). No connection knows of it.
pub(super) fn apply(
    from: Option<MaskedAddress>,
    to: Option<MaskedAddress>,
    state: &mut State,
    side: Translated,
    view: &View<'_>,
) -> Effect {
    let (
        Some(MaskedAddress::V6 { address: from, mask: from_mask }),
        Some(MaskedAddress::V6 { address: to, mask }),
    ) = (from, to)
    else {
        return Effect::Unknown("a prefix translation without prefixes".to_owned());
    };
    let address = if side == Translated::SOURCE { &mut state.src } else { &mut state.dst };
    let IpAddr::V6(own) = *address else { return Effect::Continue };
    let length = from_mask.to_bits().leading_ones().max(mask.to_bits().leading_ones());
    match mapped(own, from, to, length) {
        Some(mapped) => {
            *address = mapped.into();
            state.rewrites += 1;
            if mapped != own {
                state.translated = state.translated.with(side);
            }
            // The other word makes up for the prefix that the rule names, which the kernel does not look for.
            if (own.to_bits() ^ from.to_bits()) & from_mask.to_bits() != 0
                && state.checksum == Checksum::Right
            {
                state.checksum = Checksum::Off;
            }
            Effect::Continue
        }
        // The kernel tells the sender that it has a problem with the header.
        None => match reject::is_told(view.state, view) {
            Ok(true) => Effect::Answered("no word of the address can take up what the other prefix changes"),
            Ok(false) => Effect::Drop,
            Err(question) => Effect::Ask(question),
        },
    }
}

/// None when no word of the address can take up the difference.
fn mapped(own: Ipv6Addr, from: Ipv6Addr, to: Ipv6Addr, length: u32) -> Option<Ipv6Addr> {
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let mut words = Ipv6Addr::from_bits(own.to_bits() & !mask | to.to_bits() & mask).segments();
    let at = if length <= 48 { 3 } else { (4..8).find(|at| words.get(*at).is_some_and(|w| *w != 0xffff))? };
    let adjustment = add(sum(from), !sum(to));
    let word = words.get_mut(at)?;
    *word = add(*word, adjustment);
    if *word == 0xffff {
        *word = 0;
    }
    Some(words.into())
}

fn sum(address: Ipv6Addr) -> u16 {
    address.segments().into_iter().fold(0, add)
}

/// One's complement addition.
const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_6296() {
        let map = |own: &str, from: &str, to: &str, length| {
            let parse = |text: &str| text.parse::<Ipv6Addr>().unwrap();
            mapped(parse(own), parse(from), parse(to), length).map(|mapped| mapped.to_string())
        };
        let out = map("fd01:203:405:1::1234", "fd01:203:405::", "2001:db8:1::", 48);
        assert_eq!(out.as_deref(), Some("2001:db8:1:d550::1234"));
        let back = map("2001:db8:1:d550::1234", "2001:db8:1::", "fd01:203:405::", 48);
        assert_eq!(back.as_deref(), Some("fd01:203:405:1::1234"));
        assert_eq!(map("fd00::ffff:ffff:ffff:ffff", "fd00::", "fd01::", 64), None);
    }
}
