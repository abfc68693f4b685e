use std::hash::{Hash as _, Hasher as _};

use hookwalk_parser::types::Text;
use rustc_hash::FxHasher;

/// Sets that have changed on the way: one bit for each of 64 kinds of names. A set of the kind of one that has changed
/// is taken for changed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct ChangedSets(u64);

impl ChangedSets {
    pub(crate) fn insert(&mut self, name: &Text) {
        self.0 |= Self::bit(name);
    }

    pub(crate) fn may_contain(self, name: &Text) -> bool {
        self.0 & Self::bit(name) != 0
    }

    fn bit(name: &Text) -> u64 {
        let mut hasher = FxHasher::default();
        name.as_bytes().hash(&mut hasher);
        1 << (hasher.finish() >> 58)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_told_from_most_others() {
        let mut changed = ChangedSets::default();
        let name = |number: u8| Text::from(format!("set-{number}").as_str());
        assert!((0..100).all(|number| !changed.may_contain(&name(number))));
        changed.insert(&name(7));
        assert!(changed.may_contain(&name(7)));
        assert!((0..100).filter(|number| changed.may_contain(&name(*number))).count() < 20);
    }
}
