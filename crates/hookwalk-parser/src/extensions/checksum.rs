extension! {
    /// `-j CHECKSUM`: fills in the checksum (kernel: `net/netfilter/xt_CHECKSUM.c`).
    ChecksumTarget {
        /// `--checksum-fill`
        fill: flag = "--checksum-fill",
    }
    missing(this) (!this.fill).then_some("--checksum-fill");
}
