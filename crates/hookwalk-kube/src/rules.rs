//! Chains and rules by name, and what a rule says in kube-proxy's terms.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use hookwalk_engine::RuleRef;
use hookwalk_parser::extensions::{
    AddressType, AddrtypeMatch, Match, RecentMatch, StatisticMatch, StatisticMode, Target,
};
use hookwalk_parser::types::{Family, MaskedAddress, Negatable, PortRange, Protocol};
use hookwalk_parser::{Chain, Dump, Rule, Table};
use rustc_hash::FxHashMap;

/// Where a rule stands: indexes into the dumps, the rule from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct At {
    pub(crate) dump: usize,
    table: usize,
    chain: usize,
    pub(crate) rule: usize,
}

/// One table of one dump, its chains by name.
pub(crate) struct TableView<'d> {
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    dump: usize,
    index: usize,
    table: &'d Table,
    chains: FxHashMap<&'d [u8], usize>,
}

/// The nat and filter tables of a node's dumps.
pub(crate) struct Tables<'d> {
    dumps: &'d [Dump],
    views: Vec<TableView<'d>>,
}

impl<'d> Tables<'d> {
    pub(crate) fn new(dumps: &'d [Dump]) -> Self {
        let mut views: Vec<TableView<'d>> = Vec::new();
        for (dump, read) in dumps.iter().enumerate() {
            for (index, table) in read.tables().iter().enumerate() {
                let Some(name) = ["nat", "filter"].into_iter().find(|name| table.name == *name) else {
                    continue;
                };
                let family = table.family.unwrap_or(Family::V4);
                let chains =
                    table.chains.iter().enumerate().map(|(at, chain)| (chain.name.as_bytes(), at)).collect();
                // Of two tables of one name in a dump the later one holds.
                views.retain(|view| {
                    let same = view.dump == dump && view.name == name && view.family == family;
                    !(same && view.table.backend == table.backend)
                });
                views.push(TableView { name, family, dump, index, table, chains });
            }
        }
        Tables { dumps, views }
    }

    /// The tables of this name, in the order of the dumps.
    pub(crate) fn named(&self, name: &'static str) -> impl Iterator<Item = &TableView<'d>> {
        self.views.iter().filter(move |view| view.name == name)
    }

    pub(crate) fn reference(&self, at: At) -> Option<RuleRef> {
        RuleRef::new(self.dumps, at.dump, at.table, at.chain, Some(at.rule))
    }

    /// A chain itself: where it is declared.
    pub(crate) fn chain_reference(&self, view: &TableView<'d>, chain: &str) -> Option<RuleRef> {
        let chain = view.chains.get(chain.as_bytes())?;
        RuleRef::new(self.dumps, view.dump, view.index, *chain, None)
    }

    pub(crate) fn rule(&self, at: At) -> Option<&'d Rule> {
        self.dumps.get(at.dump)?.tables().get(at.table)?.chains.get(at.chain)?.rules.get(at.rule)
    }

    pub(crate) fn line(&self, at: At) -> Option<u32> {
        self.rule(at).map(|rule| rule.line)
    }
}

impl<'d> TableView<'d> {
    pub(crate) fn chains(&self) -> &'d [Chain] {
        &self.table.chains
    }

    pub(crate) fn chain(&self, name: &[u8]) -> Option<&'d Chain> {
        self.table.chains.get(*self.chains.get(name)?)
    }

    /// The rules of a chain in order, each with its place; none when there is no such chain.
    pub(crate) fn rules(&self, name: &[u8]) -> impl Iterator<Item = (At, &'d Rule)> + Clone + use<'d> {
        let (dump, table) = (self.dump, self.index);
        let chain = self.chains.get(name).copied();
        let rules = chain.and_then(|chain| self.table.chains.get(chain)).map_or(&[][..], |c| &c.rules);
        let chain = chain.unwrap_or_default();
        rules.iter().enumerate().map(move |(rule, read)| (At { dump, table, chain, rule }, read))
    }
}

/// The prefixes of chains that belong to one Service port or endpoint; 16 digits follow.
pub(crate) const SVC: &str = "KUBE-SVC-";
pub(crate) const SVL: &str = "KUBE-SVL-";
pub(crate) const EXT: &str = "KUBE-EXT-";
pub(crate) const FW: &str = "KUBE-FW-";
pub(crate) const XLB: &str = "KUBE-XLB-";
pub(crate) const SEP: &str = "KUBE-SEP-";
pub(crate) const MARK_MASQ: &str = "KUBE-MARK-MASQ";
pub(crate) const MARK_DROP: &str = "KUBE-MARK-DROP";

