use crate::types::PortRange;

extension! {
    /// `-m udplite`: ports of a UDP-Lite header; no non-first fragment matches.
    UdpliteMatch {
        /// `--sport`
        sport: negatable<PortRange> = "--sport" | "--source-port",
        /// `--dport`
        dport: negatable<PortRange> = "--dport" | "--destination-port",
    }
}
