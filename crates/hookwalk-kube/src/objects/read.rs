use serde_json::Value;

use super::json::{self, Field};
use super::{
    AddressType, DEFAULT_AFFINITY_SECONDS, Endpoint, EndpointPort, EndpointSlice, Endpoints, EndpointsSubset,
    IpMode, LoadBalancerIngress, Node, NodeAddress, NodeAddressKind, ObjectError, Objects, Service,
    ServicePort, ServiceType, TargetPort, TrafficPolicy,
};

type Read<T> = Result<T, ObjectError>;

impl Objects {
    /// Reads the text of `kubectl get … -o json`: Lists, single objects, several documents or lines.
    ///
    /// Objects of other kinds are passed over. An object with a field that cannot be read is left out
    /// and told in the second list; text that is no JSON ends the reading there.
    pub fn read(text: &str) -> (Objects, Vec<ObjectError>) {
        let mut objects = Objects::default();
        let mut errors = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, document) in serde_json::Deserializer::from_str(text).into_iter::<Value>().enumerate() {
            match document {
                Ok(value) => objects.take(&value, index + 1, &mut errors),
                Err(error) => errors.push(ObjectError::Json {
                    line: error.line(),
                    column: error.column(),
                    message: reason(&error),
                }),
            }
        }
        (objects, errors)
    }

    /// Adds what another text holds: the API is often saved kind by kind.
    pub fn extend(&mut self, other: Objects) {
        self.services.extend(other.services);
        self.slices.extend(other.slices);
        self.endpoints.extend(other.endpoints);
        self.nodes.extend(other.nodes);
    }

    fn take(&mut self, value: &Value, number: usize, errors: &mut Vec<ObjectError>) {
        let kind = value.get("kind").and_then(Value::as_str);
        if let Some(items) = value.get("items").and_then(Value::as_array) {
            // The items of a typed list, as the API itself answers, do not repeat their kind.
            let of_items = kind.and_then(|kind| kind.strip_suffix("List"));
            for item in items {
                let own = item.get("kind").and_then(Value::as_str);
                match own.or(of_items.filter(|kind| !kind.is_empty())) {
                    Some(kind) => self.take_one(kind, item, errors),
                    None => errors.push(ObjectError::NoObject { number }),
                }
            }
            return;
        }
        match kind {
            // An empty List may have no items at all.
            Some("List") => {}
            Some(kind) => self.take_one(kind, value, errors),
            None => errors.push(ObjectError::NoObject { number }),
        }
    }

    fn take_one(&mut self, kind: &str, value: &Value, errors: &mut Vec<ObjectError>) {
        let name = |field: &str| value.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
        let full_name = match (name("namespace"), name("name")) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (None, Some(name)) => name.to_owned(),
            (_, None) => "without a name".to_owned(),
        };
        let object = format!("{} `{full_name}`", kind.to_lowercase());
        let root = Field::root(&object, value);
        let read = match kind {
            "Service" => service(&root).map(|service| self.services.push(service)),
            "EndpointSlice" => slice(&root).map(|slice| self.slices.push(slice)),
            "Endpoints" => endpoints(&root).map(|endpoints| self.endpoints.push(endpoints)),
            "Node" => node(&root).map(|node| self.nodes.push(node)),
            _ => Ok(()),
        };
        errors.extend(read.err());
    }
}

/// The message of `serde_json` without the place, which has fields of its own.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn name_of(root: &Field<'_>) -> Read<(String, String)> {
    let metadata = root.get("metadata");
    let namespace = metadata.get("namespace").maybe(Field::text)?.unwrap_or("default");
    Ok((namespace.to_owned(), metadata.get("name").text()?.to_owned()))
}

