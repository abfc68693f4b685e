//! Clusters of `arbitrary` 1, for fuzzers.

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{Cluster, Plan};

/// Whatever bytes come make a cluster; where they run out, the rest is plain.
impl<'a> Arbitrary<'a> for Plan {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Plan::chosen_by(&mut |range| bytes.int_in_range(range.clone()).unwrap_or(*range.start())))
    }
}

/// See [`Plan`].
impl<'a> Arbitrary<'a> for Cluster {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Plan::arbitrary(bytes).map(|plan| Cluster::planned(&plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::{self, Trial};

    #[test]
    fn whatever_the_bytes_are_the_invariants_hold() {
        for seed in 0..20_u64 {
            let mut dice = crate::dice::Dice::new(seed);
            let bytes: Vec<u8> = (0..200).map(|_| u8::try_from(dice.number(0..=255)).unwrap()).collect();
            let cluster = Cluster::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
            let found = invariants::all(&Trial::new(&cluster.rules().restore(), &cluster));
            assert!(found.is_ok(), "seed {seed}: {}", found.unwrap_err());
        }
        let plain = Cluster::arbitrary(&mut Unstructured::new(&[])).unwrap();
        assert!(invariants::all(&Trial::new(&plain.rules().restore(), &plain)).is_ok());
    }
}
