use std::fmt;

use nom::IResult;

use crate::syntax::{Value, value};

extension! {
    /// `-j TCPOPTSTRIP`: takes options out of a TCP header (kernel: `net/netfilter/xt_TCPOPTSTRIP.c`).
    TcpoptstripTarget {
        /// `--strip-options`
        options: value<TcpOptions> = "--strip-options",
    }
    missing(this) this.options.is_none().then_some("--strip-options");
}

/// Kinds of TCP options, in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions(
    /// Each kind once.
    pub Vec<u8>,
);

const NAMES: [(&str, u8); 6] =
    [("wscale", 3), ("mss", 2), ("sack-permitted", 4), ("sack", 5), ("timestamp", 8), ("md5", 19)];

impl fmt::Display for TcpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for kind in &self.0 {
            write!(f, "{separator}{kind}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl Value for TcpOptions {
    const EXPECTED: &'static str = "kinds of TCP options by number or name, as 5,mss,timestamp";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = |_| nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt));
        let mut kinds = Vec::new();
        for word in input.split(|&b| b == b',') {
            match NAMES.iter().find(|(name, _)| name.as_bytes() == word) {
                Some((_, kind)) => kinds.push(*kind),
                None => kinds.push(value(word).map_err(refused)?),
            }
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok((&[], TcpOptions(kinds)))
    }
}
