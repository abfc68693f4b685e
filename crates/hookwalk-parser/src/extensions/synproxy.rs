extension! {
    /// `-j SYNPROXY`: the kernel answers TCP SYNs in the server's place
    /// (kernel: `net/ipv4/netfilter/ipt_SYNPROXY.c`).
    SynproxyTarget {
        /// `--sack-perm`: offers selective acknowledgments
        sack_perm: flag = "--sack-perm",
        /// `--timestamp`: offers timestamps
        timestamp: flag = "--timestamp",
        /// `--wscale`: the window scale offered
        window_scale: value<u8> = "--wscale",
        /// `--mss`: the segment size offered, bytes
        mss: value<u16> = "--mss",
        /// `--ecn`: offers congestion notification
        ecn: flag = "--ecn",
    }
}
