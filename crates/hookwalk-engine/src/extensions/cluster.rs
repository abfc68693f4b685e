use std::net::IpAddr;

use hookwalk_parser::extensions::ClusterMatch;

use super::jhash;
use crate::state::{Answer, View};

/// The node that a hash of the connection's first source picks is this one
/// (kernel: `net/netfilter/xt_cluster.c`). The kernel hashes words as its machine orders them: this is a
/// little-endian one's, as x86 and ARM are.
pub(super) fn test(m: &ClusterMatch, view: &View<'_>) -> Answer {
    let (Some(total), Some(nodes)) = (m.total_nodes.filter(|total| *total > 0), m.local_nodes) else {
        return Answer::Yes;
    };
    // What `CT` has put in the connection's place is of no family: it is no node's, nor with `!` another's.
    if view.state.template().is_some() || !view.state.has_connection() {
        return Answer::No;
    }
    let seed = m.seed.unwrap_or(0);
    let hash = match view.original_tuple().src {
        IpAddr::V4(src) => jhash::words(&[u32::from_le_bytes(src.octets())], seed),
        // `xt_cluster_hash_ipv6` takes the number of words for one of bytes.
        IpAddr::V6(src) => {
            let [first, ..] = jhash::little_endian(src);
            jhash::words(&[first], seed)
        }
    };
    let node = (u64::from(hash) * u64::from(total)) >> 32;
    nodes.holds(|mask| u64::from(*mask) >> node & 1 == 1).into()
}
