extension! {
    /// `-j IDLETIMER`: tells when nothing came for a while; the packet goes on
    /// (kernel: `net/netfilter/xt_IDLETIMER.c`).
    IdletimerTarget {
        /// `--timeout`, seconds
        timeout: value<u32> = "--timeout",
        /// `--label`: the timer's name
        label: raw = "--label",
        /// `--alarm`: counts while the host sleeps
        alarm: flag = "--alarm",
    }
    missing(this) (this.timeout.is_none() || this.label.is_none()).then_some("--timeout and --label");
}
