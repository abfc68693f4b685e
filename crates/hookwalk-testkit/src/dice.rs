//! Seeded choices: `SplitMix64`, so that a seed means the same ruleset for ever.

use std::ops::RangeInclusive;

/// A stream of choices that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice that always fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of the range, both ends included; its start for an empty range.
    pub fn number(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (low, high) = range.into_inner();
        let span = u64::from(high.saturating_sub(low)) + 1;
        let offset = u32::try_from(self.bits() % span).unwrap_or(0);
        low.saturating_add(offset)
    }

    /// [`Dice::number`] for ports and other 16-bit values.
    pub fn port(&mut self, range: RangeInclusive<u16>) -> u16 {
        let (low, high) = range.into_inner();
        u16::try_from(self.number(u32::from(low)..=u32::from(high))).unwrap_or(low)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.number(1..=100) <= percent
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
