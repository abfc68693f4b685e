/// Numbers as ranges, both ends included, sorted and apart from each other: addresses and ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spans(Vec<(u128, u128)>);

impl Spans {
    pub(crate) const PORTS: u128 = u16::MAX as u128;

    pub(crate) fn new(ranges: impl IntoIterator<Item = (u128, u128)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Spans(merged)
    }

    pub(crate) fn up_to(last: u128) -> Self {
        Spans(vec![(0, last)])
    }

    pub(crate) fn one(number: u128) -> Self {
        Spans(vec![(number, number)])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number, when there is exactly one.
    pub(crate) fn only(&self) -> Option<u128> {
        match self.0.as_slice() {
            [(first, last)] if first == last => Some(*first),
            _ => None,
        }
    }

    pub(crate) fn ranges(&self) -> &[(u128, u128)] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, number: u128) -> bool {
        let behind = self.0.partition_point(|&(first, _)| first <= number);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|&(_, last)| number <= last)
    }

    pub(crate) fn union(&self, other: &Spans) -> Spans {
        Spans::new(self.0.iter().chain(&other.0).copied())
    }

    pub(crate) fn intersection(&self, other: &Spans) -> Spans {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (mine.peek(), theirs.peek()) {
            if a.max(c) <= b.min(d) {
                both.push((a.max(c), b.min(d)));
            }
            if b < d {
                mine.next()
            } else {
                theirs.next()
            };
        }
        Spans(both)
    }

    pub(crate) fn without(&self, other: &Spans) -> Spans {
        let mut left = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for &(first, last) in &self.0 {
            let mut from = Some(first);
            while let (Some(start), Some(&&(cut_first, cut_last))) = (from, cuts.peek()) {
                if cut_last < start {
                    cuts.next();
                    continue;
                }
                if cut_first > last {
                    break;
                }
                if cut_first > start {
                    left.push((start, cut_first - 1));
                }
                // What the cut leaves of this range starts behind it.
                from = cut_last.checked_add(1).filter(|&next| next <= last);
                if from.is_some() {
                    cuts.next();
                }
            }
            left.extend(from.map(|start| (start, last)));
        }
        Spans(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Spans> {
        prop::collection::vec((0_u128..40, 0_u128..6), 0..6)
            .prop_map(|parts| Spans::new(parts.into_iter().map(|(first, len)| (first, first + len))))
    }

    proptest! {
        #[test]
        fn sets_are_what_their_members_say(a in spans(), b in spans()) {
            let (both, left, all) = (a.intersection(&b), a.without(&b), a.union(&b));
            for n in 0..60 {
                let (in_a, in_b) = (a.contains(n), b.contains(n));
                prop_assert_eq!(both.contains(n), in_a && in_b);
                prop_assert_eq!(left.contains(n), in_a && !in_b);
                prop_assert_eq!(all.contains(n), in_a || in_b);
            }
            prop_assert_eq!(&Spans::new(both.ranges().to_vec()), &both);
            prop_assert_eq!(&Spans::new(left.ranges().to_vec()), &left);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_trouble() {
        let all = Spans::up_to(u128::MAX);
        assert_eq!(all.without(&Spans::one(u128::MAX)), Spans::up_to(u128::MAX - 1));
        assert!(all.without(&all).is_empty());
        assert_eq!(Spans::one(u128::MAX).only(), Some(u128::MAX));
    }
}
