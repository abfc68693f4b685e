//! Kubernetes on top of rules: Services and endpoints as kube-proxy's iptables mode writes them.
//!
//! [`objects`] are what the API holds, read from the text of `kubectl get … -o json`; [`inventory`] is
//! what the rules of a node serve, [`settings`] how its kube-proxy is set, and [`vantage`] walks to each
//! address from Pods, nodes and outside. [`finding`] is what every check of this crate reports.
//! [`writer`] writes the rules that kube-proxy would; [`names`] computes the hashes in chain names.
//! [`find`] tells every rule that packets to an address, a port, a Service or a Pod can meet, and
//! [`explain`] each in a sentence; [`lint`] checks the rules by themselves, and [`dns`] whether a Pod
//! reaches its name servers.
#![forbid(unsafe_code)]

pub mod diff;
pub mod dns;
pub mod explain;
pub mod find;
pub mod finding;
pub mod inventory;
pub mod lint;
pub mod names;
pub mod objects;
mod reach;
mod rules;
pub mod settings;
pub mod vantage;
pub mod verify;
pub mod writer;
