use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::types::{Family, MaskedAddress};

/// A minor version of kube-proxy. Those of one name here write the same rules, but for what their
/// settings choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Version {
    /// 1.22: `KUBE-XLB-*`, two forwarding rules for conntrack.
    V1_22,
    /// 1.23: `KUBE-XLB-*`.
    V1_23,
    /// 1.24: `KUBE-EXT-*` and `KUBE-SVL-*`, drops through `KUBE-MARK-DROP`.
    V1_24,
    /// 1.25: `KUBE-PROXY-FIREWALL`, drops in table filter.
    V1_25,
    /// 1.26: node ports on localhost can be left out, terminating endpoints stand in.
    V1_26,
    /// 1.27: `KUBE-FIREWALL` is kube-proxy's own as well.
    V1_27,
    /// 1.28: as 1.27.
    V1_28,
    /// 1.29: no INVALID drop where conntrack is liberal with TCP.
    V1_29,
    /// 1.30: load-balancer addresses of mode Proxy are left out.
    V1_30,
    /// 1.31: as 1.30.
    V1_31,
    /// 1.32: counters by nfacct.
    V1_32,
    /// 1.33: addresses in hashes are canonical.
    V1_33,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 12] = [
        Version::V1_22,
        Version::V1_23,
        Version::V1_24,
        Version::V1_25,
        Version::V1_26,
        Version::V1_27,
        Version::V1_28,
        Version::V1_29,
        Version::V1_30,
        Version::V1_31,
        Version::V1_32,
        Version::V1_33,
    ];

    pub(super) fn has_xlb(self) -> bool {
        self <= Version::V1_23
    }

    /// Drops go through a mark that the kubelet's rules act on.
    pub(super) fn drops_by_mark(self) -> bool {
        self <= Version::V1_24
    }

    pub(super) fn has_proxy_firewall(self) -> bool {
        self >= Version::V1_25
    }

    /// `! -d ::1/128` and, by setting, `! -d 127.0.0.0/8` at the jump to the node ports.
    pub(super) fn excepts_localhost(self) -> bool {
        self >= Version::V1_26
    }

    /// Endpoints that terminate serve where no ready one is left (`ProxyTerminatingEndpoints`).
    pub(super) fn uses_terminating(self) -> bool {
        self >= Version::V1_26
    }

    pub(super) fn has_own_firewall(self) -> bool {
        self >= Version::V1_27
    }

    pub(super) fn knows_liberal_tcp(self) -> bool {
        self >= Version::V1_29
    }

    pub(super) fn knows_ip_mode(self) -> bool {
        self >= Version::V1_30
    }

    pub(super) fn knows_nfacct(self) -> bool {
        self >= Version::V1_32
    }

    pub(super) fn hashes_canonical_addresses(self) -> bool {
        self >= Version::V1_33
    }
}

/// `1.30`
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Version::ALL.iter().position(|version| version == self).unwrap_or(0);
        f.pad(&format!("1.{}", 22 + place))
    }
}

/// What kube-proxy takes for traffic of the node's own Pods (`--detect-local-mode`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalDetector {
    /// Nothing: no cluster CIDR is given.
    None,
    /// Sources in a prefix: modes `ClusterCIDR` and `NodeCIDR`.
    Cidr(MaskedAddress),
    /// Packets that come by a bridge: mode `BridgeInterface`.
    Bridge(String),
    /// Packets that come by an interface whose name starts so: mode `InterfaceNamePrefix`.
    InterfacePrefix(String),
}

impl LocalDetector {
    pub(super) fn is_there(&self) -> bool {
        *self != LocalDetector::None
    }

    /// What matches local traffic, with a blank before.
    pub(super) fn local(&self) -> String {
        match self {
            LocalDetector::None => String::new(),
            LocalDetector::Cidr(cidr) => format!(" -s {cidr}"),
            LocalDetector::Bridge(bridge) => format!(" -i {bridge}"),
            LocalDetector::InterfacePrefix(prefix) => format!(" -i {prefix}+"),
        }
    }

    /// What matches any other, with a blank before.
    pub(super) fn not_local(&self) -> String {
        if self.is_there() { format!(" !{}", self.local()) } else { String::new() }
    }
}

/// The settings of a kube-proxy and what it knows of its node.
///
/// The default is 1.30 for IPv4 with its own defaults: no cluster CIDR, masquerade bit 14, node ports on
/// every address, on the loopback ones as well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The version whose rules to write.
    pub version: Version,
    /// One kube-proxy process writes both families; here each has its own settings.
    pub family: Family,
    /// `--hostname-override`: endpoints on this node are local.
    pub node_name: String,
    /// The node's primary address: a source range that holds it lets the node itself in.
    pub node_ip: Option<IpAddr>,
    /// The node's zone; without, topology hints are not followed.
    pub zone: Option<String>,
    /// `--detect-local-mode` and what goes with it.
    pub local_detector: LocalDetector,
    /// `--masquerade-all`
    pub masquerade_all: bool,
    /// `--iptables-masquerade-bit`, from 0 to 31.
    pub masquerade_bit: u8,
    /// `--iptables-localhost-nodeports`
    pub localhost_nodeports: bool,
    /// `--nodeport-addresses`: those of the node's addresses that it covers; none for all of them.
    pub nodeport_addresses: Option<Vec<IpAddr>>,
    /// MASQUERADE with `--random-fully`, which iptables knows from 1.6.2 on.
    pub random_fully: bool,
    /// With more endpoints than this, summed over all ports, comments are left out: 1000.
    pub large_cluster_endpoints: usize,
    /// Whether `net.netfilter.nf_conntrack_tcp_be_liberal` is set.
    pub conntrack_tcp_liberal: bool,
    /// Whether the kernel has the nfacct counters that kube-proxy from 1.32 on uses.
    pub nfacct: bool,
    /// Whether the kubelet's chains are there, as they are on every node up to 1.26: `KUBE-MARK-DROP`
    /// and `KUBE-FIREWALL`, without which rules up to 1.24 drop nothing.
    pub kubelet: bool,
}

impl Config {
    /// The defaults of a version.
    pub fn new(version: Version) -> Self {
        Config {
            version,
            family: Family::V4,
            node_name: "node-a".into(),
            node_ip: None,
            zone: None,
            local_detector: LocalDetector::None,
            masquerade_all: false,
            masquerade_bit: 14,
            localhost_nodeports: true,
            nodeport_addresses: None,
            random_fully: true,
            large_cluster_endpoints: 1000,
            conntrack_tcp_liberal: false,
            nfacct: false,
            kubelet: version <= Version::V1_26,
        }
    }

    /// The mark that asks for masquerading, as kube-proxy writes it.
    pub(super) fn masquerade_mark(&self) -> String {
        format!("{:#010x}", self.mark())
    }

    /// The same as a number.
    pub fn mark(&self) -> u32 {
        1_u32.checked_shl(u32::from(self.masquerade_bit)).unwrap_or(0)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::new(Version::V1_30)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_marks_print_as_they_are_known() {
        assert_eq!(Version::V1_22.to_string(), "1.22");
        assert_eq!(Version::V1_33.to_string(), "1.33");
        assert_eq!(Config::default().masquerade_mark(), "0x00004000");
    }
}
