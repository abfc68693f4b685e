extension! {
    /// `-j CONNSECMARK`: copies security marks between packet and connection
    /// (kernel: `net/netfilter/xt_CONNSECMARK.c`).
    ConnsecmarkTarget {
        /// `--save`: to the connection
        save: flag = "--save",
        /// `--restore`: to the packet
        restore: flag = "--restore",
    }
    missing(this) (!this.save && !this.restore).then_some("--save or --restore");
}
