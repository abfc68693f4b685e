use std::iter::Peekable;

use hookwalk_engine::RouteKind;
use hookwalk_parser::types::Family;

use super::{DESTINATION, Destination, Entry, Hop, Reading, kind, metric};
use crate::context::error::ContextError;
use crate::context::text::{Line, Word};
use crate::context::values::{self, prefix};

/// Words of a route that have a value and do not change where it sends.
const WITH_VALUE: &[&str] = &[
    "nhid",
    "weight",
    "realm",
    "realms",
    "mtu",
    "advmss",
    "window",
    "rtt",
    "rttvar",
    "ssthresh",
    "cwnd",
    "initcwnd",
    "initrwnd",
    "rto_min",
    "reordering",
    "hoplimit",
    "features",
    "quickack",
    "congctl",
    "users",
    "used",
    "age",
    "ttl-propagate",
    "fastopen_no_cookie",
    "as",
    "id",
    "group",
    "ts",
    "tsage",
    "lastuse",
    "sernum",
    "mfc_cache",
    "iif",
];

/// Words of a route that stand alone and do not change where it sends.
const FLAGS: &[&str] = &[
    "onlink",
    "pervasive",
    "offload",
    "rt_offload",
    "offload_failed",
    "rt_offload_failed",
    "trap",
    "rt_trap",
    "notify",
    "linkdown",
    "unresolved",
    "equalize",
    "lock",
    "disabled",
    "enabled",
    "ecn",
    "proxy",
    "stale",
    "failed",
];

impl Reading {
    pub(super) fn line(&mut self, line: Line<'_>) {
        if let Some(command) = line.command() {
            self.table = command
                .table
                .filter(|table| !matches!(*table, "all" | "cache" | "0"))
                .map(values::route_table);
            self.family = command.family;
        }
        let mut words = line.words().peekable();
        let Some(first) = words.next() else { return };
        match first.text {
            "nexthop" | "cache" | "nh_info" if !self.open => {
                self.errors.push(first.error("stands behind no route"));
            }
            "nexthop" => self.more(first, words),
            "cache" => self.entries.iter_mut().next_back().into_iter().for_each(|entry| entry.cached = true),
            "nh_info" => {}
            _ if line.is_around() => self.open = false,
            _ => self.route(first, words),
        }
    }

    /// A continuation line: the last route has one more next hop.
    fn more<'t>(&mut self, first: Word<'t>, words: impl Iterator<Item = Word<'t>>) {
        if let Some(mut entry) = self.entries.pop() {
            self.read_words(&mut entry, std::iter::once(first).chain(words).peekable());
            self.entries.push(entry);
        }
    }

    fn route<'t>(&mut self, first: Word<'t>, mut words: Peekable<impl Iterator<Item = Word<'t>>>) {
        self.open = false;
        let (kind, destination) = match kind(first.text).and_then(|kind| Some((kind, words.next()?))) {
            Some(both) => both,
            None => (RouteKind::Unicast, first),
        };
        let Some(destination) = Destination::read(destination.text) else {
            return self.errors.push(destination.expected(DESTINATION));
        };
        let mut entry = Entry::new(kind, destination);
        entry.table = self.table;
        self.read_words(&mut entry, words);
        entry.family = entry.family.or(self.family);
        self.open = true;
        self.entries.push(entry);
    }

    /// What stands behind the destination. A part that is not understood leaves the route without
    /// next hops: it covers its destination, and where it sends is unknown.
    fn read_words<'t>(&mut self, entry: &mut Entry, mut words: Peekable<impl Iterator<Item = Word<'t>>>) {
        while let Some(word) = words.next() {
            let done = match word.text {
                "via" => gateway(entry, word, &mut words),
                "dev" => interface(entry, word, &mut words),
                "nexthop" => {
                    entry.hops.push(Hop::default());
                    Ok(())
                }
                "dead" => {
                    entry.hops.iter_mut().next_back().into_iter().for_each(|hop| hop.dead = true);
                    Ok(())
                }
                "table" => {
                    value(word, &mut words).map(|name| entry.table = Some(values::route_table(name.text)))
                }
                "metric" | "preference" => value(word, &mut words).and_then(|text| {
                    entry.metric = metric(text.text).ok_or_else(|| text.expected("a metric such as 100"))?;
                    Ok(())
                }),
                "proto" => {
                    value(word, &mut words).map(|name| entry.by_kernel = matches!(name.text, "kernel" | "2"))
                }
                "scope" => value(word, &mut words).map(|name| {
                    // IPv6 has no scopes of routes and prints none but the widest.
                    if !matches!(name.text, "global" | "0") {
                        entry.family_is(Family::V4);
                    }
                }),
                "src" => value(word, &mut words).map(|source| {
                    if let Ok(source) = source.text.parse() {
                        entry.family_is(Family::of(source));
                    }
                }),
                "pref" | "expires" | "error" => value(word, &mut words).map(|_| entry.family_is(Family::V6)),
                "from" => value(word, &mut words).map(|source| {
                    if let Some((address, _)) = prefix(source.text) {
                        entry.family_is(Family::of(address));
                    }
                    entry.only_for(word.at, "from", &mut self.errors);
                }),
                "tos" | "dsfield" => {
                    value(word, &mut words).map(|_| entry.only_for(word.at, word.text, &mut self.errors))
                }
                "encap" => {
                    while words
                        .next_if(|word| !matches!(word.text, "via" | "dev" | "nexthop" | "table"))
                        .is_some()
                    {}
                    Ok(())
                }
                "cache" => {
                    entry.cached = true;
                    break;
                }
                text if FLAGS.contains(&text) || text.starts_with('<') => Ok(()),
                text if WITH_VALUE.contains(&text) => {
                    words.next_if(|word| word.text == "lock");
                    value(word, &mut words).map(|_| ())
                }
                _ => Err(word.expected("a known part of a route: where it sends is taken for unknown")),
            };
            if let Err(error) = done {
                entry.partial = true;
                self.errors.push(error);
            }
        }
    }
}

/// The word behind a keyword.
fn value<'t>(
    keyword: Word<'t>,
    words: &mut impl Iterator<Item = Word<'t>>,
) -> Result<Word<'t>, ContextError> {
    words.next().ok_or_else(|| keyword.error("stands alone, expected a value behind it"))
}

fn gateway<'t>(
    entry: &mut Entry,
    keyword: Word<'t>,
    words: &mut impl Iterator<Item = Word<'t>>,
) -> Result<(), ContextError> {
    let first = value(keyword, words)?;
    let named = values::family(first.text).is_some();
    let address = if named { value(first, words)? } else { first };
    entry.via(address.text.parse().map_err(|_| address.expected(values::ADDRESS))?, named);
    Ok(())
}

fn interface<'t>(
    entry: &mut Entry,
    keyword: Word<'t>,
    words: &mut impl Iterator<Item = Word<'t>>,
) -> Result<(), ContextError> {
    let name = value(keyword, words)?;
    let interface = values::interface(name.text).ok_or_else(|| name.expected(values::INTERFACE))?;
    entry.hops.iter_mut().next_back().into_iter().for_each(|hop| hop.next.interface = Some(interface));
    Ok(())
}
