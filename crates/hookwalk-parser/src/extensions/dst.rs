use super::Ipv6Options;

extension! {
    /// `-m dst`: the destination options of IPv6 (kernel: `net/ipv6/netfilter/ip6t_hbh.c`).
    DstMatch {
        /// `--dst-len`: bytes of the header
        length: negatable<u32> = "--dst-len",
        /// `--dst-opts`
        options: value<Ipv6Options> = "--dst-opts",
    }
}
