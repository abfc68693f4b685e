use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::{Family, Text};

/// `-j HMARK`: the mark becomes a hash of parts of the packet, modulo a number
/// (kernel: `net/netfilter/xt_HMARK.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HmarkTarget {
    /// `--hmark-tuple ct`: the parts are the connection's, not the packet's
    pub connection: bool,
    /// `--hmark-src-prefix`; the whole address by `--hmark-tuple src`
    pub src_prefix: Option<HmarkPrefix>,
    /// `--hmark-dst-prefix`; the whole address by `--hmark-tuple dst`
    pub dst_prefix: Option<HmarkPrefix>,
    /// `--hmark-sport-mask`
    pub sport_mask: Option<u16>,
    /// `--hmark-dport-mask`
    pub dport_mask: Option<u16>,
    /// `--hmark-spi-mask`
    pub spi_mask: Option<u32>,
    /// `--hmark-sport`: bits set in the source port
    pub sport: Option<u16>,
    /// `--hmark-dport`: bits set in the destination port
    pub dport: Option<u16>,
    /// `--hmark-spi`: bits set in the security parameter index
    pub spi: Option<u32>,
    /// `--hmark-proto-mask`
    pub proto_mask: Option<u16>,
    /// `--hmark-rnd`: the hash's seed
    pub seed: Option<u32>,
    /// `--hmark-mod`
    pub modulus: Option<u32>,
    /// `--hmark-offset`: added at the end
    pub offset: Option<u32>,
}

/// How much of an address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmarkPrefix {
    /// All of it.
    Whole,
    /// Its first bits.
    Bits(u8),
}

impl HmarkPrefix {
    fn bits(self, family: Option<Family>) -> u8 {
        match self {
            HmarkPrefix::Bits(bits) => bits,
            HmarkPrefix::Whole if family == Some(Family::V6) => 128,
            HmarkPrefix::Whole => 32,
        }
    }
}

impl HmarkTarget {
    fn tuple(&mut self, tuple: &Text) -> bool {
        for part in tuple.as_bytes().split(|&b| b == b',') {
            match &*part.to_ascii_lowercase() {
                b"ct" => self.connection = true,
                b"src" => self.src_prefix = Some(HmarkPrefix::Whole),
                b"dst" => self.dst_prefix = Some(HmarkPrefix::Whole),
                b"sport" => self.sport_mask = Some(u16::MAX),
                b"dport" => self.dport_mask = Some(u16::MAX),
                b"spi" => self.spi_mask = Some(u32::MAX),
                b"proto" => self.proto_mask = Some(u16::MAX),
                _ => return false,
            }
        }
        true
    }
}

impl Extension for HmarkTarget {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--hmark-tuple" => {
                let tuple = option.text()?;
                if !self.tuple(&tuple) {
                    return option.expected("a list out of src, dst, sport, dport, spi, proto, ct");
                }
            }
            b"--hmark-src-prefix" => self.src_prefix = Some(HmarkPrefix::Bits(option.value()?)),
            b"--hmark-dst-prefix" => self.dst_prefix = Some(HmarkPrefix::Bits(option.value()?)),
            b"--hmark-sport-mask" => self.sport_mask = Some(option.value()?),
            b"--hmark-dport-mask" => self.dport_mask = Some(option.value()?),
            b"--hmark-spi-mask" => self.spi_mask = Some(option.value()?),
            b"--hmark-sport" => self.sport = Some(option.value()?),
            b"--hmark-dport" => self.dport = Some(option.value()?),
            b"--hmark-spi" => self.spi = Some(option.value()?),
            b"--hmark-proto-mask" => self.proto_mask = Some(option.value()?),
            b"--hmark-rnd" => self.seed = Some(option.value()?),
            b"--hmark-mod" => self.modulus = Some(option.value()?),
            b"--hmark-offset" => self.offset = Some(option.value()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        let family = out.family;
        out.value("--hmark-src-prefix", self.src_prefix.map(|prefix| prefix.bits(family)));
        out.value("--hmark-dst-prefix", self.dst_prefix.map(|prefix| prefix.bits(family)));
        out.value("--hmark-sport-mask", self.sport_mask.map(|mask| format!("{mask:#06x}")));
        out.value("--hmark-dport-mask", self.dport_mask.map(|mask| format!("{mask:#06x}")));
        out.value("--hmark-spi-mask", self.spi_mask.map(|mask| format!("{mask:#010x}")));
        out.value("--hmark-sport", self.sport.map(|port| format!("{port:#06x}")));
        out.value("--hmark-dport", self.dport.map(|port| format!("{port:#06x}")));
        out.value("--hmark-spi", self.spi.map(|spi| format!("{spi:#010x}")));
        out.value("--hmark-proto-mask", self.proto_mask.map(|mask| format!("{mask:#04x}")));
        out.value("--hmark-rnd", self.seed.map(|seed| format!("{seed:#010x}")));
        out.value("--hmark-mod", self.modulus);
        out.value("--hmark-offset", self.offset);
        out.value("--hmark-tuple", self.connection.then_some("ct"));
    }

    fn missing(&self) -> Option<&'static str> {
        self.modulus.is_none().then_some("--hmark-mod")
    }
}
