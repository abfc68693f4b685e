extension! {
    /// `-m devgroup`: the group of the interface it came in or leaves by
    /// (kernel: `net/netfilter/xt_devgroup.c`).
    DevgroupMatch {
        /// `--src-group`: of the in interface
        src_group: group = "--src-group",
        /// `--dst-group`: of the out interface
        dst_group: group = "--dst-group",
    }
    missing(this) (this.src_group.is_none() && this.dst_group.is_none()).then_some("--src-group or --dst-group");
}
