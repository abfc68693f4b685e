//! Seeded choices: `SplitMix64`, so that a seed means the same ruleset for ever.

use std::ops::RangeInclusive;

/// A stream of choices that depends on its seed alone, or on bytes.
#[derive(Debug, Clone)]
pub struct Dice {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Seed(u64),
    /// What is left of the bytes, the next one last.
    Bytes(Vec<u8>),
}

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { source: Source::Seed(seed) }
    }

    /// Dice for fuzzers, each choice made by a byte or a few: what follows a choice stays the same when
    /// another value is put in its place. Behind the last byte every choice is the first or plainest.
    ///
    /// ```
    /// use hookwalk_testkit::dice::Dice;
    ///
    /// let mut dice = Dice::from_bytes(&[3, 200]);
    /// assert_eq!((dice.number(0..=9), dice.number(0..=9), dice.number(1..=6)), (3, 0, 1));
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { source: Source::Bytes(bytes.iter().rev().copied().collect()) }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.at_least(8)
    }

    /// As many of the next bytes, or 64 bits of a seed.
    fn at_least(&mut self, bytes: usize) -> u64 {
        match &mut self.source {
            Source::Seed(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut mixed = *state;
                mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                mixed ^ (mixed >> 31)
            }
            Source::Bytes(left) => (0..bytes).fold(0, |all, _| all << 8 | u64::from(left.pop().unwrap_or(0))),
        }
    }

    /// A number of the range, both ends included; its start for an empty range.
    pub fn number(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (low, high) = range.into_inner();
        let span = u64::from(high.saturating_sub(low)) + 1;
        let bytes = match span {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let offset = u32::try_from(self.at_least(bytes) % span).unwrap_or(0);
        low.saturating_add(offset)
    }

    /// [`Dice::number`] for ports and other 16-bit values.
    pub fn port(&mut self, range: RangeInclusive<u16>) -> u16 {
        let (low, high) = range.into_inner();
        u16::try_from(self.number(u32::from(low)..=u32::from(high))).unwrap_or(low)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        let rolled = self.number(1..=100);
        match self.source {
            Source::Seed(_) => rolled <= percent,
            // So that it is false behind the last byte.
            Source::Bytes(_) => rolled > 100_u32.saturating_sub(percent),
        }
    }

    /// One of the items, or `None` where there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let last = u32::try_from(items.len()).ok()?.checked_sub(1)?;
        items.get(usize::try_from(self.number(0..=last)).ok()?)
    }

    /// One of a fixed array that has at least one item: a copy of it.
    pub fn of<T: Copy, const N: usize>(&mut self, items: [T; N]) -> T {
        const { assert!(N > 0, "nothing to choose from") };
        let [first, ..] = items.as_slice() else { unreachable!("checked when compiled") };
        *self.pick(&items).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_numbers() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..5).map(|_| dice.number(1..=6)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn numbers_stay_in_range() {
        let mut dice = Dice::new(1);
        for _ in 0..1000 {
            assert!((3..=5).contains(&dice.number(3..=5)));
            assert!((80..=81).contains(&dice.port(80..=81)));
        }
        assert!(dice.pick::<u8>(&[]).is_none());
        assert_eq!(dice.of([9]), 9);
    }
}
