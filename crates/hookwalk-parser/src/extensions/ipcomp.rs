extension! {
    /// `-m ipcomp`: the parameter index of a compressed payload (kernel: `net/netfilter/xt_ipcomp.c`).
    IpcompMatch {
        /// `--ipcompspi`
        spi: range<u32> = "--ipcompspi",
        /// `--compres`: the reserved field is 0
        reserved: flag = "--compres",
    }
}
