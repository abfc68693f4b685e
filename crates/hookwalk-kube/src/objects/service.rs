use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::types::{MaskedAddress, Protocol};

/// A Service (`core/v1`).
///
/// ```
/// use hookwalk_kube::objects::{Service, ServicePort};
/// use hookwalk_parser::types::Protocol;
/// let dns = Service {
///     cluster_ips: vec!["10.96.0.10".parse().unwrap()],
///     ports: vec![ServicePort { name: "dns".into(), ..ServicePort::new(Protocol::UDP, 53) }],
///     ..Service::new("kube-system", "kube-dns")
/// };
/// assert_eq!(dns.to_string(), "kube-system/kube-dns");
/// assert_eq!(dns.port_name(&dns.ports[0]), "kube-system/kube-dns:dns");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Service {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// `spec.type`
    pub service_type: ServiceType,
    /// `spec.clusterIPs`, or `spec.clusterIP` where there is no list; empty when headless.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.clusterIP: None`: no rules at all.
    pub headless: bool,
    /// `spec.externalName`
    pub external_name: Option<String>,
    /// `spec.ports`
    pub ports: Vec<ServicePort>,
    /// `spec.externalIPs`
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress`, those with an address.
    pub load_balancer: Vec<LoadBalancerIngress>,
    /// `spec.loadBalancerSourceRanges`, or the older annotation
    /// `service.beta.kubernetes.io/load-balancer-source-ranges`; empty lets everybody in.
    pub source_ranges: Vec<MaskedAddress>,
    /// `spec.sessionAffinity: ClientIP` and its timeout in seconds; none for `None`.
    pub affinity_seconds: Option<u32>,
    /// `spec.externalTrafficPolicy`
    pub external_policy: TrafficPolicy,
    /// `spec.internalTrafficPolicy`
    pub internal_policy: TrafficPolicy,
    /// `spec.healthCheckNodePort`
    pub health_check_node_port: Option<u16>,
    /// The label `service.kubernetes.io/service-proxy-name`: another program than kube-proxy serves it.
    pub proxy_name: Option<String>,
}

/// `sessionAffinityConfig.clientIP.timeoutSeconds` where nothing is said: three hours.
pub const DEFAULT_AFFINITY_SECONDS: u32 = 10_800;

impl Service {
    /// A Service of type `ClusterIP` without addresses and ports.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Service { namespace: namespace.into(), name: name.into(), ..Service::default() }
    }

    /// The name that kube-proxy gives one port, in comments and under hashes: `namespace/name:port`,
    /// or `namespace/name` when the port has no name.
    pub fn port_name(&self, port: &ServicePort) -> String {
        let colon = if port.name.is_empty() { "" } else { ":" };
        format!("{self}{colon}{}", port.name)
    }

    /// Whether kube-proxy writes rules for it (`pkg/proxy/util/utils.go`, `ShouldSkipService`, and the
    /// label selector of its informers).
    pub fn is_proxied(&self) -> bool {
        !self.headless
            && !self.cluster_ips.is_empty()
            && self.service_type != ServiceType::ExternalName
            && self.proxy_name.is_none()
    }
}

/// `namespace/name`
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.namespace, self.name))
    }
}

/// `spec.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ServiceType {
    /// `ClusterIP`
    #[default]
    ClusterIp,
    /// `NodePort`
    NodePort,
    /// `LoadBalancer`
    LoadBalancer,
    /// `ExternalName`: a DNS name, no rules.
    ExternalName,
}

impl ServiceType {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            ServiceType::ClusterIp => "ClusterIP",
            ServiceType::NodePort => "NodePort",
            ServiceType::LoadBalancer => "LoadBalancer",
            ServiceType::ExternalName => "ExternalName",
        }
    }
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The name; empty when it has none.
    pub name: String,
    /// TCP when absent.
    pub protocol: Protocol,
    /// The port at the cluster IP.
    pub port: u16,
    /// Where the Pods listen; kube-proxy takes the slices' word for it.
    pub target: Option<TargetPort>,
    /// The port at every node's addresses.
    pub node_port: Option<u16>,
}

impl ServicePort {
    /// A port without name and node port.
    pub fn new(protocol: Protocol, port: u16) -> Self {
        ServicePort { name: String::new(), protocol, port, target: None, node_port: None }
    }
}

/// A port of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name it has in the Pod.
    Name(String),
}

/// One entry of `status.loadBalancer.ingress` that has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadBalancerIngress {
    /// The address.
    pub ip: IpAddr,
    /// What the load balancer does with packets to it.
    pub mode: IpMode,
}

/// `status.loadBalancer.ingress[].ipMode`, from Kubernetes 1.29 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum IpMode {
    /// Packets come with the load balancer's address as destination: kube-proxy answers for it.
    #[default]
    Vip,
    /// Packets come addressed to node or Pod: kube-proxy writes no rule for the address.
    Proxy,
}

/// `internalTrafficPolicy` and `externalTrafficPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TrafficPolicy {
    /// To every endpoint.
    #[default]
    Cluster,
    /// To the endpoints of the node that the packet came to.
    Local,
}

impl TrafficPolicy {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            TrafficPolicy::Cluster => "Cluster",
            TrafficPolicy::Local => "Local",
        }
    }
}
