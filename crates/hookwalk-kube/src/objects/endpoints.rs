use std::net::IpAddr;

use hookwalk_parser::types::{Family, Protocol};

/// An `EndpointSlice` (`discovery/v1`).
///
/// ```
/// use hookwalk_kube::objects::{AddressType, Endpoint, EndpointPort, EndpointSlice};
/// use hookwalk_parser::types::Protocol;
/// let slice = EndpointSlice {
///     namespace: "shop".into(),
///     service: "web".into(),
///     ports: vec![EndpointPort { name: "http".into(), ..EndpointPort::new(Protocol::TCP, 8080) }],
///     endpoints: vec![Endpoint::new("10.0.1.2".parse().unwrap()).on("node-a")],
///     ..EndpointSlice::default()
/// };
/// assert_eq!(slice.address_type, AddressType::Ipv4);
/// assert!(slice.endpoints[0].ready);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EndpointSlice {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// The label `kubernetes.io/service-name`; empty when it has none.
    pub service: String,
    /// `addressType`
    pub address_type: AddressType,
    /// `ports`, those with a number.
    pub ports: Vec<EndpointPort>,
    /// `endpoints`; none where the addresses are names (`FQDN`), which kube-proxy leaves out.
    pub endpoints: Vec<Endpoint>,
}

/// What the addresses of a slice are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum AddressType {
    /// `IPv4`
    #[default]
    Ipv4,
    /// `IPv6`
    Ipv6,
    /// `FQDN`
    Fqdn,
}

/// One port of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPort {
    /// The name of the Service's port it serves; empty when that has none.
    pub name: String,
    /// TCP when absent.
    pub protocol: Protocol,
    /// The port at the Pod.
    pub port: u16,
}

impl EndpointPort {
    /// A port without name.
    pub fn new(protocol: Protocol, port: u16) -> Self {
        EndpointPort { name: String::new(), protocol, port }
    }
}

/// One endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The first of `addresses`, the only one that kube-proxy looks at.
    pub address: IpAddr,
    /// How the object writes the address, where that is not how kube-proxy prints it: up to 1.32 or
    /// so the text as given goes into chain names.
    pub written: Option<String>,
    /// `conditions.ready`; absent is true.
    pub ready: bool,
    /// `conditions.serving`; absent is what `ready` is.
    pub serving: bool,
    /// `conditions.terminating`; absent is false.
    pub terminating: bool,
    /// `nodeName`, or `topology["kubernetes.io/hostname"]` of older slices.
    pub node: Option<String>,
    /// `hints.forZones`
    pub for_zones: Vec<String>,
    /// `hints.forNodes`
    pub for_nodes: Vec<String>,
}

impl Endpoint {
    /// A ready endpoint on no node.
    pub fn new(address: IpAddr) -> Self {
        Endpoint {
            address,
            written: None,
            ready: true,
            serving: true,
            terminating: false,
            node: None,
            for_zones: Vec::new(),
            for_nodes: Vec::new(),
        }
    }

    /// The same on a node.
    #[must_use]
    pub fn on(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// The same while its Pod shuts down: no longer ready, serving or not.
    #[must_use]
    pub fn terminating(mut self, serving: bool) -> Self {
        (self.ready, self.serving, self.terminating) = (false, serving, true);
        self
    }
}

/// Endpoints (`core/v1`), what `EndpointSlice` came after.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`: the Service's
    pub name: String,
    /// `subsets`
    pub subsets: Vec<EndpointsSubset>,
}

/// Addresses that all have the same ports.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EndpointsSubset {
    /// `addresses` (ready) and `notReadyAddresses` (not).
    pub endpoints: Vec<Endpoint>,
    /// `ports`
    pub ports: Vec<EndpointPort>,
}

impl Endpoints {
    /// The same as slices, one for each subset and family.
    pub fn slices(&self) -> Vec<EndpointSlice> {
        let mut slices = Vec::new();
        for subset in &self.subsets {
            for (address_type, family) in [(AddressType::Ipv4, Family::V4), (AddressType::Ipv6, Family::V6)] {
                let of_family = |endpoint: &&Endpoint| Family::of(endpoint.address) == family;
                let endpoints: Vec<Endpoint> = subset.endpoints.iter().filter(of_family).cloned().collect();
                if !endpoints.is_empty() {
                    slices.push(EndpointSlice {
                        namespace: self.namespace.clone(),
                        name: self.name.clone(),
                        service: self.name.clone(),
                        address_type,
                        ports: subset.ports.clone(),
                        endpoints,
                    });
                }
            }
        }
        slices
    }
}
