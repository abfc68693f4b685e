extension! {
    /// `-m ecn`: congestion bits of the TCP and IP headers (kernel: `net/netfilter/xt_ecn.c`).
    EcnMatch {
        /// `--ecn-tcp-ece`: the ECE flag of TCP
        tcp_ece: negatable_flag = "--ecn-tcp-ece",
        /// `--ecn-tcp-cwr`: the CWR flag of TCP
        tcp_cwr: negatable_flag = "--ecn-tcp-cwr",
        /// `--ecn-ip-ect`: the lower two bits of the type-of-service byte, 0 to 3
        ip_ect: negatable<u8> = "--ecn-ip-ect",
    }
    missing(this) (this.tcp_ece.is_none() && this.tcp_cwr.is_none() && this.ip_ect.is_none())
        .then_some("--ecn-tcp-ece, --ecn-tcp-cwr or --ecn-ip-ect");
}
