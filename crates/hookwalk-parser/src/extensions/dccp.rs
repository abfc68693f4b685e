use std::fmt;

use nom::IResult;

use crate::syntax::Value;
use crate::types::PortRange;

extension! {
    /// `-m dccp`: a DCCP header; no non-first fragment matches (kernel: `net/netfilter/xt_dccp.c`).
    DccpMatch {
        /// `--sport`
        sport: negatable<PortRange> = "--sport" | "--source-port",
        /// `--dport`
        dport: negatable<PortRange> = "--dport" | "--destination-port",
        /// `--dccp-types`
        types: negatable<DccpTypes> = "--dccp-types",
        /// `--dccp-option`: the number of an option that is present
        option: negatable<u8> = "--dccp-option",
    }
}

/// Types of DCCP packets, any of which will do; bit n is type n (RFC 4340, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DccpTypes(
    /// The bits; bit 10 stands for every type that is not valid.
    pub u16,
);

const NAMES: [&str; 11] = [
    "REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK", "INVALID",
];

impl fmt::Display for DccpTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 & 1 << bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl Value for DccpTypes {
    const EXPECTED: &'static str = "types such as REQUEST,RESPONSE or INVALID";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let bits = input.split(|&b| b == b',').try_fold(0, |bits, name| {
            NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name)).map(|bit| bits | 1 << bit)
        });
        match bits {
            Some(bits) => Ok((&[], DccpTypes(bits))),
            None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}
