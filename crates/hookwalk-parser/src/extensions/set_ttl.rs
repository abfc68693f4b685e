extension! {
    /// `-j TTL`: rewrites the time to live of IPv4, within 0 to 255
    /// (kernel: `net/netfilter/xt_HL.c`).
    TtlTarget {
        /// `--ttl-set`: to this
        set: value<u8> = "--ttl-set",
        /// `--ttl-dec`: less by this
        decrement: value<u8> = "--ttl-dec",
        /// `--ttl-inc`: more by this
        increment: value<u8> = "--ttl-inc",
    }
    missing(this) (this.set.is_none() && this.decrement.is_none() && this.increment.is_none())
        .then_some("--ttl-set, --ttl-dec or --ttl-inc");
}
