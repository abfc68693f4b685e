use crate::types::choice::words;

extension! {
    /// `-j AUDIT`: writes to the audit log; the packet goes on (kernel: `net/netfilter/xt_AUDIT.c`).
    AuditTarget {
        /// `--type`: what the log says of the packet
        kind: value<AuditType> = "--type",
    }
    missing(this) this.kind.is_none().then_some("--type");
}

words! {
    /// `--type` of `-j AUDIT`.
    AuditType, "accept, drop or reject" {
        /// Accepted.
        Accept = "accept",
        /// Dropped.
        Drop = "drop",
        /// Rejected.
        Reject = "reject",
    }
}
