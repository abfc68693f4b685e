//! `ipset save` and `ipset list`: lines into [`Draft`]s, and drafts into sets.

mod entry;
mod lines;

use std::net::IpAddr;

use hookwalk_engine::{IpSet, SetDimension, SetMember};
use hookwalk_parser::types::{Family, Text};

use super::error::{ContextError, Position, quoted};
use super::pieces::{Piece, pieces};
use super::values::bits;

/// Reads `ipset save`, `ipset list`, or what `ipset restore` takes, several in one text.
///
/// Sets of all types that ipset 7 makes are given out, empty ones too. A set of a type that is not known
/// is named in an error and not given out, so that what asks for it stays unknown. The same goes for a
/// set of which a member is not understood or missing: half a set would answer wrongly.
///
/// ```
/// let (sets, errors) = hookwalk::context::ipsets(
///     "create pools hash:net family inet hashsize 1024 maxelem 65536 comment
/// add pools 10.0.0.0/8 comment \"all of it\"
/// add pools 10.9.0.0/16 nomatch
/// create ports bitmap:port range 0-1023
/// create odd hash:odd
/// ",
/// );
/// let [(name, pools), _ports] = sets.as_slice() else { panic!("two sets") };
/// assert_eq!(*name, "pools");
/// assert!(pools.contains("10.1.0.1".parse()?) && !pools.contains("10.9.0.1".parse()?));
/// assert_eq!(
///     errors[0].to_string(),
///     "5:1: the type `hash:odd` of the set `odd` is not known: what it holds stays unknown"
/// );
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn ipsets(text: &str) -> (Vec<(Text, IpSet)>, Vec<ContextError>) {
    let mut reading = lines::Reading::default();
    for piece in pieces(text) {
        match piece {
            Piece::Line(line) => reading.line(line),
            Piece::Object(at, _) => {
                reading.errors.push(at.error("JSON, expected `ipset save` or `ipset list`"));
            }
            Piece::Bad(error) => reading.errors.push(error),
        }
    }
    let (drafts, mut errors) = reading.finish();
    let sets = drafts.into_iter().filter_map(|draft| draft.finish(&mut errors)).collect();
    errors.sort();
    (sets, errors)
}

