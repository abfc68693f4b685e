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
