//! `ip route`: either form into [`Entry`], and entries into routes.

mod json;
mod text;

use std::collections::HashMap;
use std::net::IpAddr;

use hookwalk_engine::{NextHop, Route, RouteKind, RouteTableId};
use hookwalk_parser::types::Family;

use super::error::{ContextError, Position};
use super::pieces::{Piece, pieces};
use super::values;

/// Reads `ip route show table all`, `ip route`, `ip -6 route` or their `-j` forms, several in one text.
///
/// - A route that names no table is in `main`, or in the table of the command shown above it
///   (`# ip route show table 101`); the kernel's own `local`, `broadcast` and `anycast` ones are in
///   `local`. Names of tables become numbers by [`route_table`](super::route_table).
/// - `dead` next hops do not count, and a route that has no other one does not either; `linkdown`
///   ones count, as they do in a kernel that is told nothing else. Cached clones are left out.
/// - The family of `default` is that of its gateway or source, or of what else the line says, or of the
///   routes before it.
/// - A route for some packets alone (`from`, `tos`) is kept without next hops, and an error tells it.
///
/// ```
/// use hookwalk::{RouteKind, RouteTableId};
/// let (routes, errors) = hookwalk::context::routes(
///     "default via 192.168.50.1 dev eth0 metric 100
/// 10.5.0.0/16
///     nexthop via 192.168.50.7 dev eth0 weight 1
///     nexthop via 192.168.60.9 dev eth1 weight 1 dead linkdown
/// local 192.168.50.10 dev eth0 table local proto kernel scope host src 192.168.50.10
/// ",
/// );
/// assert!(errors.is_empty());
/// assert_eq!(routes[0].metric, 100);
/// assert_eq!(routes[1].next_hops.len(), 1);
/// assert_eq!((routes[2].kind, routes[2].table), (RouteKind::Local, RouteTableId::LOCAL));
/// ```
pub fn routes(text: &str) -> (Vec<Route>, Vec<ContextError>) {
    let mut reading = Reading::default();
    for piece in pieces(text) {
        match piece {
            Piece::Line(line) => reading.line(line),
            Piece::Object(at, object) => reading.object(at, &object),
            Piece::Bad(error) => reading.errors.push(error),
        }
    }
    (put_together(&reading.entries), reading.errors)
}

#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    /// What the command above the output tells.
    table: Option<RouteTableId>,
    family: Option<Family>,
    /// Whether the last line was a route, so that continuation lines have one to belong to.
    open: bool,
    errors: Vec<ContextError>,
}

/// A route as it is written.
#[derive(Clone, Debug)]
struct Entry {
    kind: RouteKind,
    destination: Destination,
    /// What tells the family of `default`.
    family: Option<Family>,
    table: Option<RouteTableId>,
    metric: u32,
    /// `proto kernel`
    by_kernel: bool,
    /// A clone that the kernel made of another route.
    cached: bool,
    /// For some packets alone.
    partial: bool,
    /// The next hop in the line itself, then those behind `nexthop`.
    hops: Vec<Hop>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hop {
    next: NextHop,
    dead: bool,
}

impl Entry {
    fn new(kind: RouteKind, destination: Destination) -> Self {
        Entry {
            kind,
            destination,
            family: match destination {
                Destination::All => None,
                Destination::Network(address, _) => Some(Family::of(address)),
            },
            table: None,
            metric: 0,
            by_kernel: false,
            cached: false,
            partial: false,
            hops: vec![Hop::default()],
        }
    }

    fn family_is(&mut self, family: Family) {
        self.family.get_or_insert(family);
    }

    /// The gateway, and the family of a `default` that has it; `via inet6` before it means that
    /// the route itself is of the other family.
    fn via(&mut self, gateway: IpAddr, named: bool) {
        let family = match (Family::of(gateway), named) {
            (family, false) => family,
            (Family::V4, true) => Family::V6,
            (Family::V6, true) => Family::V4,
        };
        self.family_is(family);
        if let Some(hop) = self.hops.last_mut() {
            hop.next.via = Some(gateway).filter(|gateway| !gateway.is_unspecified());
        }
    }

    /// Tells that the route is for some packets alone, which routes here cannot say.
    fn only_for(&mut self, at: Position, what: &str, errors: &mut Vec<ContextError>) {
        self.partial = true;
        errors.push(
            at.error(format!("`{what}` of a route is not supported: where it sends is taken for unknown")),
        );
    }

