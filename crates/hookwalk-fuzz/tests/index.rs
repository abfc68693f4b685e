//! The index finds what the reference finds, over random bytes. `HOOKWALK_PAIRS` sets how many pairs of a
//! ruleset and a packet are compared at least, `PROPTEST_RNG_SEED` which.

#[test]
fn the_index_answers_as_the_reference() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (wanted, seed) = (number("HOOKWALK_PAIRS", 30_000), number("PROPTEST_RNG_SEED", 1));
    // Not proptest's bytes: it copies its generator for each one, by drawing all that was drawn before anew.
    let mut random = Random(seed);
    let mut pairs = 0;
    while pairs < wanted {
        let length = random.next() % 2500;
        let bytes: Vec<u8> = (0..length).map(|_| random.next().to_le_bytes()[7]).collect();
        pairs += hookwalk_fuzz::check_index(&bytes) as u64;
    }
    println!("{pairs} pairs of a ruleset and a packet, no difference");
}

/// `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
