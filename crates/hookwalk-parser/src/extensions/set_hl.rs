extension! {
    /// `-j HL`: rewrites the hop limit of IPv6, within 0 to 255
    /// (kernel: `net/netfilter/xt_HL.c`).
    HlTarget {
        /// `--hl-set`: to this
        set: value<u8> = "--hl-set",
        /// `--hl-dec`: less by this
        decrement: value<u8> = "--hl-dec",
        /// `--hl-inc`: more by this
        increment: value<u8> = "--hl-inc",
    }
    missing(this) (this.set.is_none() && this.decrement.is_none() && this.increment.is_none())
        .then_some("--hl-set, --hl-dec or --hl-inc");
}
