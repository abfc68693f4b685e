use super::{Extension, SctpChunkMode, SctpChunks};
use crate::syntax::{ArgumentError, Arguments, OptionValue, OptionWriter};
use crate::types::{Negatable, PortRange};

/// `-m sctp`: ports of a SCTP header; no non-first fragment matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SctpMatch {
    /// `--sport`
    pub sport: Option<Negatable<PortRange>>,
    /// `--dport`
    pub dport: Option<Negatable<PortRange>>,
    /// `--chunk-types`: how, and which
    pub chunks: Option<Negatable<(SctpChunkMode, SctpChunks)>>,
}

impl Extension for SctpMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--dport" | b"--destination-port" => self.dport = Some(option.negatable()?),
            b"--sport" | b"--source-port" => self.sport = Some(option.negatable()?),
            b"--chunk-types" => {
                let Negatable { negated, value } = option.negatable()?;
                self.chunks = Some(Negatable { negated, value: (value, option.next()?) });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.negatable("--sport", self.sport.as_ref());
        out.negatable("--dport", self.dport.as_ref());
        if let Some(Negatable { negated, value: (mode, chunks) }) = self.chunks {
            let values = vec![OptionValue::Bare(mode.to_string()), OptionValue::Bare(chunks.to_string())];
            out.push("--chunk-types", negated, values);
        }
    }
}
