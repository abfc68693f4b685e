//! Small values out of large ones that show the same thing.
//!
//! ```
//! use hookwalk_testkit::{Family, ruleset::Ruleset, shrink::smallest, topology::Topology};
//!
//! let large = Ruleset::random(7, Family::V4, &Topology::default());
//! let small = smallest(large, |rules| rules.rules().count() >= 1);
//! assert_eq!(small.rules().count(), 1);
//! ```

/// What can be made smaller a step at a time.
pub trait Shrink: Sized {
    /// This value without its part number `step`, counted from 0, larger parts first; none where there are
    /// no more parts.
    fn without(&self, step: usize) -> Option<Self>;
}

/// The smallest value to which steps lead while it `still` shows what the first one did.
pub fn smallest<T: Shrink>(value: T, mut still: impl FnMut(&T) -> bool) -> T {
    let mut shrinking = Shrinking::new(value);
    while let Some(tried) = shrinking.next() {
        if still(&tried) {
            shrinking.accept(tried);
        }
    }
    shrinking.value
}

/// A value on its way to the smallest one. It goes through the steps in order, and once more from the first
/// one after a round in which any was taken.
#[derive(Clone, Debug)]
pub(crate) struct Shrinking<T> {
    pub(crate) value: T,
    step: usize,
    took: bool,
}

impl<T: Shrink> Shrinking<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value, step: 0, took: false }
    }

    /// The next smaller value to try.
    pub(crate) fn next(&mut self) -> Option<T> {
        if let Some(tried) = self.value.without(self.step) {
            self.step += 1;
            return Some(tried);
        }
        if !std::mem::take(&mut self.took) {
            return None;
        }
        self.step = 0;
        self.next()
    }

    /// Goes on from the value tried last. The part behind the one left out has its number now.
    pub(crate) fn accept(&mut self, tried: T) {
        self.value = tried;
        self.step = self.step.saturating_sub(1);
        self.took = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Shrink for Vec<u8> {
        fn without(&self, step: usize) -> Option<Self> {
            (step < self.len()).then(|| {
                self.iter().enumerate().filter(|(at, _)| *at != step).map(|(_, item)| *item).collect()
            })
        }
    }

    #[test]
    fn leaves_what_is_needed() {
        assert_eq!(smallest(vec![1, 2, 3, 4, 5], |items| items.contains(&3)), [3]);
        // 2 can go only once 5 has gone.
        let needs = |items: &Vec<u8>| items.contains(&1) && (!items.contains(&5) || items.contains(&2));
        assert_eq!(smallest(vec![1, 2, 5], needs), [1]);
        assert_eq!(smallest(vec![1], |_| false), [1]);
    }
}
