//! How likely the ways of a tree are: a list of factors each, multiplied once somebody may look.
//!
//! The weight of the last of n endpoints of a service has 31 n bits, so that all of them have n squared: who asks
//! for no weight does not wait for them.

use std::sync::OnceLock;

use crate::probability::Probability;
use crate::state::{List, Lists};

/// The weights of all ways of a walk; those that forked share the factors before.
#[derive(Debug, Default)]
pub(super) struct Weights {
    factors: Lists<Factor>,
    /// The product up to each factor, where there are few: their memory is kept from walk to walk.
    few: Vec<Probability>,
    /// The same where there are more.
    many: OnceLock<Vec<Probability>>,
}

/// So many are multiplied without being asked for, in memory that is kept.
const FEW: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Factor {
    /// 31 random bits are fewer than this.
    Draw(u32),
    /// Of 2^32 values of a hash.
    Share(u64),
}

static CERTAIN: Probability = Probability::ONE;

impl Weights {
    #[inline]
    pub(super) fn clear(&mut self) {
        self.factors.clear();
        self.few.clear();
        if self.many.get().is_some() {
            self.many = OnceLock::new();
        }
    }

    /// Of a way on which 31 random bits are fewer than a number.
    #[inline]
    pub(super) fn draw(&mut self, before: List, numerator: u32) -> List {
        self.factors.push(before, Factor::Draw(numerator))
    }

    /// Of a way on which they are not.
    #[inline]
    pub(super) fn draw_complement(&mut self, before: List, numerator: u32) -> List {
        self.draw(before, Probability::complement_of(numerator))
    }

    /// Of a way that a hash takes for so many of its 2^32 values.
    pub(super) fn share(&mut self, before: List, share: u64) -> List {
        self.factors.push(before, Factor::Share(share))
    }

    /// Once all ways are followed to their ends.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.factors.len() <= FEW {
            Self::multiply(&self.factors, &mut self.few);
        }
    }

    #[inline]
    fn multiply(factors: &Lists<Factor>, products: &mut Vec<Probability>) {
        for (factor, before) in factors.nodes() {
            let before = before.index().and_then(|before| products.get(before)).unwrap_or(&CERTAIN);
            products.push(match *factor {
                Factor::Draw(numerator) => before.draw(numerator),
                Factor::Share(share) => before.share(share),
            });
        }
    }

    /// What a list of factors comes to.
    #[inline]
    pub(super) fn of(&self, weight: List) -> &Probability {
        let Some(last) = weight.index() else { return &CERTAIN };
        let products = if self.factors.len() <= FEW {
            &self.few
        } else {
            self.many.get_or_init(|| {
                let mut products = Vec::with_capacity(self.factors.len());
                Self::multiply(&self.factors, &mut products);
                products
            })
        };
        products.get(last).unwrap_or(&CERTAIN)
    }
}
