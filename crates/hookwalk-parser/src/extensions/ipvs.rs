use super::{Direction, Extension};
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::choice::words;
use crate::types::{Family, MaskedAddress, Negatable, Protocol};

/// `-m ipvs`: the packet's IPVS connection (kernel: `net/netfilter/xt_ipvs.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct IpvsMatch {
    /// `--ipvs`: belongs to one
    pub ipvs: Option<Negatable<()>>,
    /// `--vproto`: protocol of the virtual service
    pub protocol: Option<Negatable<Protocol>>,
    /// `--vaddr`: its address
    pub address: Option<Negatable<MaskedAddress>>,
    /// `--vport`: its port
    pub port: Option<Negatable<u16>>,
    /// `--vdir`: the packet's way
    pub direction: Option<Direction>,
    /// `--vmethod`: how packets are passed on
    pub method: Option<Negatable<IpvsMethod>>,
    /// `--vportctl`: port of the controlling connection
    pub control_port: Option<Negatable<u16>>,
}

words! {
    /// How IPVS passes packets on.
    IpvsMethod, "GATE, IPIP or MASQ" {
        /// Routed to the server.
        Gate = "GATE",
        /// In a tunnel.
        Ipip = "IPIP",
        /// By rewriting addresses.
        Masq = "MASQ",
    }
}

impl Extension for IpvsMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--ipvs" => self.ipvs = Some(option.negatable_flag()),
            b"--vproto" => self.protocol = Some(option.negatable()?),
            b"--vaddr" => self.address = Some(option.negatable()?),
            b"--vport" => self.port = Some(option.negatable()?),
            b"--vdir" => self.direction = Some(option.value()?),
            b"--vmethod" => self.method = Some(option.negatable()?),
            b"--vportctl" => self.control_port = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable_flag("--ipvs", self.ipvs);
        let protocol = self.protocol.map(|p| Negatable { negated: p.negated, value: p.value.0 });
        out.negatable("--vproto", protocol.as_ref());
        let address = self.address.map(|a| Negatable { negated: a.negated, value: a.value.without_host_mask() });
        out.negatable("--vaddr", address.as_ref());
        out.negatable("--vport", self.port.as_ref());
        out.value("--vdir", self.direction);
        out.negatable("--vmethod", self.method.as_ref());
        out.negatable("--vportctl", self.control_port.as_ref());
    }

    fn family(&self) -> Option<Family> {
        self.address.map(|address| address.value.family())
    }
}
