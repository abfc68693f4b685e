use std::fmt;

use nom::IResult;

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter, Value};
use crate::types::choice::abbreviates;
use crate::types::Negatable;

/// `-m addrtype`: what the routing tables call the addresses (kernel: `net/netfilter/xt_addrtype.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AddrtypeMatch {
    /// `--src-type`
    pub src_type: Option<Negatable<AddressTypes>>,
    /// `--dst-type`
    pub dst_type: Option<Negatable<AddressTypes>>,
    /// `--limit-iface-in`: only addresses of the interface it came in by.
    pub limit_iface_in: bool,
    /// `--limit-iface-out`: only addresses of the interface it leaves by.
    pub limit_iface_out: bool,
}

/// One type of address (`linux/rtnetlink.h`, `RTN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AddressType {
    /// Has no type.
    Unspec,
    /// Reached by a route, and none of the others.
    Unicast,
    /// An address of this node.
    Local,
    /// A broadcast address.
    Broadcast,
    /// An anycast address.
    Anycast,
    /// A multicast address.
    Multicast,
    /// Dropped by a route.
    Blackhole,
    /// Refused by a route.
    Unreachable,
    /// Forbidden by a route.
    Prohibit,
    /// Left to the next table by a route.
    Throw,
    /// Obsolete.
    Nat,
    /// Resolved outside the kernel.
    Xresolve,
}

impl AddressType {
    const ALL: [(AddressType, &'static str); 12] = [
        (AddressType::Unspec, "UNSPEC"),
        (AddressType::Unicast, "UNICAST"),
        (AddressType::Local, "LOCAL"),
        (AddressType::Broadcast, "BROADCAST"),
        (AddressType::Anycast, "ANYCAST"),
        (AddressType::Multicast, "MULTICAST"),
        (AddressType::Blackhole, "BLACKHOLE"),
        (AddressType::Unreachable, "UNREACHABLE"),
        (AddressType::Prohibit, "PROHIBIT"),
        (AddressType::Throw, "THROW"),
        (AddressType::Nat, "NAT"),
        (AddressType::Xresolve, "XRESOLVE"),
    ];
}

impl fmt::Display for AddressType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// A list of types, any of which will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AddressTypes(u16);

impl AddressTypes {
    /// Whether the type is in the list.
    pub const fn contains(self, kind: AddressType) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// The types of the list.
    pub fn iter(self) -> impl Iterator<Item = AddressType> {
        AddressType::ALL.into_iter().map(|(kind, _)| kind).filter(move |kind| self.contains(*kind))
    }
}

impl fmt::Display for AddressTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for kind in self.iter() {
            write!(f, "{separator}{kind}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for AddressTypes {
    const EXPECTED: &'static str = "address types such as LOCAL or UNICAST,BROADCAST";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let bits = input.split(|&b| b == b',').try_fold(0, |bits, name| {
            let known = AddressType::ALL.iter().find(|(_, known)| abbreviates(name, known));
            known.map(|(kind, _)| bits | 1 << *kind as u16)
        });
        match bits {
            Some(bits) => Ok((&[], AddressTypes(bits))),
            None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}

impl Extension for AddrtypeMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--src-type" => self.src_type = Some(option.negatable()?),
            b"--dst-type" => self.dst_type = Some(option.negatable()?),
            b"--limit-iface-in" => self.limit_iface_in = option.flag()?,
            b"--limit-iface-out" => self.limit_iface_out = option.flag()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable("--src-type", self.src_type.as_ref());
        out.negatable("--dst-type", self.dst_type.as_ref());
        out.flag("--limit-iface-in", self.limit_iface_in);
        out.flag("--limit-iface-out", self.limit_iface_out);
    }

    fn missing(&self) -> Option<&'static str> {
        (self.src_type.is_none() && self.dst_type.is_none()).then_some("--src-type or --dst-type")
    }
}
