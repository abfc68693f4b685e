//! Services, `EndpointSlices`, Endpoints and Nodes: what kube-proxy makes its rules from.
//!
//! [`Objects::read`] takes what `kubectl get services,endpointslices,nodes -A -o json` prints: a List,
//! single objects, or several documents one after the other. Fields are those of the API
//! (`k8s.io/api/core/v1`, `k8s.io/api/discovery/v1`); what kube-proxy does not look at is left out.
//! Every field is public and every type has a default, so that tests and generators can build them.
//!
//! ```
//! use hookwalk_kube::objects::{Objects, ServiceType};
//! let text = r#"{"kind":"List","items":[
//!   {"kind":"Service","metadata":{"namespace":"shop","name":"web"},
//!    "spec":{"type":"NodePort","clusterIPs":["172.30.0.20"],
//!            "ports":[{"name":"http","port":80,"targetPort":8080,"nodePort":30080}]}},
//!   {"kind":"Service","metadata":{"namespace":"shop","name":"broken"},"spec":{"ports":[{"port":"eighty"}]}}]}"#;
//! let (objects, errors) = Objects::read(text);
//! let web = &objects.services[0];
//! assert_eq!(web.service_type, ServiceType::NodePort);
//! assert_eq!(web.ports[0].node_port, Some(30080));
//! assert_eq!(
//!     errors[0].to_string(),
//!     "service `shop/broken`: `spec.ports[0].port`: expected a port from 1 to 65535, found `\"eighty\"`",
//! );
//! ```

mod endpoints;
mod error;
mod json;
mod node;
mod read;
mod service;

pub use endpoints::{AddressType, Endpoint, EndpointPort, EndpointSlice, Endpoints, EndpointsSubset};
pub use error::ObjectError;
pub use node::{Node, NodeAddress, NodeAddressKind};
pub use service::{
    DEFAULT_AFFINITY_SECONDS, IpMode, LoadBalancerIngress, Service, ServicePort, ServiceType, TargetPort,
    TrafficPolicy,
};

/// What the API knows that kube-proxy turns into rules.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Objects {
    /// Services, in the order read.
    pub services: Vec<Service>,
    /// `EndpointSlices`.
    pub slices: Vec<EndpointSlice>,
    /// Endpoints, the older form of the same; used for Services that have no slice.
    pub endpoints: Vec<Endpoints>,
    /// Nodes.
    pub nodes: Vec<Node>,
}

impl Objects {
    /// The Node of this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The Service of this name.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.namespace == namespace && service.name == name)
    }

    /// The slices of a Service: its own, or where it has none those made of its Endpoints.
    pub fn slices_of(&self, service: &Service) -> Vec<EndpointSlice> {
        let own = |namespace: &str, name: &str| namespace == service.namespace && name == service.name;
        let slices: Vec<EndpointSlice> =
            self.slices.iter().filter(|slice| own(&slice.namespace, &slice.service)).cloned().collect();
        if !slices.is_empty() {
            return slices;
        }
        let endpoints = self.endpoints.iter().filter(|e| own(&e.namespace, &e.name));
        endpoints.flat_map(Endpoints::slices).collect()
    }
}
