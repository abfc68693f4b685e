extension! {
    /// `-j ECN`: takes the congestion bits out of a TCP header (kernel: `net/ipv4/netfilter/ipt_ECN.c`).
    EcnTarget {
        /// `--ecn-tcp-remove`
        tcp_remove: flag = "--ecn-tcp-remove",
    }
    missing(this) (!this.tcp_remove).then_some("--ecn-tcp-remove");
}
