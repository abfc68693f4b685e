extension! {
    /// `-m frag`: the fragment header of IPv6 (kernel: `net/ipv6/netfilter/ip6t_frag.c`).
    FragMatch {
        /// `--fragid`
        id: range<u32> = "--fragid",
        /// `--fraglen`: bytes of the header
        length: negatable<u32> = "--fraglen",
        /// `--fragres`: the reserved fields are 0
        reserved: flag = "--fragres",
        /// `--fragfirst`: the first fragment
        first: flag = "--fragfirst",
        /// `--fragmore`: more fragments follow
        more: flag = "--fragmore",
        /// `--fraglast`: the last fragment
        last: flag = "--fraglast",
    }
}
