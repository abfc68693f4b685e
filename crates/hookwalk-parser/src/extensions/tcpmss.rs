use crate::types::NumberRange;

extension! {
    /// `-m tcpmss`: the segment size that a TCP SYN offers (kernel: `net/netfilter/xt_tcpmss.c`).
    TcpmssMatch {
        /// `--mss`, bytes
        mss: negatable<NumberRange<u16>> = "--mss",
    }
    missing(this) this.mss.is_none().then_some("--mss");
}
