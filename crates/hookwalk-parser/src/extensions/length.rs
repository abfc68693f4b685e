use crate::types::NumberRange;

extension! {
    /// `-m length`: the bytes of the IP packet, header included; IPv6 payload plus 40
    /// (kernel: `net/netfilter/xt_length.c`).
    LengthMatch {
        /// `--length`, bytes
        length: negatable<NumberRange<u16>> = "--length",
    }
    missing(this) this.length.is_none().then_some("--length");
}
