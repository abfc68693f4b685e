//! The names kube-proxy gives its chains: a prefix and a hash of what the chain is for.
//!
//! A hash cannot be undone, but for a Service that is known it can be computed: so chains without
//! comments get their names back (`pkg/proxy/iptables/proxier.go`, `portProtoHash` and
//! `servicePortEndpointChainName`).

use std::net::SocketAddr;

use hmac_sha256::Hash;
use hookwalk_parser::types::Protocol;

/// The hash in `KUBE-SVC-…`, `KUBE-SVL-…`, `KUBE-EXT-…`, `KUBE-FW-…` and `KUBE-XLB-…` of one
/// Service port, named `namespace/name:port` or `namespace/name`.
///
/// ```
/// use hookwalk_kube::names::service_hash;
/// use hookwalk_parser::types::Protocol;
/// assert_eq!(service_hash("kube-system/kube-dns:dns", Protocol::UDP), "TCOU7JCQXEZGVUNU");
/// ```
pub fn service_hash(port_name: &str, protocol: Protocol) -> String {
    short_hash(&[port_name, &protocol.to_string()])
}

/// The hash in `KUBE-SEP-…` of one endpoint of a Service port. `endpoint` is `ip:port` or
/// `[ip6]:port` (see [`endpoint_text`]), with the address as the slice writes it up to kube-proxy
/// 1.32 or so and in canonical form from then on.
///
/// ```
/// use hookwalk_kube::names::endpoint_hash;
/// use hookwalk_parser::types::Protocol;
/// let hash = endpoint_hash("kube-system/kube-dns:dns", Protocol::UDP, "192.168.237.9:53");
/// assert_eq!(hash, "VMNICV4GUKMZMBOY");
/// ```
pub fn endpoint_hash(port_name: &str, protocol: Protocol, endpoint: &str) -> String {
    short_hash(&[port_name, &protocol.to_string(), endpoint])
}

/// An address and a port as kube-proxy writes them: `10.0.0.1:80`, `[fd00::1]:80`.
pub fn endpoint_text(endpoint: SocketAddr) -> String {
    endpoint.to_string()
}

/// The first 16 digits of the base32 (RFC 4648, upper case) of the SHA-256 of the parts together.
fn short_hash(parts: &[&str]) -> String {
    let mut hash = Hash::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    // 16 digits of 5 bits are the first 10 bytes: two groups of 40 bits.
    digest.chunks_exact(5).take(2).flat_map(digits).collect()
}

/// Five bytes as eight digits.
fn digits(group: &[u8]) -> impl Iterator<Item = char> + use<> {
    let bits = group.iter().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    (0..8).rev().map(move |place| {
        let digit = u8::try_from(bits >> (place * 5) & 31).unwrap_or(0);
        char::from(if digit < 26 { b'A' + digit } else { b'2' + digit - 26 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_real_chains() {
        assert_eq!(service_hash("default/kubernetes:https", Protocol::TCP), "NPX46M4PTMTKRN6Y");
        assert_eq!(service_hash("kube-system/kube-dns:dns", Protocol::UDP), "TCOU7JCQXEZGVUNU");
        assert_eq!(service_hash("kube-system/kube-dns:dns-tcp", Protocol::TCP), "ERIFXISQEP7F7OF4");
    }

    #[test]
    fn endpoints_of_ipv6_have_brackets() {
        assert_eq!(endpoint_text("[fd00:10::2]:53".parse().unwrap()), "[fd00:10::2]:53");
    }
}
