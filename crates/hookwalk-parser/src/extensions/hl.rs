extension! {
    /// `-m hl`: the hop limit of IPv6 (kernel: `net/netfilter/xt_hl.c`).
    HlMatch {
        /// `--hl-eq`: equal, or with `!` not
        equal: negatable<u8> = "--hl-eq" | "--hl",
        /// `--hl-lt`: below
        less: value<u8> = "--hl-lt",
        /// `--hl-gt`: above
        greater: value<u8> = "--hl-gt",
    }
    missing(this) (this.equal.is_none() && this.less.is_none() && this.greater.is_none())
        .then_some("--hl-eq, --hl-lt or --hl-gt");
}
