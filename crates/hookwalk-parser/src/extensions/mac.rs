use crate::types::MacAddress;

extension! {
    /// `-m mac`: the Ethernet source address; never holds without an Ethernet header
    /// (kernel: `net/netfilter/xt_mac.c`).
    MacMatch {
        /// `--mac-source`
        source: negatable<MacAddress> = "--mac-source",
    }
    missing(this) this.source.is_none().then_some("--mac-source");
}