/// A set as it is written.
#[derive(Debug)]
struct Draft<'t> {
    name: &'t str,
    at: Position,
    kind: Kind<'t>,
    family: Family,
    /// `netmask` of a `hash:ip`: it holds networks of this length.
    netmask: Option<u8>,
    /// `markmask` of a `hash:ip,mark`.
    markmask: u32,
    entries: Vec<SetMember>,
    /// The sets of a `list:set`.
    sets: Vec<Text>,
    /// Something about it is not understood or not there, and an error tells it.
    incomplete: bool,
    /// How many members `ipset list` says there are; they may have timed out where there are timeouts.
    announced: Option<usize>,
    /// How many `ipset list` shows; `ipset list -t` shows none.
    listed: Option<usize>,
    by_list: bool,
    has_timeouts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'t> {
    /// `hash:ip,port`: a method, and what its dimensions hold.
    Of(&'t str),
    /// `list:set`
    List,
    Other(&'t str),
    /// `ipset list` tells the type in a line of its own.
    NotSaid,
}

impl<'t> Kind<'t> {
    fn new(word: &'t str) -> Self {
        match word {
            "list:set" | "setlist" => Kind::List,
            "bitmap:port" | "bitmap:ip" | "bitmap:ip,mac" | "hash:ip" | "hash:net" | "hash:mac"
            | "hash:ip,mac" | "hash:ip,mark" | "hash:ip,port" | "hash:ip,port,ip" | "hash:ip,port,net"
            | "hash:net,net" | "hash:net,port" | "hash:net,port,net" | "hash:net,iface" => Kind::Of(word),
            other => Kind::Other(other),
        }
    }

    fn dimensions(self, markmask: u32) -> Vec<SetDimension> {
        let Kind::Of(word) = self else { return Vec::new() };
        let (method, dimensions) = word.split_once(':').unwrap_or(("", word));
        let of = |dimension: &str| match dimension {
            "port" if method == "bitmap" => SetDimension::BarePort,
            "port" => SetDimension::Port,
            "mac" if method == "bitmap" => SetDimension::OptionalMac,
            "mac" => SetDimension::Mac,
            "mark" => SetDimension::Mark { mask: markmask },
            "iface" => SetDimension::Interface,
            _ => SetDimension::Address,
        };
        dimensions.split(',').map(of).collect()
    }
}

impl<'t> Draft<'t> {
    fn new(name: &'t str, at: Position, kind: Kind<'t>) -> Self {
        Draft {
            name,
            at,
            kind,
            family: Family::V4,
            netmask: None,
            markmask: u32::MAX,
            entries: Vec::new(),
            sets: Vec::new(),
            incomplete: false,
            announced: None,
            listed: None,
            by_list: kind == Kind::NotSaid,
            has_timeouts: false,
        }
    }

    fn is_supported(&self) -> bool {
        matches!(self.kind, Kind::Of(_) | Kind::List)
    }

    /// The settings behind the type: `family inet6 hashsize 1024 maxelem 65536 netmask 24 timeout 300`.
    fn settings(&mut self, mut words: impl Iterator<Item = &'t str>) -> Result<(), &'static str> {
        while let Some(word) = words.next() {
            match word {
                "family" => match words.next() {
                    Some("inet" | "ipv4" | "-4") => self.family = Family::V4,
                    Some("inet6" | "ipv6" | "-6") => self.family = Family::V6,
                    _ => return Err("a family `inet` or `inet6`"),
                },
                "netmask" => {
                    let len =
                        words.next().and_then(super::values::number).and_then(|len| u8::try_from(len).ok());
                    self.netmask = Some(len.filter(|len| *len <= 128).ok_or("a prefix length such as 24")?);
                }
                "bitmask" => {
                    let mask = words.next().and_then(|mask| mask.parse().ok()).and_then(contiguous);
                    self.netmask = Some(mask.ok_or("a mask without holes such as 255.255.0.0")?);
                }
                "markmask" => {
                    let mask = words.next().and_then(super::values::number);
                    self.markmask = mask.ok_or("a mask such as 0xff")?;
                }
                "timeout" => self.has_timeouts = true,
                _ => {}
            }
        }
        Ok(())
    }

    /// One member, as `add` has it behind the name and `ipset list` in a line.
    fn add(&mut self, at: Position, member: &str) -> Result<(), ContextError> {
        if !self.is_supported() {
            return Ok(());
        }
        if self.kind == Kind::List {
            let name = member.split_once(" before ").or_else(|| member.split_once(" after "));
            let name = name.map_or(member, |(name, _)| name);
            let name = [" timeout ", " packets ", " comment ", " skbmark "]
                .into_iter()
                .fold(name, |name, option| name.split_once(option).map_or(name, |(name, _)| name));
            self.sets.push(Text::from(name.trim()));
            return Ok(());
        }
        let netmask = self.netmask.filter(|_| matches!(self.kind, Kind::Of(kind) if !kind.contains("net")));
        let dimensions = self.kind.dimensions(self.markmask);
        let shape = entry::Shape { dimensions: &dimensions, family: self.family, netmask };
        let entries = entry::read(member, shape);
        self.entries.extend(
            entries.map_err(|(word, expected)| at.error(format!("{} is not {expected}", quoted(word))))?,
        );
        Ok(())
    }

    fn finish(mut self, errors: &mut Vec<ContextError>) -> Option<(Text, IpSet)> {
        let name = quoted(self.name);
        let mut withhold = |why: String| {
            errors.push(self.at.told(format!("{why}: what it holds stays unknown")));
            self.incomplete = true;
        };
        match (self.kind, self.announced, self.listed) {
            (Kind::Other(kind), ..) => {
                withhold(format!("the type {} of the set {name} is not known", quoted(kind)));
            }
            (Kind::NotSaid, ..) => withhold(format!("the set {name} has no `Type:`")),
            (_, announced, None) if self.by_list => {
                let count =
                    announced.map(|count| format!(", of which there are {count}")).unwrap_or_default();
                withhold(format!("the set {name} has no `Members:`{count}"));
            }
            (_, Some(announced), Some(listed)) if listed != announced && !self.has_timeouts => {
                withhold(format!("the set {name} lists {listed} of its {announced} members"));
            }
            _ => {}
        }
        if self.incomplete {
            return None;
        }
        let set = match self.kind {
            Kind::List => IpSet::list(self.sets),
            kind => {
                let has_addresses = !matches!(kind, Kind::Of("bitmap:port" | "hash:mac"));
                IpSet::new(has_addresses.then_some(self.family), kind.dimensions(self.markmask), self.entries)
            }
        };
        Some((Text::from(self.name), set))
    }
}

/// The length of a mask that has all its ones in front.
fn contiguous(mask: IpAddr) -> Option<u8> {
    let (ones, zeros) = match mask {
        IpAddr::V4(mask) => (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros()),
        IpAddr::V6(mask) => (mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros()),
    };
    u8::try_from(ones).ok().filter(|_| ones + zeros == u32::from(bits(mask)))
}

#[cfg(test)]
mod tests;
