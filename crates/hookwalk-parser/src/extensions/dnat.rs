use crate::types::{Family, NatRange};

extension! {
    /// `-j DNAT`: rewrites the destination of a connection; nat table only (kernel: `net/netfilter/xt_nat.c`).
    #[derive(Copy)]
    DnatTarget {
        /// `--to-destination`
        to: nat = "--to-destination" | "--to",
        /// `--random`: the port is drawn.
        random: flag = "--random",
        /// `--random-fully`: the port is drawn without a hash of the connection.
        random_fully: flag = "--random-fully",
        /// `--persistent`: one client gets one address for all its connections.
        persistent: flag = "--persistent",
    }
    missing(target) (target.to == NatRange::default()).then_some("--to-destination");
    family(target) target.to.addresses.map(|range| Family::of(range.first));
}
