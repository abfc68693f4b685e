extension! {
    /// `-m eui64`: the lower half of the IPv6 source is made from the Ethernet source
    /// (kernel: `net/ipv6/netfilter/ip6t_eui64.c`).
    Eui64Match {}
}
