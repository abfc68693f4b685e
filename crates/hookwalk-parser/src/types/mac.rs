use std::fmt;

use nom::IResult;

use crate::syntax::Value;

/// An Ethernet address, which prints in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacAddress(
    /// In the order written.
    pub [u8; 6],
);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for byte in self.0 {
            write!(f, "{separator}{byte:02x}")?;
            separator = ":";
        }
        Ok(())
    }
}

impl Value for MacAddress {
    const EXPECTED: &'static str = "an Ethernet address such as 00:11:22:aa:bb:cc";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::HexDigit));
        let text = std::str::from_utf8(input).map_err(|_| refused())?;
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| matches!(part.len(), 1 | 2)).ok_or_else(refused)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| refused())?;
        }
        if parts.next().is_some() {
            return Err(refused());
        }
        Ok((&[], MacAddress(bytes)))
    }
}
