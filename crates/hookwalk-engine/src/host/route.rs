use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hookwalk_parser::extensions::AddressType;
use hookwalk_parser::types::MarkMask;
use ipnet::IpNet;

use super::prefixes::Prefixes;
use crate::packet::InterfaceName;

/// The number of a routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteTableId(
    /// As `ip route show table N` takes it.
    pub u32,
);

impl RouteTableId {
    /// Where routes go that name no table.
    pub const MAIN: RouteTableId = RouteTableId(254);
    /// The node's own and broadcast addresses.
    pub const LOCAL: RouteTableId = RouteTableId(255);
    /// Looked up last.
    pub const DEFAULT: RouteTableId = RouteTableId(253);
}

/// What a route does (ip-route(8), TYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Sends on.
    Unicast,
    /// Delivers to this node.
    Local,
    /// Delivers as a broadcast.
    Broadcast,
    /// Delivers as a multicast.
    Multicast,
    /// Delivers to the nearest of several nodes.
    Anycast,
    /// Drops silently.
    Blackhole,
    /// Answers host unreachable.
    Unreachable,
    /// Answers administratively prohibited.
    Prohibit,
    /// Ends the lookup in its table.
    Throw,
}

/// Where a route sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NextHop {
    /// The gateway; none when the destination is on the link.
    pub via: Option<IpAddr>,
    /// The interface.
    pub interface: Option<InterfaceName>,
}

/// One route of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The table it stands in.
    pub table: RouteTableId,
    /// What it does.
    pub kind: RouteKind,
    /// Which destinations it covers.
    destination: IpNet,
    /// The lower one wins among routes of one prefix.
    pub metric: u32,
    /// Where it sends; several with `nexthop`.
    pub next_hops: Vec<NextHop>,
}

impl Route {
    /// A unicast route of the table `main`; none when the prefix is longer than the address.
    pub fn new(destination: IpAddr, prefix_len: u8, next_hop: NextHop) -> Option<Self> {
        let destination = IpNet::new(destination, prefix_len).ok()?.trunc();
        let (table, kind) = (RouteTableId::MAIN, RouteKind::Unicast);
        Some(Route { table, kind, destination, metric: 0, next_hops: vec![next_hop] })
    }

    /// The only next hop; nothing is known of several.
    fn hop(&self) -> NextHop {
        match self.next_hops.as_slice() {
            [only] => *only,
            _ => NextHop::default(),
        }
    }

    fn is_by(&self, interface: InterfaceName) -> bool {
        self.next_hops.iter().any(|hop| hop.interface == Some(interface))
    }
}

/// One rule that chooses a table (ip-rule(8)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingRule {
    /// Lower ones come first.
    pub priority: u32,
    /// `not`: holds when the rest does not.
    pub not: bool,
    /// `from`: address and prefix length.
    pub from: Option<(IpAddr, u8)>,
    /// `to`: address and prefix length.
    pub to: Option<(IpAddr, u8)>,
    /// `fwmark`
    pub fwmark: Option<MarkMask>,
    /// `iif`; `lo` for packets of local processes.
    pub in_interface: Option<InterfaceName>,
    /// What it does when it holds.
    pub action: RoutingAction,
}

/// What a routing rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutingAction {
    /// Looks the destination up in a table.
    Lookup(RouteTableId),
    /// Drops silently.
    Blackhole,
    /// Answers network unreachable.
    Unreachable,
    /// Answers administratively prohibited.
    Prohibit,
    /// The rule has a selector that is not understood.
    Unknown,
}

/// What routing makes of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    /// To this node.
    Local,
    /// To all on a link; the interface is none where each may be meant.
    Broadcast(NextHop),
    /// On to a next hop; the interface is none where several are as good.
    Forward(NextHop),
    /// Nowhere.
    Refused(&'static str),
    /// The routes given do not tell.
    Unknown,
}

/// What the choice of a route looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteKey {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) mark: u32,
    pub(crate) in_interface: InterfaceName,
    /// The interface that it has to leave by, where there is one.
    pub(crate) out_interface: Option<InterfaceName>,
}

impl RouteKey {
    /// Of a packet to an address that has no source yet.
    pub(crate) fn to(dst: IpAddr) -> Self {
        let (src, in_interface) = (Self::nobody(dst), InterfaceName::LOOPBACK);
        RouteKey { src, dst, mark: 0, in_interface, out_interface: None }
    }

    /// The source of what has none yet, like `like` of its family.
    pub(crate) fn nobody(like: IpAddr) -> IpAddr {
        if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
    }
}

/// The tables and the rules that choose among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoutingTables {
    tables: BTreeMap<RouteTableId, RouteTable>,
    rules: Option<Vec<RoutingRule>>,
    /// Routes or rules may be missing from what was told.
    pub(super) lack: bool,
}

