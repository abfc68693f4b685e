use std::fmt;

use nom::IResult;

use crate::syntax::Value;

/// The flag byte of a TCP header (RFC 9293, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(
    /// FIN is bit 0, CWR bit 7.
    pub u8,
);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Opens a connection.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Ends a connection at once.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment number counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer counts.
    pub const URG: TcpFlags = TcpFlags(0x20);

    /// In the order iptables prints them; ECE and CWR can be in a packet, not in a rule.
    const NAMES: [(&'static str, u8); 8] = [
        ("FIN", 0x01),
        ("SYN", 0x02),
        ("RST", 0x04),
        ("PSH", 0x08),
        ("ACK", 0x10),
        ("URG", 0x20),
        ("ECE", 0x40),
        ("CWR", 0x80),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }

    /// Whether all flags of the other set are here.
    pub const fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Names joined by commas, `NONE` for none.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("NONE");
        }
        let mut separator = "";
        for (name, bit) in Self::NAMES {
            if self.0 & bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for TcpFlags {
    type Err = crate::syntax::Expected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::syntax::value(text.as_bytes())
    }
}

impl Value for TcpFlags {
    const EXPECTED: &'static str = "TCP flags such as SYN,ACK, ALL or NONE";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let mut flags = 0;
        for name in input.split(|&b| b == b',') {
            flags |= match name {
                b"NONE" | b"none" => 0,
                b"ALL" | b"all" => 0x3f,
                _ => Self::NAMES
                    .iter()
                    .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
                    .map(|(_, bit)| *bit)
                    .ok_or_else(|| {
                        nom::Err::Error(nom::error::Error::new(name, nom::error::ErrorKind::Alt))
                    })?,
            };
        }
        Ok((&[], TcpFlags(flags)))
    }
}

/// `--tcp-flags MASK COMP`: of the flags in the mask, exactly these are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpFlagMatch {
    /// The flags looked at.
    pub mask: TcpFlags,
    /// The flags of those that are set.
    pub set: TcpFlags,
}

impl TcpFlagMatch {
    /// `--syn`, which prints as `FIN,SYN,RST,ACK SYN`.
    pub const SYN: TcpFlagMatch = TcpFlagMatch { mask: TcpFlags(0x17), set: TcpFlags::SYN };

    /// Whether the flags of a packet match.
    pub const fn matches(self, flags: TcpFlags) -> bool {
        flags.0 & self.mask.0 == self.set.0
    }
}
