extension! {
    /// `-j TRACE`: logs every rule the packet meets from here on; it goes on
    /// (kernel: `net/netfilter/xt_TRACE.c`).
    TraceTarget {}
}
