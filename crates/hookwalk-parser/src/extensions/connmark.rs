use crate::types::MarkMask;

extension! {
    /// `-m connmark`: the mark of the packet's connection; never holds without one
    /// (kernel: `net/netfilter/xt_connmark.c`).
    #[derive(Copy)]
    ConnmarkMatch {
        /// `--mark`
        mark: negatable<MarkMask> = "--mark",
    }
    missing(asked) asked.mark.is_none().then_some("--mark");
}
