extension! {
    /// `-m cgroup`: the control group of the local socket (kernel: `net/netfilter/xt_cgroup.c`).
    CgroupMatch {
        /// `--path`: below the root of cgroup 2
        path: negatable_quoted = "--path",
        /// `--cgroup`: class id of cgroup 1
        class: negatable<u32> = "--cgroup",
    }
    missing(this) (this.path.is_none() && this.class.is_none()).then_some("--path or --cgroup");
}
