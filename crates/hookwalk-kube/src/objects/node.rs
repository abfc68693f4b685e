use std::net::IpAddr;

use hookwalk_parser::types::MaskedAddress;

/// A Node (`core/v1`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Node {
    /// `metadata.name`
    pub name: String,
    /// `status.addresses`, those that are addresses and not names.
    pub addresses: Vec<NodeAddress>,
    /// `spec.podCIDRs`, or `spec.podCIDR` where there is no list.
    pub pod_cidrs: Vec<MaskedAddress>,
    /// The label `topology.kubernetes.io/zone`.
    pub zone: Option<String>,
}

impl Node {
    /// A Node without addresses.
    pub fn new(name: impl Into<String>) -> Self {
        Node { name: name.into(), ..Node::default() }
    }

    /// The same with one more `InternalIP`.
    #[must_use]
    pub fn with_internal_ip(mut self, address: IpAddr) -> Self {
        self.addresses.push(NodeAddress { kind: NodeAddressKind::InternalIp, address });
        self
    }
}

/// One entry of `status.addresses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// `type`
    pub kind: NodeAddressKind,
    /// `address`
    pub address: IpAddr,
}

/// The type of a Node's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeAddressKind {
    /// `InternalIP`
    InternalIp,
    /// `ExternalIP`
    ExternalIp,
    /// Any other whose value is an address: a `Hostname` may be one.
    Other,
}
