use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::{Family, MarkMask};

/// `-j TPROXY`: hands the packet to a local socket as it is (kernel: `net/netfilter/xt_TPROXY.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TproxyTarget {
    /// `--on-port`: of the socket; 0 is the packet's own
    pub port: Option<u16>,
    /// `--on-ip`: of the socket; none is the address of the in interface
    pub address: Option<IpAddr>,
    /// `--tproxy-mark`: the packet's mark becomes `(mark & !mask) ^ value`
    pub mark: Option<MarkMask>,
}

impl Extension for TproxyTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--on-port" => self.port = Some(option.value()?),
            b"--on-ip" => self.address = Some(option.value()?).filter(|address: &IpAddr| !address.is_unspecified()),
            b"--tproxy-mark" => self.mark = Some(option.value()?).filter(|mark: &MarkMask| mark.value | mark.mask != 0),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.value("--on-port", self.port);
        let any = |family| match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        out.value("--on-ip", self.address.or(out.family.map(any)));
        let MarkMask { value, mask } = self.mark.unwrap_or(MarkMask { value: 0, mask: 0 });
        out.push("--tproxy-mark", false, vec![OptionValue::Bare(format!("{value:#x}/{mask:#x}"))]);
    }

    fn missing(&self) -> Option<&'static str> {
        self.port.is_none().then_some("--on-port")
    }

    fn family(&self) -> Option<Family> {
        self.address.map(Family::of)
    }
}
