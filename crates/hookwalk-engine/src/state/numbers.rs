/// A set of numbers from 0 to 2^32 - 1, as the top of a tree over them in [`NumberSets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers(u32);

impl Numbers {
    pub(crate) const NONE: Numbers = Numbers(0);
    const ALL: Numbers = Numbers(1);
}

/// Where such sets live. Each is a binary tree that shares with the one it was made from all but the path
/// to what it lacks or has more, so that the ways of a walk can each keep their own.
#[derive(Debug, Default)]
pub(crate) struct NumberSets {
    /// The two halves of a set, of those behind none and all.
    halves: Vec<(Numbers, Numbers)>,
}

type Range = (u32, u32);

const WHOLE: Range = (0, u32::MAX);

impl NumberSets {
    pub(crate) fn clear(&mut self) {
        self.halves.clear();
    }

    /// The set with the numbers of a range in it too.
    pub(crate) fn with(&mut self, set: Numbers, range: Range) -> Numbers {
        self.change(set, WHOLE, range, Numbers::ALL)
    }

    /// The set without the numbers of a range.
    pub(crate) fn without(&mut self, set: Numbers, range: Range) -> Numbers {
        self.change(set, WHOLE, range, Numbers::NONE)
    }

    /// Whether a number of a range is in a set.
    pub(crate) fn meets(&self, set: Numbers, range: Range) -> bool {
        self.meets_within(set, WHOLE, range)
    }

    fn change(&mut self, set: Numbers, span: Range, range: Range, to: Numbers) -> Numbers {
        if set == to || range.1 < span.0 || span.1 < range.0 {
            return set;
        }
        if range.0 <= span.0 && span.1 <= range.1 {
            return to;
        }
        let (low, high) = self.halves_of(set);
        let middle = middle(span);
        let low = self.change(low, (span.0, middle), range, to);
        let high = self.change(high, (middle + 1, span.1), range, to);
        if low == high && (low == Numbers::NONE || low == Numbers::ALL) {
            return low;
        }
        self.halves.push((low, high));
        Numbers(u32::try_from(self.halves.len() + 1).unwrap_or(u32::MAX))
    }

    fn meets_within(&self, set: Numbers, span: Range, range: Range) -> bool {
        if set == Numbers::NONE || range.1 < span.0 || span.1 < range.0 {
            return false;
        }
        // No set but the empty one is without a number.
        if set == Numbers::ALL || range.0 <= span.0 && span.1 <= range.1 {
            return true;
        }
        let (low, high) = self.halves_of(set);
        let middle = middle(span);
        self.meets_within(low, (span.0, middle), range)
            || self.meets_within(high, (middle + 1, span.1), range)
    }

    fn halves_of(&self, set: Numbers) -> (Numbers, Numbers) {
        let place = (set.0 as usize).checked_sub(2);
        place.and_then(|place| self.halves.get(place)).copied().unwrap_or((set, set))
    }
}

/// The last number of the lower half.
const fn middle(span: Range) -> u32 {
    span.0 + (span.1 - span.0) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_keeps_what_it_had() {
        let mut sets = NumberSets::default();
        let ports = sets.with(Numbers::NONE, (0, 65535));
        let without = sets.without(ports, (80, 90));
        let again = sets.with(without, (85, 85));
        let has = |set, number| sets.meets(set, (number, number));
        assert!(has(ports, 85) && !has(without, 85) && has(again, 85));
        assert!(!has(again, 84) && has(without, 79) && has(without, 91) && !has(ports, 65536));
        assert!(sets.meets(without, (80, 91)) && !sets.meets(without, (80, 90)));
        assert!(!sets.meets(ports, (65536, u32::MAX)));
    }

    #[test]
    fn what_is_emptied_is_empty() {
        let mut sets = NumberSets::default();
        let mut set = sets.with(Numbers::NONE, (1, 1000));
        for number in 1..=1000 {
            assert_ne!(set, Numbers::NONE);
            set = sets.without(set, (number, number));
        }
        assert_eq!(set, Numbers::NONE);
        assert_eq!(sets.with(Numbers::NONE, WHOLE), Numbers::ALL);
    }
}