/// The routes of one table.
#[derive(Clone, Debug, Default)]
struct RouteTable {
    /// Longest prefix first, then lowest metric.
    routes: Vec<Route>,
    /// Where they lead, as places among them.
    prefixes: Prefixes,
}

impl RouteTable {
    fn sort(&mut self) {
        self.routes.sort_by_key(|route| (std::cmp::Reverse(route.destination.prefix_len()), route.metric));
        self.prefixes = Prefixes::new(self.routes.iter().map(|route| route.destination).zip(0..));
    }

    /// The routes that cover an address, the best one first.
    fn covering(&self, address: IpAddr) -> impl Iterator<Item = &Route> {
        self.prefixes.holding(address).filter_map(|place| self.routes.get(place as usize))
    }
}

impl RoutingTables {
    pub(super) fn add_routes(&mut self, routes: Vec<Route>) {
        for route in routes {
            self.tables.entry(route.table).or_default().routes.push(route);
        }
        self.tables.entry(RouteTableId::MAIN).or_default();
        self.tables.values_mut().for_each(RouteTable::sort);
    }

    pub(super) fn set_rules(&mut self, mut rules: Vec<RoutingRule>) {
        rules.sort_by_key(|rule| rule.priority);
        self.rules.get_or_insert_default().extend(rules);
    }

    /// The one address that a route of its own sends to by an interface.
    pub(super) fn host_behind(&self, interface: InterfaceName) -> Option<IpAddr> {
        let routes = self
            .tables
            .values()
            .flat_map(|table| &table.routes)
            .filter(|route| route.kind == RouteKind::Unicast);
        let mut own = routes.filter(|route| {
            route.destination.prefix_len() == route.destination.max_prefix_len()
                && route.next_hops.iter().any(|hop| hop.via.is_none() && hop.interface == Some(interface))
        });
        own.next().map(|route| route.destination.addr())
    }