    fn table(&self) -> RouteTableId {
        let of_kernel = matches!(self.kind, RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast)
            || (self.kind == RouteKind::Multicast && self.family == Some(Family::V6));
        match self.table {
            Some(table) => table,
            None if of_kernel && self.by_kernel => RouteTableId::LOCAL,
            None => RouteTableId::MAIN,
        }
    }

    fn next_hops(&self) -> Option<Vec<NextHop>> {
        let mut hops = self.hops.iter().filter(|hop| hop.next != NextHop::default()).peekable();
        if self.partial || hops.peek().is_none() {
            // Nothing to send by, or nothing known of it (`nhid` alone).
            return (!self.hops.iter().all(|hop| hop.dead)).then(Vec::new);
        }
        let mut live = Vec::new();
        for hop in hops.filter(|hop| !hop.dead) {
            add(&mut live, hop.next);
        }
        (!live.is_empty()).then_some(live)
    }
}

fn put_together(entries: &[Entry]) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let mut ways: HashMap<(RouteTableId, IpAddr, u8, u32), usize> = HashMap::new();
    let mut family = entries.iter().find_map(|entry| entry.family).unwrap_or(Family::V4);
    for entry in entries.iter().filter(|entry| !entry.cached) {
        family = entry.family.unwrap_or(family);
        let (address, prefix_len) = match entry.destination {
            Destination::All => (values::zero(family), 0),
            Destination::Network(address, len) => (address, len),
        };
        let table = entry.table();
        let Some(next_hops) = entry.next_hops() else { continue };
        let Some(mut route) = Route::new(address, prefix_len, NextHop::default()) else { continue };
        (route.table, route.kind, route.metric, route.next_hops) =
            (table, entry.kind, entry.metric, next_hops);
        // IPv6 lists the next hops of one route as routes of one metric.
        if entry.kind == RouteKind::Unicast && address.is_ipv6() {
            let key = (table, address, prefix_len, entry.metric);
            if let Some(first) = ways.get(&key).and_then(|&at| routes.get_mut(at)) {
                join(first, &route);
                continue;
            }
            ways.insert(key, routes.len());
        }
        routes.push(route);
    }
    routes
}

/// Adds another one's next hops; none at all says that they are unknown.
fn join(route: &mut Route, other: &Route) {
    if route.next_hops.is_empty() || other.next_hops.is_empty() {
        route.next_hops.clear();
        return;
    }
    for hop in &other.next_hops {
        add(&mut route.next_hops, *hop);
    }
}

/// Adds a next hop that is not there yet. Past some hundreds none is told apart from more.
fn add(hops: &mut Vec<NextHop>, hop: NextHop) {
    const MOST: usize = 256;
    if hops.len() < MOST && !hops.contains(&hop) {
        hops.push(hop);
    }
}

/// Where a route leads.
#[derive(Clone, Copy, Debug)]
enum Destination {
    /// `default`, which does not tell its family.
    All,
    Network(IpAddr, u8),
}

impl Destination {
    fn read(word: &str) -> Option<Self> {
        if word == "default" {
            return Some(Destination::All);
        }
        values::prefix(word).map(|(address, len)| Destination::Network(address, len))
    }
}

const DESTINATION: &str = "the destination of a route such as `default` or 10.0.0.0/8";

/// What a route does by its word, or by its number as `ip -N` prints it.
fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" | "1" => RouteKind::Unicast,
        "local" | "2" => RouteKind::Local,
        "broadcast" | "3" => RouteKind::Broadcast,
        "anycast" | "4" => RouteKind::Anycast,
        "multicast" | "5" => RouteKind::Multicast,
        "blackhole" | "6" => RouteKind::Blackhole,
        "unreachable" | "7" => RouteKind::Unreachable,
        "prohibit" | "8" => RouteKind::Prohibit,
        "throw" | "9" => RouteKind::Throw,
        _ => return None,
    })
}

/// The metric; `ip` prints the highest one as -1 too.
fn metric(text: &str) -> Option<u32> {
    if text == "-1" { Some(u32::MAX) } else { values::number(text) }
}

#[cfg(test)]
mod tests;
