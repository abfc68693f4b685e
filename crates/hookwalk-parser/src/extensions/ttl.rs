extension! {
    /// `-m ttl`: the time to live of IPv4 (kernel: `net/netfilter/xt_hl.c`).
    TtlMatch {
        /// `--ttl-eq`: equal, or with `!` not
        equal: negatable<u8> = "--ttl-eq" | "--ttl",
        /// `--ttl-lt`: below
        less: value<u8> = "--ttl-lt",
        /// `--ttl-gt`: above
        greater: value<u8> = "--ttl-gt",
    }
    missing(this) (this.equal.is_none() && this.less.is_none() && this.greater.is_none())
        .then_some("--ttl-eq, --ttl-lt or --ttl-gt");
}