fn service(root: &Field<'_>) -> Read<Service> {
    let (namespace, name) = name_of(root)?;
    let (metadata, spec) = (root.get("metadata"), root.get("spec"));
    let service_type = spec.get("type");
    let service_type = match service_type.maybe(Field::text)?.unwrap_or("ClusterIP") {
        "ClusterIP" => ServiceType::ClusterIp,
        "NodePort" => ServiceType::NodePort,
        "LoadBalancer" => ServiceType::LoadBalancer,
        "ExternalName" => ServiceType::ExternalName,
        _ => return Err(service_type.wrong("ClusterIP, NodePort, LoadBalancer or ExternalName")),
    };
    let cluster_ip = spec.get("clusterIP");
    let mut told = spec.get("clusterIPs").list()?;
    if told.is_empty() && !cluster_ip.is_null() {
        told.push(cluster_ip);
    }
    let mut headless = false;
    let mut cluster_ips = Vec::new();
    for ip in &told {
        match ip.text()? {
            "None" => headless = true,
            "" => {}
            _ => cluster_ips.push(ip.address()?),
        }
    }
    let affinity = spec.get("sessionAffinity");
    let affinity_seconds = match affinity.maybe(Field::text)?.unwrap_or("None") {
        "None" | "" => None,
        "ClientIP" => {
            let timeout = spec.get("sessionAffinityConfig").get("clientIP").get("timeoutSeconds");
            Some(timeout.maybe(Field::seconds)?.unwrap_or(DEFAULT_AFFINITY_SECONDS))
        }
        _ => return Err(affinity.wrong("None or ClientIP")),
    };
    let health_check = spec.get("healthCheckNodePort");
    let proxy_name = metadata.get("labels").label("service.kubernetes.io/service-proxy-name");
    Ok(Service {
        namespace,
        name,
        service_type,
        cluster_ips,
        headless,
        external_name: spec.get("externalName").maybe(Field::text)?.map(str::to_owned),
        ports: spec.get("ports").list()?.iter().map(service_port).collect::<Read<_>>()?,
        external_ips: spec.get("externalIPs").list()?.iter().map(Field::address).collect::<Read<_>>()?,
        load_balancer: load_balancer(root)?,
        source_ranges: source_ranges(&metadata, &spec)?,
        affinity_seconds,
        external_policy: policy(&spec.get("externalTrafficPolicy"))?,
        internal_policy: policy(&spec.get("internalTrafficPolicy"))?,
        health_check_node_port: unless_zero(&health_check)?,
        proxy_name: proxy_name.maybe(Field::text)?.map(str::to_owned),
    })
}

fn service_port(port: &Field<'_>) -> Read<ServicePort> {
    let target = port.get("targetPort");
    let target = match target.maybe(Field::text) {
        Ok(name) => name.map(|name| TargetPort::Name(name.to_owned())),
        Err(_) => unless_zero(&target)?.map(TargetPort::Number),
    };
    Ok(ServicePort {
        name: port.get("name").maybe(Field::text)?.unwrap_or_default().to_owned(),
        protocol: port.get("protocol").protocol()?,
        port: port.get("port").port()?,
        target,
        node_port: unless_zero(&port.get("nodePort"))?,
    })
}

/// Go programs that build objects write 0 for a port that is not there.
fn unless_zero(port: &Field<'_>) -> Read<Option<u16>> {
    port.maybe(|port| if port.is_zero() { Ok(None) } else { port.port().map(Some) }).map(Option::flatten)
}

fn load_balancer(root: &Field<'_>) -> Read<Vec<LoadBalancerIngress>> {
    let mut ingresses = Vec::new();
    for ingress in root.get("status").get("loadBalancer").get("ingress").list()? {
        // One by name has no `ip`: kube-proxy writes nothing for it.
        let ip = ingress.get("ip");
        if ip.maybe(Field::text)?.is_none_or(str::is_empty) {
            continue;
        }
        let mode = ingress.get("ipMode");
        let mode = match mode.maybe(Field::text)?.unwrap_or("VIP") {
            "VIP" => IpMode::Vip,
            "Proxy" => IpMode::Proxy,
            _ => return Err(mode.wrong("VIP or Proxy")),
        };
        ingresses.push(LoadBalancerIngress { ip: ip.address()?, mode });
    }
    Ok(ingresses)
}

fn source_ranges(metadata: &Field<'_>, spec: &Field<'_>) -> Read<Vec<hookwalk_parser::types::MaskedAddress>> {
    let ranges = spec.get("loadBalancerSourceRanges").list()?;
    if !ranges.is_empty() {
        return ranges.iter().map(Field::prefix).collect();
    }
    let annotation =
        metadata.get("annotations").label("service.beta.kubernetes.io/load-balancer-source-ranges");
    let Some(text) = annotation.maybe(Field::text)? else { return Ok(Vec::new()) };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| json::prefix(part).ok_or_else(|| annotation.wrong("CIDRs with commas between")))
        .collect()
}

fn policy(policy: &Field<'_>) -> Read<TrafficPolicy> {
    match policy.maybe(Field::text)?.unwrap_or("Cluster") {
        "Cluster" | "" => Ok(TrafficPolicy::Cluster),
        "Local" => Ok(TrafficPolicy::Local),
        _ => Err(policy.wrong("Cluster or Local")),
    }
}

