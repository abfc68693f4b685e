//! Readers of what surrounds a dump: addresses, routes, routing rules, sets, connections and sysctls, as
//! the tools of the node print them.
//!
//! Each takes text and gives values with the list of what it could not use beside them; a bad line
//! never loses the good ones. Nothing is guessed: where a bad line could make an answer wrong (a set
//! that lacks a member, a routing rule that is not understood), what is given out says so, or is left
//! out and stays unknown to a walk.
//!
//! Text and JSON are told apart by content. Several outputs may follow one another in one text; lines
//! that start with `#` or `$` and lines that show an `ip` command are passed over.
//!
//! ```
//! use hookwalk::{Host, context};
//!
//! let (addresses, errors) = context::addresses(
//!     "2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default
//!     inet 192.168.50.10/24 brd 192.168.50.255 scope global eth0
//!        valid_lft forever preferred_lft forever
//!     inet 10.0.0/8 scope global eth0
//! ",
//! );
//! let host = Host::default().with_interface_addresses(addresses);
//! assert_eq!(host.is_local("192.168.50.10".parse()?), Some(true));
//! assert_eq!(errors[0].to_string(), "4:10: `10.0.0/8` is not an address or prefix such as 10.0.0.0/8");
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod addresses;
mod connections;
mod error;
mod ipsets;
mod json;
mod pieces;
mod routes;
mod rules;
mod sysctls;
mod text;
mod values;

pub use addresses::addresses;
pub use connections::connections;
pub use error::ContextError;
pub use ipsets::ipsets;
pub use routes::routes;
pub use rules::rules;
pub use sysctls::{read_sysctls, sysctls};
pub use values::route_table;

#[cfg(test)]
mod tests;
