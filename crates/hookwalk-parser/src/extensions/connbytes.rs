use std::fmt;

use nom::{IResult, Parser};

use crate::syntax::Value;
use crate::types::NumberRange;
use crate::types::choice::words;

extension! {
    /// `-m connbytes`: how much the connection has moved; never holds without accounting
    /// (kernel: `net/netfilter/xt_connbytes.c`).
    ConnbytesMatch {
        /// `--connbytes`: bytes or packets, as the mode says
        amount: negatable<ConnbytesRange> = "--connbytes",
        /// `--connbytes-mode`
        mode: value<ConnbytesMode> = "--connbytes-mode",
        /// `--connbytes-dir`
        direction: value<ConnbytesDirection> = "--connbytes-dir",
    }
    missing(this) {
        let all = this.amount.is_some() && this.mode.is_some() && this.direction.is_some();
        (!all).then_some("--connbytes, --connbytes-mode and --connbytes-dir")
    };
}

/// A range in which one number alone is where it starts: `5` is `5:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnbytesRange(
    /// The range.
    pub NumberRange<u64>,
);

impl fmt::Display for ConnbytesRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NumberRange { first, last: u64::MAX } => first.fmt(f),
            NumberRange { first, last } => write!(f, "{first}:{last}"),
        }
    }
}

impl Value for ConnbytesRange {
    const EXPECTED: &'static str = "a number, or two as 5:9";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let open = !input.contains(&b':');
        NumberRange::<u64>::read
            .map(|range| ConnbytesRange(if open { NumberRange { last: u64::MAX, ..range } } else { range }))
            .parse(input)
    }
}

words! {
    /// `--connbytes-mode`
    ConnbytesMode, "packets, bytes or avgpkt" {
        /// Packets.
        Packets = "packets",
        /// Bytes.
        Bytes = "bytes",
        /// Bytes a packet on average.
        AveragePacket = "avgpkt",
    }
}

words! {
    /// `--connbytes-dir`
    ConnbytesDirection, "original, reply or both" {
        /// The way of the first packet.
        Original = "original",
        /// The way of the answers.
        Reply = "reply",
        /// Both ways together.
        Both = "both",
    }
}
