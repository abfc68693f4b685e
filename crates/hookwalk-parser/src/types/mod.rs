//! The values that options carry: addresses with any mask, ports, marks, interfaces, protocols.
//!
//! Each type reads what iptables accepts, prints what `iptables-save` prints, and keeps only what
//! the kernel would keep (host bits outside a mask are gone after reading).

pub(crate) mod address;
pub(crate) mod choice;
mod conntrack;
mod interface;
mod mac;
mod mark;
mod nat;
mod negatable;
pub(crate) mod number;
mod port;
mod protocol;
mod range;
pub(crate) mod rate;
mod tcp_flags;
mod text;
mod timestamp;

pub use address::{Family, MaskedAddress};
pub use conntrack::{ConnState, ConnStates};
pub use interface::InterfacePattern;
pub use mac::MacAddress;
pub use mark::MarkMask;
pub(crate) use nat::nat_ports;
pub use nat::{AddressRange, NatRange};
pub use negatable::Negatable;
pub use port::PortRange;
pub use protocol::Protocol;
pub use range::{NumberRange, RangeNumber};
pub use rate::Rate;
pub use tcp_flags::{TcpFlagMatch, TcpFlags};
pub use text::Text;
pub use timestamp::Timestamp;
