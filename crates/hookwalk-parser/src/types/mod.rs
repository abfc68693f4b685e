//! The values that options carry: addresses with any mask, ports, marks, interfaces, protocols.
//!
//! Each type reads what iptables accepts, prints what `iptables-save` prints, and keeps only what
//! the kernel would keep (host bits outside a mask are gone after reading).

mod address;
mod conntrack;
mod interface;
mod mark;
mod nat;
mod negatable;
pub(crate) mod number;
mod port;
mod protocol;
mod tcp_flags;
mod text;

pub use address::{Family, MaskedAddress};
pub use conntrack::{ConnState, ConnStates};
pub use interface::InterfacePattern;
pub use mark::MarkMask;
pub(crate) use nat::nat_ports;
pub use nat::{AddressRange, NatRange};
pub use negatable::Negatable;
pub use port::PortRange;
pub use protocol::Protocol;
pub use tcp_flags::{TcpFlagMatch, TcpFlags};
pub use text::Text;
