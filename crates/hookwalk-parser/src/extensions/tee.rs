use std::net::IpAddr;

use crate::types::Family;

extension! {
    /// `-j TEE`: sends a copy to a gateway; the packet goes on (kernel: `net/netfilter/xt_TEE.c`).
    TeeTarget {
        /// `--gateway`
        gateway: value<IpAddr> = "--gateway",
        /// `--oif`: the interface of the copy
        interface: raw = "--oif",
    }
    missing(this) this.gateway.is_none().then_some("--gateway");
    family(this) this.gateway.map(Family::of);
}