    /// Whether any routes are known.
    pub(crate) fn is_known(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Whether the routing rules are known, not the kernel's own assumed.
    pub(crate) fn rules_are_known(&self) -> bool {
        self.rules.is_some()
    }

    /// Whether there are routing rules beside the three that the kernel makes.
    pub(crate) fn has_custom_rules(&self) -> bool {
        let is_kernels = |rule: &RoutingRule| {
            let kernels = [RouteTableId::LOCAL, RouteTableId::MAIN, RouteTableId::DEFAULT];
            matches!(rule.action, RoutingAction::Lookup(table) if kernels.contains(&table))
                && !rule.not
                && (rule.from, rule.to, rule.fwmark, rule.in_interface) == (None, None, None, None)
        };
        self.rules.as_ref().is_some_and(|rules| !rules.iter().all(is_kernels))
    }

    /// Whether the table `local` is known for an address's family.
    pub(crate) fn tells_local(&self, address: IpAddr) -> bool {
        self.tables.get(&RouteTableId::LOCAL).is_some_and(|local| local.prefixes.have_family(address))
    }

    /// What the table `local` says of an address, where that table is known for the address's family.
    pub(super) fn address_type(&self, address: IpAddr) -> Option<AddressType> {
        let local = self.tables.get(&RouteTableId::LOCAL)?;
        if !local.prefixes.have_family(address) {
            return None;
        }
        let route = local.covering(address).next();
        // The first address of a local network is that of its routers (RFC 4291, 2.6.1).
        let is_routers = |route: &Route| {
            let IpNet::V6(net) = route.destination else { return false };
            route.kind == RouteKind::Local && net.prefix_len() < 128 && IpAddr::V6(net.network()) == address
        };
        let kind = route.map(|route| if is_routers(route) { RouteKind::Anycast } else { route.kind });
        if self.lack && kind.is_none() {
            return None;
        }
        Some(match kind {
            Some(RouteKind::Local) => AddressType::Local,
            Some(RouteKind::Broadcast) => AddressType::Broadcast,
            Some(RouteKind::Multicast) => AddressType::Multicast,
            Some(RouteKind::Anycast) => AddressType::Anycast,
            _ => AddressType::Unicast,
        })
    }

    /// Looks a destination up as the kernel does (`net/ipv4/fib_rules.c`): rules by priority, in each
    /// table the longest prefix; a table without a route leaves it to the next rule.
    pub(crate) fn route(&self, key: &RouteKey) -> Routed {
        match self.find(key) {
            Ok(route) => match route.kind {
                RouteKind::Local | RouteKind::Anycast => Routed::Local,
                RouteKind::Broadcast => Routed::Broadcast(route.hop()),
                RouteKind::Multicast => Routed::Broadcast(NextHop::default()),
                RouteKind::Unicast => Routed::Forward(route.hop()),
                RouteKind::Blackhole => Routed::Refused("a route `blackhole`"),
                RouteKind::Unreachable => Routed::Refused("a route `unreachable`"),
                RouteKind::Prohibit => Routed::Refused("a route `prohibit`"),
                RouteKind::Throw => NO_ROUTE,
            },
            Err(routed) => routed,
        }
    }

    /// Whether IPv6 takes a destination for anycast: the first address of a network on the link
    /// (kernel: `include/net/ip6_route.h`, `ipv6_anycast_destination`).
    pub(crate) fn is_anycast(&self, key: &RouteKey) -> bool {
        let Ok(route) = self.find(key) else { return false };
        let IpNet::V6(net) = route.destination else { return false };
        let of_link = route.next_hops.iter().all(|hop| hop.via.is_none());
        let leads = matches!(route.kind, RouteKind::Unicast | RouteKind::Local);
        route.kind == RouteKind::Anycast
            || leads && of_link && net.prefix_len() < 127 && IpAddr::V6(net.network()) == key.dst
    }

    /// Whether the table `local` has a route of this node's own addresses for one.
    pub(crate) fn has_local(&self, address: IpAddr) -> bool {
        let route = self.tables.get(&RouteTableId::LOCAL).and_then(|local| local.covering(address).next());
        route.is_some_and(|route| route.kind == RouteKind::Local)
    }

    /// Every next hop of the route to a destination that is another host's; none where there is no such
    /// route.
    pub(crate) fn next_hops(&self, key: &RouteKey) -> &[NextHop] {
        match self.find(key) {
            Ok(route) if route.kind == RouteKind::Unicast => &route.next_hops,
            _ => &[],
        }
    }

    /// The next hop of the route that leaves by the interface that the packet came by, of all tables that rules
    /// choose.
    pub(crate) fn route_back(&self, key: &RouteKey) -> Option<NextHop> {
        let by = |hop: &&NextHop| hop.interface == Some(key.in_interface);
        let route = self.find_of(key, |route| route.is_by(key.in_interface)).ok()?;
        route.next_hops.iter().find(by).filter(|_| route.kind == RouteKind::Unicast).copied()
    }

    /// The interface of the local route to an address of this node.
    pub(crate) fn local_by(&self, address: IpAddr) -> Option<InterfaceName> {
        let route = self.tables.get(&RouteTableId::LOCAL)?.covering(address).next()?;
        route.next_hops.first()?.interface
    }

    fn find(&self, key: &RouteKey) -> Result<&Route, Routed> {
        self.find_of(key, |route| key.out_interface.is_none_or(|by| route.is_by(by)))
    }

    /// The route to a destination, of those that come into question.
    fn find_of(&self, key: &RouteKey, wanted: impl Fn(&Route) -> bool) -> Result<&Route, Routed> {
        if self.lack {
            return Err(Routed::Unknown);
        }
        let default = [RouteTableId::LOCAL, RouteTableId::MAIN, RouteTableId::DEFAULT];
        let Some(rules) = &self.rules else {
            // Tables that the kernel's own rules do not look into are there because other rules do.
            if self.tables.keys().any(|table| !default.contains(table)) {
                return Err(Routed::Unknown);
            }
            let found = default.into_iter().find_map(|table| self.lookup(table, key.dst, &wanted));
            return found.ok_or(NO_ROUTE);
        };
        for rule in rules.iter().filter(|rule| rule.holds(key)) {
            match rule.action {
                RoutingAction::Lookup(table) => {
                    if let Some(route) = self.lookup(table, key.dst, &wanted) {
                        return Ok(route);
                    }
                }
                RoutingAction::Blackhole => return Err(Routed::Refused("a routing rule `blackhole`")),
                RoutingAction::Unreachable => return Err(Routed::Refused("a routing rule `unreachable`")),
                RoutingAction::Prohibit => return Err(Routed::Refused("a routing rule `prohibit`")),
                RoutingAction::Unknown => return Err(Routed::Unknown),
            }
        }
        Err(NO_ROUTE)
    }

    fn lookup(&self, table: RouteTableId, dst: IpAddr, wanted: &impl Fn(&Route) -> bool) -> Option<&Route> {
        let route = self.tables.get(&table)?.covering(dst).find(|route| wanted(route))?;
        (route.kind != RouteKind::Throw).then_some(route)
    }
}

const NO_ROUTE: Routed = Routed::Refused("no route to the destination");

impl RoutingRule {
    fn holds(&self, key: &RouteKey) -> bool {
        let within = |prefix: Option<(IpAddr, u8)>, address: IpAddr| {
            prefix.is_none_or(|(net, len)| IpNet::new(net, len).is_ok_and(|net| net.contains(&address)))
        };
        let all = within(self.from, key.src)
            && within(self.to, key.dst)
            && self.fwmark.is_none_or(|wanted| wanted.matches(key.mark))
            && self.in_interface.is_none_or(|wanted| wanted == key.in_interface);
        all != self.not
    }
}
