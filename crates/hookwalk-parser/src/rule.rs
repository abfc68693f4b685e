use std::fmt;

use nom::character::complete::char;
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser};

use crate::extensions::{Extension, Match, Target, UnknownPart};
use crate::syntax::{ArgumentError, Arguments, OptionText, OptionWriter, Value};
use crate::types::number::number;
use crate::types::{InterfacePattern, MaskedAddress, Negatable, Protocol};

/// Where something stands in a dump: bytes from its start, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

/// Packets and bytes counted, as `[packets:bytes]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}]", self.packets, self.bytes)
    }
}

impl Value for Counters {
    const EXPECTED: &'static str = "counters such as [0:0]";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        delimited(char('['), separated_pair(number, char(':'), number), char(']'))
            .map(|(packets, bytes)| Counters { packets, bytes })
            .parse(input)
    }
}

/// One rule of a chain. Its chain is the [`Chain`](crate::Chain) that holds it, its number in the
/// chain is its index there plus one.
///
/// A packet matches when `base` and every one of `matches` hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The line of the dump, from 1; rules made of one address list share theirs.
    pub line: u32,
    /// The line's bytes, without its end.
    pub span: Span,
    /// `[packets:bytes]` before the rule, where the dump has them.
    pub counters: Option<Counters>,
    /// The options that need no `-m`.
    pub base: BaseMatches,
    /// The matches in the order written.
    pub matches: Vec<Match>,
    /// What happens to a packet that matches.
    pub target: Target,
}

impl Rule {
    /// The parts of the rule that were not understood.
    pub fn unknown_parts(&self) -> impl Iterator<Item = &UnknownPart> {
        let target = match &self.target {
            Target::Unknown(part) => Some(&**part),
            _ => None,
        };
        let matches = self.matches.iter().filter_map(|m| match m {
            Match::Unknown(part) => Some(&**part),
            _ => None,
        });
        matches.chain(target)
    }

    /// The text of the rule's comments, in order.
    pub fn comments(&self) -> impl Iterator<Item = &crate::types::Text> {
        self.matches.iter().filter_map(|m| match m {
            Match::Comment(comment) => comment.comment.as_ref(),
            _ => None,
        })
    }
}

/// The options every rule may have without `-m` (man iptables, PARAMETERS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BaseMatches {
    /// `-s`
    pub source: Option<Negatable<MaskedAddress>>,
    /// `-d`
    pub destination: Option<Negatable<MaskedAddress>>,
    /// `-i`
    pub in_interface: Option<Negatable<InterfacePattern>>,
    /// `-o`
    pub out_interface: Option<Negatable<InterfacePattern>>,
    /// `-p`; none for `-p all`
    pub protocol: Option<Negatable<Protocol>>,
    /// `-f`: second and later fragments, IPv4 only
    pub fragment: Option<Negatable<()>>,
}

impl BaseMatches {
    /// The options as iptables-save prints them.
    pub fn options(&self) -> Vec<OptionText> {
        let mut out = OptionWriter::default();
        self.write(&mut out);
        out.into_options()
    }
}

impl Extension for BaseMatches {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"-s" | b"--source" | b"--src" => self.source = Some(option.negatable()?),
            b"-d" | b"--destination" | b"--dst" => self.destination = Some(option.negatable()?),
            b"-i" | b"--in-interface" => self.in_interface = Some(option.negatable()?),
            b"-o" | b"--out-interface" => self.out_interface = Some(option.negatable()?),
            b"-p" | b"--protocol" | b"--proto" => {
                let protocol = option.negatable::<Protocol>()?;
                match (protocol.value, protocol.negated) {
                    (Protocol::ANY, false) => self.protocol = None,
                    (Protocol::ANY, true) => {
                        return option.expected("a protocol: `! -p all` matches nothing");
                    }
                    _ => self.protocol = Some(protocol),
                }
            }
            b"-f" | b"--fragment" => self.fragment = Some(option.negatable_flag()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        // A plain "any" prints as nothing; `! -s 0.0.0.0/0` matches no packet and must print.
        let told =
            |address: Option<Negatable<MaskedAddress>>| address.filter(|a| a.negated || !a.value.is_any());
        out.negatable("-s", told(self.source).as_ref());
        out.negatable("-d", told(self.destination).as_ref());
        let any =
            |i: &Negatable<InterfacePattern>| !i.negated && i.value.is_prefix() && i.value.name().is_empty();
        out.interface("-i", self.in_interface.filter(|i| !any(i)).as_ref());
        out.interface("-o", self.out_interface.filter(|i| !any(i)).as_ref());
        out.negatable("-p", self.protocol.as_ref());
        out.negatable_flag("-f", self.fragment);
    }
}
