use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hookwalk_parser::types::Protocol;

/// What packets are sent to.
///
/// ```
/// use hookwalk_kube::find::What;
/// for text in ["10.96.0.10", "10.96.0.10:53", "10.96.0.10:53/udp", "[fd00:96::a]:53/tcp", "fd00:96::a",
///     ":30080/tcp", "kube-system/kube-dns", "kube-system/kube-dns:dns"]
/// {
///     assert_eq!(text.parse::<What>().unwrap().to_string(), text);
/// }
/// // A port alone is a node port.
/// assert_eq!("30080".parse::<What>().unwrap().to_string(), ":30080");
/// assert_eq!(
///     "kube-dns".parse::<What>().unwrap_err().to_string(),
///     "`kube-dns` is nothing to look for: expected an address as 10.96.0.10, 10.96.0.10:53/udp or \
///      [fd00::a]:53, a node port as :30080/tcp, or a Service as namespace/name or namespace/name:port",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// An address: of a Service, a Pod, a node or anything else.
    Address {
        /// The address.
        address: IpAddr,
        /// Its port; none for every port.
        port: Option<u16>,
        /// The protocol; none for every one.
        protocol: Option<Protocol>,
    },
    /// A port of this node's own addresses.
    NodePort {
        /// The port.
        port: u16,
        /// The protocol; none for every one.
        protocol: Option<Protocol>,
    },
    /// Every address and port of a Service.
    Service {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// The name of one of its ports; none for all.
        port: Option<String>,
    },
}

/// The text names nothing that packets are sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is nothing to look for: expected an address as 10.96.0.10, 10.96.0.10:53/udp or \
     [fd00::a]:53, a node port as :30080/tcp, or a Service as namespace/name or namespace/name:port"
)]
pub struct BadWhat {
    /// What was given.
    pub text: String,
}

impl FromStr for What {
    type Err = BadWhat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        address(text)
            .or_else(|| node_port(text))
            .or_else(|| service(text))
            .ok_or_else(|| BadWhat { text: text.to_owned() })
    }
}

/// A protocol that has ports, by name.
fn protocol(text: &str) -> Option<Protocol> {
    text.parse().ok().filter(|protocol: &Protocol| protocol.has_ports())
}

fn address(text: &str) -> Option<What> {
    let (place, protocol) = match text.split_once('/') {
        Some((place, name)) => (place, Some(protocol(name)?)),
        None => (text, None),
    };
    if let Ok(address) = place.parse() {
        return Some(What::Address { address, port: None, protocol });
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => place.split_once(':').map(|(host, port)| (host, Some(port)))?,
    };
    let port = port.map(|port| port.parse().ok()).map_or(Some(None), |port| port.map(Some))?;
    Some(What::Address { address: host.parse().ok()?, port, protocol })
}

fn node_port(text: &str) -> Option<What> {
    let (port, protocol) = match text.split_once('/') {
        Some((port, name)) => (port, Some(protocol(name)?)),
        None => (text, None),
    };
    Some(What::NodePort { port: port.strip_prefix(':').unwrap_or(port).parse().ok()?, protocol })
}

fn service(text: &str) -> Option<What> {
    let (namespace, name) = text.split_once('/')?;
    let (name, port) = match name.split_once(':') {
        Some((name, port)) => (name, Some(port.to_owned())),
        None => (name, None),
    };
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    (is_name(namespace) && is_name(name) && port.as_deref().is_none_or(is_name)).then(|| What::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        port,
    })
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self {
            What::Address { address, port, protocol } => {
                match port {
                    Some(port) => write!(f, "{}", std::net::SocketAddr::new(*address, *port))?,
                    None => write!(f, "{address}")?,
                }
                protocol
            }
            What::NodePort { port, protocol } => {
                write!(f, ":{port}")?;
                protocol
            }
            What::Service { namespace, name, port } => {
                write!(f, "{namespace}/{name}")?;
                return port.as_ref().map_or(Ok(()), |port| write!(f, ":{port}"));
            }
        };
        protocol.map_or(Ok(()), |protocol| write!(f, "/{protocol}"))
    }
}
