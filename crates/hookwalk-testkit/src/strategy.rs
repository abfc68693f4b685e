//! What all strategies of proptest 1 here have in common: values drawn from a seed, which shrink by leaving
//! parts out.

use std::fmt;

use proptest::prelude::any;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::dice::Dice;
use crate::shrink::{Shrink, Shrinking};

/// Values that a function draws.
#[derive(Clone, Copy)]
pub(crate) struct Drawn<F>(pub(crate) F);

impl<F> fmt::Debug for Drawn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drawn")
    }
}

impl<T: Shrink + Clone + fmt::Debug, F: Fn(&mut Dice) -> T> Strategy for Drawn<F> {
    type Tree = Parts<T>;
    type Value = T;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = any::<u64>().new_tree(runner)?.current();
        let drawn = (self.0)(&mut Dice::new(seed));
        Ok(Parts { shrinking: Shrinking::new(drawn), tried: None })
    }
}

/// A value and how far its shrinking has come.
#[derive(Clone, Debug)]
pub(crate) struct Parts<T> {
    shrinking: Shrinking<T>,
    /// The value under test, where it is not the smallest that failed.
    tried: Option<T>,
}

impl<T: Shrink + Clone + fmt::Debug> ValueTree for Parts<T> {
    type Value = T;

    fn current(&self) -> T {
        self.tried.as_ref().unwrap_or(&self.shrinking.value).clone()
    }

    fn simplify(&mut self) -> bool {
        if let Some(tried) = self.tried.take() {
            self.shrinking.accept(tried);
        }
        self.complicate()
    }

    /// What was tried does not fail: the next one instead.
    fn complicate(&mut self) -> bool {
        self.tried = self.shrinking.next();
        self.tried.is_some()
    }
}
