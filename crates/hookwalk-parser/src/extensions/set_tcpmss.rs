extension! {
    /// `-j TCPMSS`: rewrites the segment size of a TCP SYN (kernel: `net/netfilter/xt_TCPMSS.c`).
    TcpmssTarget {
        /// `--set-mss`, bytes
        mss: value<u16> = "--set-mss",
        /// `--clamp-mss-to-pmtu`: at most what the path takes
        clamp_to_pmtu: flag = "--clamp-mss-to-pmtu",
    }
    missing(this) (this.mss.is_none() && !this.clamp_to_pmtu).then_some("--set-mss or --clamp-mss-to-pmtu");
}
