use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::types::Protocol;
use rustc_hash::FxHashMap;

use crate::names::service_hash;
use crate::objects::Objects;

/// The name of a Service port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortName {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub name: String,
    /// The port's name; empty when it has none.
    pub port: String,
}

impl PortName {
    /// Takes `namespace/name`, `namespace/name:port` and, as kube-proxy wrote up to 1.17,
    /// `namespace/name:`.
    pub fn parse(text: &str) -> Option<PortName> {
        let (namespace, rest) = text.split_once('/')?;
        let (name, port) = rest.split_once(':').unwrap_or((rest, ""));
        let is_name = |part: &str| !part.is_empty() && !part.contains([' ', '/', ':']);
        let port_is_name = port.is_empty() || is_name(port);
        (is_name(namespace) && is_name(name) && port_is_name).then(|| PortName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            port: port.to_owned(),
        })
    }
}

/// `namespace/name:port`, or `namespace/name`.
impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.port.is_empty() { "" } else { ":" };
        f.pad(&format!("{}/{}{colon}{}", self.namespace, self.name, self.port))
    }
}

/// What stands behind the name of a Service port in kube-proxy's comments, and what it says.
const ENDINGS: &[&str] = &[
    " cluster IP",
    " external IP",
    " loadbalancer IP",
    " has no endpoints",
    " has no local endpoints",
    " health check node port",
    "",
];

/// The name of the Service port in a comment, word for word, and what follows it.
pub(super) fn in_comment(comment: &str) -> Option<(&str, &'static str)> {
    ENDINGS.iter().find_map(|ending| {
        let name = comment.strip_suffix(ending)?;
        PortName::parse(name).map(|_| (name, *ending))
    })
}

/// The Service ports of the objects, by the hash of their chains and by where they are reached.
#[derive(Default)]
pub(super) struct Known {
    by_hash: FxHashMap<String, PortName>,
    /// The hash, by address (none for a node port), protocol and port.
    by_address: FxHashMap<(Option<IpAddr>, u8, u16), String>,
}

impl Known {
    pub(super) fn new(objects: &Objects) -> Self {
        let mut known = Known::default();
        for service in &objects.services {
            for port in &service.ports {
                let name = PortName {
                    namespace: service.namespace.clone(),
                    name: service.name.clone(),
                    port: port.name.clone(),
                };
                let text = service.port_name(port);
                if port.name.is_empty() {
                    // Up to 1.17 the colon was written, and hashed, without a name behind it as well.
                    known.by_hash.insert(service_hash(&format!("{text}:"), port.protocol), name.clone());
                }
                let hash = service_hash(&text, port.protocol);
                let balancers = service.load_balancer.iter().map(|ingress| ingress.ip);
                let own = service.cluster_ips.iter().chain(&service.external_ips).copied().chain(balancers);
                let own = own.map(|ip| (Some(ip), port.protocol.0, port.port));
                let node_port = port.node_port.map(|node_port| (None, port.protocol.0, node_port));
                known.by_address.extend(own.chain(node_port).map(|key| (key, hash.clone())));
                known.by_hash.insert(hash, name);
            }
        }
        known
    }

    /// The hash of what is reached there.
    pub(super) fn at(&self, ip: Option<IpAddr>, protocol: Protocol, port: u16) -> Option<&String> {
        self.by_address.get(&(ip, protocol.0, port))
    }

    pub(super) fn get(&self, hash: &str) -> Option<&PortName> {
        self.by_hash.get(hash)
    }
}

/// Whether a name, as the comment has it, is the one that was hashed.
pub(super) fn proves(hash: &str, name: &str, protocol: Protocol) -> bool {
    service_hash(name, protocol) == hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_give_names_and_nothing_else_does() {
        assert_eq!(in_comment("shop/web:http cluster IP"), Some(("shop/web:http", " cluster IP")));
        assert_eq!(in_comment("shop/web has no endpoints"), Some(("shop/web", " has no endpoints")));
        assert_eq!(in_comment("shop/web:"), Some(("shop/web:", "")));
        assert_eq!(in_comment("kubernetes service portals"), None);
        assert_eq!(in_comment("shop/web:http -> 10.0.0.1:80"), None);
    }

    #[test]
    fn an_empty_port_name_is_none() {
        assert_eq!(PortName::parse("shop/web:").unwrap().to_string(), "shop/web");
    }
}
