extension! {
    /// `-m rpfilter`: the way back to the source leads out where the packet came in
    /// (kernel: `net/ipv4/netfilter/ipt_rpfilter.c`).
    RpfilterMatch {
        /// `--loose`: any way back will do
        loose: flag = "--loose",
        /// `--validmark`: the packet's mark counts for the way back
        validmark: flag = "--validmark",
        /// `--accept-local`: a local source holds too
        accept_local: flag = "--accept-local",
        /// `--invert`: holds where it would not
        invert: flag = "--invert",
    }
}