fn slice(root: &Field<'_>) -> Read<EndpointSlice> {
    let (namespace, name) = name_of(root)?;
    let service = root.get("metadata").get("labels").label("kubernetes.io/service-name");
    let address_type = root.get("addressType");
    let address_type = match address_type.text()? {
        "IPv4" | "IP" => AddressType::Ipv4,
        "IPv6" => AddressType::Ipv6,
        "FQDN" => AddressType::Fqdn,
        _ => return Err(address_type.wrong("IPv4, IPv6 or FQDN")),
    };
    let mut endpoints = Vec::new();
    if address_type != AddressType::Fqdn {
        for told in root.get("endpoints").list()? {
            endpoints.extend(slice_endpoint(&told)?);
        }
    }
    Ok(EndpointSlice {
        namespace,
        name,
        service: service.maybe(Field::text)?.unwrap_or_default().to_owned(),
        address_type,
        ports: ports(&root.get("ports"))?,
        endpoints,
    })
}

/// An endpoint without an address is none (`endpointslicecache.go` skips it as well).
fn slice_endpoint(told: &Field<'_>) -> Read<Option<Endpoint>> {
    let addresses = told.get("addresses").list()?;
    let Some(first) = addresses.first() else { return Ok(None) };
    let conditions = told.get("conditions");
    let ready = conditions.get("ready").maybe(Field::flag)?.unwrap_or(true);
    let node = match told.get("nodeName").maybe(Field::text)? {
        Some(node) => Some(node),
        None => told.get("topology").label("kubernetes.io/hostname").maybe(Field::text)?,
    };
    let names = |list: Field<'_>| -> Read<Vec<String>> {
        list.list()?.iter().map(|hint| hint.get("name").text().map(str::to_owned)).collect()
    };
    Ok(Some(Endpoint {
        ready,
        serving: conditions.get("serving").maybe(Field::flag)?.unwrap_or(ready),
        terminating: conditions.get("terminating").maybe(Field::flag)?.unwrap_or(false),
        node: node.map(str::to_owned),
        for_zones: names(told.get("hints").get("forZones"))?,
        for_nodes: names(told.get("hints").get("forNodes"))?,
        ..endpoint(first)?
    }))
}

fn endpoint(told: &Field<'_>) -> Read<Endpoint> {
    let address = told.address()?;
    let text = told.text()?;
    let written = (address.to_string() != text).then(|| text.to_owned());
    Ok(Endpoint { written, ..Endpoint::new(address) })
}

fn ports(list: &Field<'_>) -> Read<Vec<EndpointPort>> {
    let mut ports = Vec::new();
    for told in list.list()? {
        // Without a number it stands for every port, which kube-proxy leaves out.
        if let Some(port) = told.get("port").maybe(Field::port)? {
            let name = told.get("name").maybe(Field::text)?.unwrap_or_default().to_owned();
            ports.push(EndpointPort { name, protocol: told.get("protocol").protocol()?, port });
        }
    }
    Ok(ports)
}

fn endpoints(root: &Field<'_>) -> Read<Endpoints> {
    let (namespace, name) = name_of(root)?;
    let mut subsets = Vec::new();
    for told in root.get("subsets").list()? {
        let mut subset = EndpointsSubset { endpoints: Vec::new(), ports: ports(&told.get("ports"))? };
        for (list, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for address in told.get(list).list()? {
                let node = address.get("nodeName").maybe(Field::text)?.map(str::to_owned);
                let read = endpoint(&address.get("ip"))?;
                subset.endpoints.push(Endpoint { ready, serving: ready, node, ..read });
            }
        }
        subsets.push(subset);
    }
    Ok(Endpoints { namespace, name, subsets })
}

fn node(root: &Field<'_>) -> Read<Node> {
    let spec = root.get("spec");
    let mut cidrs = spec.get("podCIDRs").list()?;
    if cidrs.is_empty() && spec.get("podCIDR").maybe(Field::text)?.is_some_and(|text| !text.is_empty()) {
        cidrs.push(spec.get("podCIDR"));
    }
    let mut addresses = Vec::new();
    for told in root.get("status").get("addresses").list()? {
        let kind = match told.get("type").text()? {
            "InternalIP" => NodeAddressKind::InternalIp,
            "ExternalIP" => NodeAddressKind::ExternalIp,
            _ => NodeAddressKind::Other,
        };
        match told.get("address").address() {
            Ok(address) => addresses.push(NodeAddress { kind, address }),
            // A host name.
            Err(_) if kind == NodeAddressKind::Other => {}
            Err(error) => return Err(error),
        }
    }
    let labels = root.get("metadata").get("labels");
    Ok(Node {
        name: root.get("metadata").get("name").text()?.to_owned(),
        addresses,
        pod_cidrs: cidrs.iter().map(Field::prefix).collect::<Read<_>>()?,
        zone: labels.label("topology.kubernetes.io/zone").maybe(Field::text)?.map(str::to_owned),
    })
}
