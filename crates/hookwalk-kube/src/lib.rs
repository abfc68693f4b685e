//! Kubernetes on top of rules: Services and endpoints as kube-proxy's iptables mode writes them.
//!
//! [`objects`] are what the API holds, read from the text of `kubectl get … -o json`; [`finding`] is
//! what every check of this crate reports;
//! [`writer`] writes the rules that kube-proxy would; [`names`] computes the hashes in chain names.
#![forbid(unsafe_code)]

pub mod finding;
pub mod names;
pub mod objects;
pub mod writer;
