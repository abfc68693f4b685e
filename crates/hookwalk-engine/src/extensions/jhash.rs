//! Bob Jenkins' hash of 32-bit words, `lookup3` (<https://burtleburtle.net/bob/hash/doobs.html>, public
//! domain), as the kernel uses it (`include/linux/jhash.h`).

use std::net::Ipv6Addr;

/// `JHASH_INITVAL`
const INITIAL: u32 = 0xdead_beef;

/// The hash of some words, at most four as addresses have.
pub(crate) fn words(words: &[u32], seed: u32) -> u32 {
    let length = u32::try_from(words.len()).unwrap_or(0);
    // One word is hashed by a function of its own, which comes to the same but for the words not there.
    let start = INITIAL.wrapping_add(length << 2).wrapping_add(seed);
    let mut abc = [start; 3];
    let mut rest = words;
    while rest.len() > 3 {
        let (block, behind) = rest.split_at(3);
        add(&mut abc, block);
        mix(&mut abc);
        rest = behind;
    }
    if rest.is_empty() {
        return abc[2];
    }
    add(&mut abc, rest);
    last(&mut abc);
    abc[2]
}

/// The words of an address on a machine that is little-endian.
pub(crate) fn little_endian(address: Ipv6Addr) -> [u32; 4] {
    let bytes = address.octets();
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    words
}

fn add(abc: &mut [u32; 3], words: &[u32]) {
    for (to, word) in abc.iter_mut().zip(words) {
        *to = to.wrapping_add(*word);
    }
}

fn mix(abc: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *abc;
    for [one, two, three] in [[4, 6, 8], [16, 19, 4]] {
        a = a.wrapping_sub(c) ^ c.rotate_left(one);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(two);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(three);
        b = b.wrapping_add(a);
    }
    *abc = [a, b, c];
}

fn last(abc: &mut [u32; 3]) {
    let [mut a, mut b, mut c] = *abc;
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    *abc = [a, b, c];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_little_endian_machine() {
        assert_eq!(little_endian("2001:db8::1".parse().unwrap()), [0xb80d_0120, 0, 0, 0x0100_0000]);
        // The same words and another seed come to another hash.
        assert_ne!(words(&[1], 0), words(&[1], 1));
        assert_ne!(words(&[1, 2, 3, 4], 0), words(&[1, 2, 4, 3], 0));
    }
}
