extension! {
    /// `-m esp`: the security parameter index of an ESP header (kernel: `net/netfilter/xt_esp.c`).
    EspMatch {
        /// `--espspi`
        spi: range<u32> = "--espspi",
    }
}
