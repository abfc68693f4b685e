extension! {
    /// `-j SECMARK`: sets the packet's security context (kernel: `net/netfilter/xt_SECMARK.c`).
    SecmarkTarget {
        /// `--selctx`
        context: raw = "--selctx",
    }
    missing(this) this.context.is_none().then_some("--selctx");
}
