extension! {
    /// `-m helper`: the tracking helper of the packet's connection (kernel: `net/netfilter/xt_helper.c`).
    HelperMatch {
        /// `--helper`: its name, a port behind `-`
        name: negatable_quoted = "--helper",
    }
    missing(this) this.name.is_none().then_some("--helper");
}
