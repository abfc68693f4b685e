extension! {
    /// `-m quota`: holds until so many bytes have passed (kernel: `net/netfilter/xt_quota.c`).
    QuotaMatch {
        /// `--quota`, bytes
        quota: negatable<u64> = "--quota",
    }
    missing(this) this.quota.is_none().then_some("--quota");
}
