extension! {
    /// `-m ah`: an authentication header (kernel: `net/ipv4/netfilter/ipt_ah.c`,
    /// `net/ipv6/netfilter/ip6t_ah.c`).
    AhMatch {
        /// `--ahspi`: the security parameter index
        spi: range<u32> = "--ahspi",
        /// `--ahlen`: bytes of the header, IPv6 only; 0 is any
        length: nonzero<u32> = "--ahlen",
        /// `--ahres`: the reserved field is 0, IPv6 only
        reserved: flag = "--ahres",
    }
}