/// The hash in a chain name of one Service port, and the prefix before it.
pub(crate) fn service_chain(name: &[u8]) -> Option<(&'static str, &str)> {
    let name = std::str::from_utf8(name).ok()?;
    [SVC, SVL, EXT, FW, XLB].into_iter().find_map(|prefix| Some((prefix, name.strip_prefix(prefix)?)))
}

/// The user chain that a rule jumps or goes to.
pub(crate) fn jump(rule: &Rule) -> Option<&[u8]> {
    match &rule.target {
        Target::Jump(chain) | Target::Goto(chain) => Some(chain.as_bytes()),
        _ => None,
    }
}

/// Whether the rule marks the packet for masquerading or dropping: by kube-proxy's chain.
pub(crate) fn jumps_to(rule: &Rule, chain: &str) -> bool {
    jump(rule) == Some(chain.as_bytes())
}

/// The first comment.
pub(crate) fn comment(rule: &Rule) -> Option<Cow<'_, str>> {
    rule.comments().next().map(hookwalk_parser::types::Text::to_str)
}

/// The one address of `-d`.
pub(crate) fn host_destination(rule: &Rule) -> Option<IpAddr> {
    host(rule.base.destination()?)
}

/// The one address of `-s`.
pub(crate) fn host_source(rule: &Rule) -> Option<IpAddr> {
    host(rule.base.source()?)
}

fn host(address: Negatable<MaskedAddress>) -> Option<IpAddr> {
    let one = address.value.address();
    (!address.negated && address.value == MaskedAddress::host(one)).then_some(one)
}

/// The protocol and the one port of `--dport`.
pub(crate) fn port(rule: &Rule) -> Option<(Protocol, u16)> {
    let protocol = rule.base.protocol().filter(|protocol| !protocol.negated)?.value;
    let one = |port: Option<Negatable<PortRange>>| {
        port.filter(|port| !port.negated && port.value.first == port.value.last).map(|port| port.value.first)
    };
    let port = rule.matches.iter().find_map(|m| match m {
        Match::Tcp(m) => one(m.dport),
        Match::Udp(m) => one(m.dport),
        Match::Sctp(m) => one(m.dport),
        _ => None,
    })?;
    Some((protocol, port))
}

fn addrtype(rule: &Rule) -> impl Iterator<Item = &AddrtypeMatch> {
    rule.matches.iter().filter_map(|m| match m {
        Match::Addrtype(m) => Some(m),
        _ => None,
    })
}

/// `-m addrtype --dst-type LOCAL`
pub(crate) fn asks_local_destination(rule: &Rule) -> bool {
    addrtype(rule).any(|m| m.dst_type.is_some_and(|t| !t.negated && t.value.contains(AddressType::Local)))
}

/// `-m addrtype --src-type LOCAL`
pub(crate) fn asks_local_source(rule: &Rule) -> bool {
    addrtype(rule).any(|m| m.src_type.is_some_and(|t| !t.negated && t.value.contains(AddressType::Local)))
}

/// What a rule leaves to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    /// It always matches.
    Always,
    /// With this chance, of 2^31.
    Random(u32),
    /// By something else than one draw.
    Other,
}

pub(crate) fn draw(rule: &Rule) -> Draw {
    let mut found = Draw::Always;
    for m in &rule.matches {
        let Match::Statistic(StatisticMatch { mode, probability, .. }) = m else { continue };
        found = match (found, mode, probability) {
            (Draw::Always, Some(StatisticMode::Random), Some(p)) if !p.negated => {
                Draw::Random(p.value.numerator())
            }
            _ => Draw::Other,
        };
    }
    found
}

pub(crate) fn recent(rule: &Rule) -> Option<&RecentMatch> {
    rule.matches.iter().find_map(|m| match m {
        Match::Recent(m) => Some(&**m),
        _ => None,
    })
}

/// The one address and port that the rule sends to.
pub(crate) fn dnat(rule: &Rule) -> Option<SocketAddr> {
    let Target::Dnat(target) = &rule.target else { return None };
    let address = target.to.addresses.filter(|range| range.first == range.last)?.first;
    let port = target.to.ports.filter(|ports| ports.first == ports.last)?.first;
    Some(SocketAddr::new(address, port))
}

/// Whether `KUBE-SERVICES` asks sets of addresses, as kube-proxy writes it in ipvs mode.
pub(crate) fn has_ipvs(tables: &Tables<'_>, family: Family) -> bool {
    let asks = |m: &Match| match m {
        Match::Set(m) => {
            m.match_set.as_ref().is_some_and(|asked| asked.value.name.as_bytes().ends_with(b"CLUSTER-IP"))
        }
        _ => false,
    };
    let mut nats = tables.named("nat").filter(|view| view.family == family);
    nats.any(|nat| nat.rules(b"KUBE-SERVICES").any(|(_, rule)| rule.matches.iter().any(asks)))
}
