use crate::types::MaskedAddress;

extension! {
    /// `-j NETMAP`: puts another prefix before an address (kernel: `net/netfilter/xt_NETMAP.c`).
    NetmapTarget {
        /// `--to`
        to: value<MaskedAddress> = "--to",
    }
    missing(this) this.to.is_none().then_some("--to");
    family(this) this.to.map(|to| to.family());
}
