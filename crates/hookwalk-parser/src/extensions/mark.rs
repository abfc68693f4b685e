use crate::types::MarkMask;

extension! {
    /// `-m mark`: the packet's mark (kernel: `net/netfilter/xt_mark.c`).
    #[derive(Copy)]
    MarkMatch {
        /// `--mark`
        mark: negatable<MarkMask> = "--mark",
    }
    missing(asked) asked.mark.is_none().then_some("--mark");
}
