//! Kubernetes on top of rules: Services and endpoints as kube-proxy's iptables mode writes them.
//!
//! [`objects`] are what the API holds, read from the text of `kubectl get … -o json`; [`inventory`] is
//! what the rules of a node serve, [`settings`] how its kube-proxy is set, and [`vantage`] walks to each
//! address from Pods, nodes and outside. [`finding`] is what every check of this crate reports.
//! [`writer`] writes the rules that kube-proxy would; [`names`] computes the hashes in chain names.
#![forbid(unsafe_code)]

pub mod finding;
pub mod inventory;
pub mod names;
pub mod objects;
mod rules;
pub mod settings;
pub mod vantage;
pub mod writer;
