use crate::types::MaskedAddress;

extension! {
    /// `-j DNPT`: puts another prefix before the destination, without connections
    /// (kernel: `net/ipv6/netfilter/ip6t_NPT.c`).
    DnptTarget {
        /// `--src-pfx`: the prefix taken away
        from: value<MaskedAddress> = "--src-pfx",
        /// `--dst-pfx`: the prefix put there
        to: value<MaskedAddress> = "--dst-pfx",
    }
    missing(this) (this.from.is_none() || this.to.is_none()).then_some("--src-pfx and --dst-pfx");
    family(this) this.from.or(this.to).map(|prefix| prefix.family());
}
