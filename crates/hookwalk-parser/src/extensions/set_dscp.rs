use super::Dscp;

extension! {
    /// `-j DSCP`: rewrites the code point of differentiated services (kernel: `net/netfilter/xt_DSCP.c`).
    DscpTarget {
        /// `--set-dscp`, `--set-dscp-class`
        dscp: value<Dscp> = "--set-dscp" | "--set-dscp-class",
    }
    missing(this) this.dscp.is_none().then_some("--set-dscp");
}
