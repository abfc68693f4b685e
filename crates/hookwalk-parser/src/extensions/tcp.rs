use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::{Negatable, PortRange, TcpFlagMatch, TcpFlags};

/// `-m tcp`: ports, flags and options of a TCP header; no non-first fragment matches
/// (kernel: `net/netfilter/xt_tcpudp.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpMatch {
    /// `--sport`
    pub sport: Option<Negatable<PortRange>>,
    /// `--dport`
    pub dport: Option<Negatable<PortRange>>,
    /// `--tcp-option`: the kind of an option that is present.
    pub tcp_option: Option<Negatable<u8>>,
    /// `--tcp-flags`, `--syn`
    pub flags: Option<Negatable<TcpFlagMatch>>,
}

impl Extension for TcpMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--dport" | b"--destination-port" => self.dport = Some(option.negatable()?),
            b"--sport" | b"--source-port" => self.sport = Some(option.negatable()?),
            b"--tcp-flags" => {
                let mask = option.negatable()?;
                let set = option.next()?;
                let value = TcpFlagMatch { mask: mask.value, set };
                self.flags = Some(Negatable { negated: mask.negated, value });
            }
            b"--syn" => {
                let negated = option.negatable_flag().negated;
                self.flags = Some(Negatable { negated, value: TcpFlagMatch::SYN });
            }
            b"--tcp-option" => self.tcp_option = Some(option.negatable()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        // iptables-nft leaves a match with `--tcp-option` as it is.
        out.is_native &= self.tcp_option.is_none();
        out.ports("--sport", self.sport);
        out.ports("--dport", self.dport);
        out.negatable("--tcp-option", self.tcp_option.as_ref());
        // No flag looked at, none set: that holds always, and the tool does not print it.
        let tells = |flags: &Negatable<TcpFlagMatch>| flags.negated || flags.value.mask != TcpFlags::default();
        if let Some(Negatable { negated, value }) = self.flags.filter(tells) {
            let values = vec![
                OptionValue::Bare(value.mask.to_string()),
                OptionValue::Bare(value.set.to_string()),
            ];
            out.push("--tcp-flags", negated, values);
        }
    }
}
