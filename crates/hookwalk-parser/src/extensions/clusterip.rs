use crate::types::MacAddress;
use crate::types::choice::words;

extension! {
    /// `-j CLUSTERIP`: several hosts share one address; gone from kernels since 6.3.
    ClusteripTarget {
        /// `--new`: makes the cluster
        new: flag = "--new",
        /// `--hashmode`: what picks the host
        hash_mode: value<ClusteripHash> = "--hashmode",
        /// `--clustermac`: the shared Ethernet address
        mac: value<MacAddress> = "--clustermac",
        /// `--total-nodes`
        total_nodes: value<u16> = "--total-nodes",
        /// `--local-node`: from 1
        local_node: value<u16> = "--local-node",
        /// `--hash-init`
        hash_init: value<u32> = "--hash-init",
    }
}

words! {
    /// `--hashmode`
    ClusteripHash, "sourceip, sourceip-sourceport or sourceip-sourceport-destport" {
        /// By source address.
        Source = "sourceip",
        /// By source address and port.
        SourcePort = "sourceip-sourceport",
        /// By source address and both ports.
        BothPorts = "sourceip-sourceport-destport",
    }
}
