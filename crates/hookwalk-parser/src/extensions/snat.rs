use crate::types::{Family, NatRange};

extension! {
    /// `-j SNAT`: rewrites the source of a connection; nat table only (kernel: `net/netfilter/xt_nat.c`).
    #[derive(Copy)]
    SnatTarget {
        /// `--to-source`
        to: nat = "--to-source" | "--to",
        /// `--random`: the port is drawn.
        random: flag = "--random",
        /// `--random-fully`: the port is drawn without a hash of the connection.
        random_fully: flag = "--random-fully",
        /// `--persistent`: one client gets one address for all its connections.
        persistent: flag = "--persistent",
    }
    missing(target) (target.to == NatRange::default()).then_some("--to-source");
    family(target) target.to.addresses.map(|range| Family::of(range.first));
}
