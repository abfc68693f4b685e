use std::fmt;

use nom::IResult;

use crate::syntax::Value;

/// Chunks of an SCTP packet, with flags that must be set or clear (RFC 9260, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SctpChunks {
    types: u32,
    /// For each type that has flags: those set and those clear, in the order of `CHUNKS`.
    flags: [(u8, u8); 4],
}

/// How the chunks of `--chunk-types` and those of a packet go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpChunkMode {
    /// `all`: the packet has each of them.
    All,
    /// `any`: it has one of them.
    Any,
    /// `only`: it has no others.
    Only,
}

/// Name, number, the letters of its flags from bit 7 to bit 0, and where in `flags` they are kept.
type Chunk = (&'static str, u8, &'static [u8], usize);

const NONE: &[u8] = b"--------";
const CHUNKS: [Chunk; 21] = [
    ("DATA", 0, b"----IUBE", 0),
    ("INIT", 1, NONE, 0),
    ("INIT_ACK", 2, NONE, 0),
    ("SACK", 3, NONE, 0),
    ("HEARTBEAT", 4, NONE, 0),
    ("HEARTBEAT_ACK", 5, NONE, 0),
    ("ABORT", 6, b"-------T", 1),
    ("SHUTDOWN", 7, NONE, 0),
    ("SHUTDOWN_ACK", 8, NONE, 0),
    ("ERROR", 9, NONE, 0),
    ("COOKIE_ECHO", 10, NONE, 0),
    ("COOKIE_ACK", 11, NONE, 0),
    ("ECN_ECNE", 12, NONE, 0),
    ("ECN_CWR", 13, NONE, 0),
    ("SHUTDOWN_COMPLETE", 14, b"-------T", 2),
    ("I_DATA", 64, b"----IUBE", 3),
    ("ASCONF_ACK", 128, NONE, 0),
    ("RE_CONFIG", 130, NONE, 0),
    ("PAD", 132, NONE, 0),
    ("FORWARD_TSN", 192, NONE, 0),
    ("ASCONF", 193, NONE, 0),
];
const EVERY: u32 = u32::MAX;

impl SctpChunks {
    /// Whether a chunk of this type and these flags is meant.
    pub fn contains(&self, chunk_type: u8, flags: u8) -> bool {
        if self.types == EVERY {
            return true;
        }
        CHUNKS.iter().enumerate().any(|(index, &(_, number, letters, at))| {
            let (set, clear) = if letters == NONE { (0, 0) } else { self.flags.get(at).copied().unwrap_or_default() };
            number == chunk_type && self.types & 1 << index != 0 && flags & set == set && flags & clear == 0
        })
    }
}

impl fmt::Display for SctpChunkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SctpChunkMode::All => "all",
            SctpChunkMode::Any => "any",
            SctpChunkMode::Only => "only",
        })
    }
}

impl Value for SctpChunkMode {
    const EXPECTED: &'static str = "all, any or only";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        match input {
            b"all" | b"ALL" => Ok((&[], SctpChunkMode::All)),
            b"any" | b"ANY" => Ok((&[], SctpChunkMode::Any)),
            b"only" | b"ONLY" => Ok((&[], SctpChunkMode::Only)),
            _ => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt))),
        }
    }
}

impl fmt::Display for SctpChunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.types {
            0 => return f.write_str("NONE"),
            EVERY => return f.write_str("ALL"),
            _ => {}
        }
        let mut separator = "";
        for (index, (name, _, letters, at)) in CHUNKS.iter().enumerate() {
            if self.types & 1 << index == 0 {
                continue;
            }
            write!(f, "{separator}{name}")?;
            separator = ",";
            let (set, clear) = if *letters == NONE { (0, 0) } else { self.flags.get(*at).copied().unwrap_or_default() };
            if set | clear != 0 {
                f.write_str(":")?;
            }
            for (bit, letter) in (0..8).rev().zip(letters.iter()) {
                if set & 1 << bit != 0 {
                    write!(f, "{}", char::from(*letter))?;
                } else if clear & 1 << bit != 0 {
                    write!(f, "{}", char::from(letter.to_ascii_lowercase()))?;
                }
            }
        }
        Ok(())
    }
}

impl Value for SctpChunks {
    const EXPECTED: &'static str = "chunk types such as DATA:UBE,INIT_ACK, ALL or NONE";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        read(input)
            .map(|chunks| (&b""[..], chunks))
            .ok_or_else(|| nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt)))
    }
}

fn read(input: &[u8]) -> Option<SctpChunks> {
    if input.eq_ignore_ascii_case(b"ALL") {
        return Some(SctpChunks { types: EVERY, ..SctpChunks::default() });
    }
    let mut chunks = SctpChunks::default();
    if input.eq_ignore_ascii_case(b"NONE") {
        return Some(chunks);
    }
    for word in input.split(|&b| b == b',') {
        let mut parts = word.splitn(2, |&b| b == b':');
        let (name, flags) = (parts.next()?, parts.next().unwrap_or_default());
        let is = |chunk: &&(usize, &Chunk)| chunk.1.0.as_bytes().eq_ignore_ascii_case(name);
        let (index, &(_, _, letters, at)) = CHUNKS.iter().enumerate().find(|chunk| is(&chunk))?;
        chunks.types |= 1 << index;
        for flag in flags {
            let bit = letters.iter().rev().position(|letter| letter.eq_ignore_ascii_case(flag))?;
            let kept = chunks.flags.get_mut(at).filter(|_| flag.is_ascii_alphabetic())?;
            if flag.is_ascii_uppercase() { kept.0 |= 1 << bit } else { kept.1 |= 1 << bit }
        }
    }
    Some(chunks)
}
