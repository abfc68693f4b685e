//! Rulesets out of the typed rules of a dump, with the packets at which they change their mind.

use std::net::IpAddr;

use hookwalk_parser::extensions::{IcmpType, Match, MultiportPorts, Target as Typed};
use hookwalk_parser::types::{AddressRange, Family, InterfacePattern, MaskedAddress, Negatable, PortRange};
use hookwalk_parser::{BaseMatches, Dump, Policy, Reader};

use super::draw::{around, around_address, condition};
use super::{Chain, Condition, Hint, Rule, Ruleset, Set, Table, Target};

const TABLES: [&str; 5] = ["raw", "mangle", "nat", "filter", "security"];

impl Ruleset {
    /// The rules of one family of a dump: to aim packets at, to shrink, to print again. Sets are not in a
    /// dump, so there are none; tables that iptables does not have are left out.
    ///
    /// ```
    /// use hookwalk_testkit::packets::aimed_at;
    /// use hookwalk_testkit::{Family, ruleset::Ruleset, topology::Topology};
    ///
    /// let dump = hookwalk_parser::parse("*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp --dport 500:510 -j ACCEPT\nCOMMIT\n");
    /// let ruleset = Ruleset::of_dump(&dump, Family::V4);
    /// let packets = aimed_at(&ruleset, &Topology::default(), 1, 200);
    /// for port in [499, 500, 510, 511] {
    ///     assert!(packets.iter().any(|packet| packet.dport == port));
    /// }
    /// ```
    pub fn of_dump(dump: &Dump, family: Family) -> Self {
        let of_family = dump.tables().iter().filter(|table| table.family.is_none_or(|f| f == family));
        let tables = of_family.filter_map(|table| {
            let name = TABLES.into_iter().find(|name| name.as_bytes() == table.name.as_bytes())?;
            let chains = table.chains.iter().map(|chain| Chain {
                name: chain.name.to_str().into_owned(),
                policy: match chain.policy {
                    Some(Policy::Drop) => Some("DROP"),
                    Some(_) => Some("ACCEPT"),
                    None => table.is_builtin(chain.name.as_bytes()).then_some("ACCEPT"),
                },
                rules: chain.rules.iter().map(|rule| read(rule, family)).collect(),
            });
            Some(Table { name, chains: chains.collect() })
        });
        Self { family, sets: vec![], tables: tables.collect() }
    }

    /// The same of texts: what `iptables-save` and `ipset save` print.
    pub fn read(family: Family, sets: &str, rules: &str) -> Self {
        let dump = Reader::new().family(family).parse(rules);
        Self { sets: read_sets(sets), ..Self::of_dump(&dump, family) }
    }
}

/// `create` lines, each with the `add` lines of its set.
fn read_sets(text: &str) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (verb, name) = (words.next(), words.next().unwrap_or_default());
        if verb == Some("create") {
            sets.push(Set { name: name.to_owned(), dimensions: 1, text: String::new(), elements: vec![] });
        }
        if let Some(set) = sets.iter_mut().find(|set| set.name == name) {
            set.text.extend([line, "\n"]);
        }
    }
    sets
}

fn read(rule: &hookwalk_parser::Rule, family: Family) -> Rule {
    let mut conditions: Vec<Condition> = rule
        .base
        .options()
        .into_iter()
        .map(|option| Condition {
            ext: "",
            text: option.to_string(),
            edges: one_way_each(base(&rule.base.unpack(), option.name)),
        })
        .collect();
    conditions.extend(rule.matches.iter().map(|part| Condition {
        ext: Match::NAMES.iter().find(|name| **name == part.name()).unwrap_or(&""),
        text: part.text(Some(family)),
        edges: one_way_each(hints(part)),
    }));
    let ext = match &rule.target {
        Typed::Jump(_) | Typed::Goto(_) => &"",
        target => Typed::NAMES.iter().find(|name| **name == target.name()).unwrap_or(&""),
    };
    let edges = one_way_each(rewritten(&rule.target));
    Rule { conditions, target: Target { ext, text: rule.target.text(Some(family)), edges } }
}

fn one_way_each(hints: Vec<Hint>) -> Vec<Vec<Hint>> {
    condition("", "", hints).edges
}

/// The packets at which an option that needs no `-m` changes its mind.
fn base(base: &BaseMatches, option: &str) -> Vec<Hint> {
    let at = |address: Option<Negatable<MaskedAddress>>, hint: fn(IpAddr) -> Hint| {
        let edges = address.into_iter().flat_map(|address| around_masked(address.value));
        edges.map(hint).collect()
    };
    match option {
        "-s" => at(base.source, Hint::Source),
        "-d" => at(base.destination, Hint::Destination),
        "-i" => base.in_interface.iter().map(|name| Hint::In(interface(&name.value))).collect(),
        "-p" => base.protocol.iter().map(|protocol| Hint::Protocol(protocol.value.0)).collect(),
        "-f" => vec![Hint::LaterFragment],
        _ => vec![],
    }
}

/// An interface that is meant.
fn interface(pattern: &InterfacePattern) -> String {
    let name = String::from_utf8_lossy(pattern.name()).into_owned();
    if pattern.is_prefix() { name + "0" } else { name }
}

fn around_masked(address: MaskedAddress) -> [IpAddr; 6] {
    match address {
        MaskedAddress::V4 { address, mask } => around_address(address.into(), mask.into()),
        MaskedAddress::V6 { address, mask } => around_address(address.into(), mask.into()),
    }
}

/// The packets at which a match changes its mind; none for one that looks at something else.
fn hints(part: &Match) -> Vec<Hint> {
    let mut hints = Vec::new();
    let ports = |ports: Option<Negatable<PortRange>>, hint: fn(u16) -> Hint| {
        ports.into_iter().flat_map(|ports| around((ports.value.first, ports.value.last))).map(hint)
    };
    let source_ports = |range| ports(range, Hint::SourcePort);
    let destination_ports = |range| ports(range, Hint::DestinationPort);
    match part {
        Match::Tcp(tcp) => {
            hints.extend(source_ports(tcp.sport).chain(destination_ports(tcp.dport)));
            hints.extend(tcp.flags.map(|flags| Hint::Flags(flags.value.mask.0, flags.value.set.0)));
        }
        Match::Udp(udp) => hints.extend(source_ports(udp.sport).chain(destination_ports(udp.dport))),
        Match::Udplite(udp) => hints.extend(source_ports(udp.sport).chain(destination_ports(udp.dport))),
        Match::Sctp(sctp) => hints.extend(source_ports(sctp.sport).chain(destination_ports(sctp.dport))),
        Match::Multiport(multiport) => {
            let (list, hint): (_, fn(u16) -> Hint) = match &multiport.ports {
                Some(MultiportPorts::Source(list)) => (list, Hint::SourcePort),
                Some(MultiportPorts::Destination(list) | MultiportPorts::Either(list)) => {
                    (list, Hint::DestinationPort)
                }
                None => return hints,
            };
            hints.extend(list.value.0.iter().flat_map(|range| around((range.first, range.last))).map(hint));
        }
        Match::Icmp(icmp) => {
            if let Some(Negatable { value: IcmpType::Type { icmp_type, code }, .. }) = icmp.icmp_type {
                hints.extend([Hint::Icmp(icmp_type, code.unwrap_or(0)), Hint::Icmp(icmp_type, 1)]);
            }
        }
        Match::Icmp6(icmp) => {
            if let Some(Negatable { value, .. }) = icmp.icmp_type {
                hints.extend([
                    Hint::Icmp(value.icmp_type, value.code.unwrap_or(0)),
                    Hint::Icmp(value.icmp_type, 1),
                ]);
            }
        }
        Match::Iprange(range) => {
            let ends = |AddressRange { first, last }| {
                [around_masked(MaskedAddress::host(first)), around_masked(MaskedAddress::host(last))].concat()
            };
            hints.extend(range.source.iter().flat_map(|range| ends(range.value.0)).map(Hint::Source));
            hints.extend(
                range.destination.iter().flat_map(|range| ends(range.value.0)).map(Hint::Destination),
            );
        }
        Match::Mark(mark) => {
            hints.extend(mark.mark.iter().flat_map(|mark| {
                [Hint::Mark(mark.value.value), Hint::Mark(mark.value.value ^ mark.value.mask)]
            }));
        }
        Match::Length(length) => {
            hints.extend(
                length
                    .length
                    .iter()
                    .flat_map(|range| around((range.value.first, range.value.last)).map(Hint::Length)),
            );
        }
        Match::Ttl(ttl) => {
            let values = [ttl.equal.map(|equal| equal.value), ttl.less, ttl.greater];
            hints.extend(values.into_iter().flatten().flat_map(around_hops));
        }
        Match::Hl(hl) => {
            let values = [hl.equal.map(|equal| equal.value), hl.less, hl.greater];
            hints.extend(values.into_iter().flatten().flat_map(around_hops));
        }
        Match::Tos(tos) => {
            hints.extend(tos.tos.iter().flat_map(|tos| {
                [
                    Hint::Tos(tos.value.value),
                    Hint::Tos(tos.value.value | !tos.value.mask),
                    Hint::Tos(tos.value.value ^ 4),
                ]
            }));
        }
        Match::Dscp(dscp) => {
            hints.extend(
                dscp.dscp
                    .iter()
                    .flat_map(|dscp| [Hint::Tos(dscp.value.0 << 2), Hint::Tos((dscp.value.0 ^ 1) << 2)]),
            );
        }
        _ => {}
    }
    hints
}

fn around_hops(hops: u8) -> [Hint; 3] {
    [hops, hops.saturating_sub(1).max(1), hops.saturating_add(1)].map(Hint::Ttl)
}

/// Where the packet goes on as another one.
fn rewritten(target: &Typed) -> Vec<Hint> {
    let Typed::Dnat(dnat) = target else { return vec![] };
    let address = dnat.to.addresses.map(|range| Hint::Destination(range.first));
    let port = dnat.to.ports.map(|range| Hint::DestinationPort(range.first));
    address.into_iter().chain(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Topology;

    #[test]
    fn a_ruleset_that_was_read_again_is_the_same() {
        for seed in 0..60 {
            let family = if seed % 2 == 0 { Family::V4 } else { Family::V6 };
            let drawn = Ruleset::random(seed, family, &Topology::default());
            let dump = hookwalk_parser::parse(drawn.to_string());
            let read = Ruleset::read(family, &drawn.sets_text(), &drawn.to_string());
            assert_eq!(read.sets_text(), drawn.sets_text());
            let again = hookwalk_parser::parse(read.to_string());
            assert_eq!(
                String::from_utf8_lossy(&dump.canonical()),
                String::from_utf8_lossy(&again.canonical()),
                "{drawn}\n{read}"
            );
            let extensions = |ruleset: &Ruleset| -> Vec<&str> {
                ruleset.rules().map(|rule| rule.target.ext).filter(|ext| *ext != "NOTRACK").collect()
            };
            assert_eq!(extensions(&drawn), extensions(&read));
        }
    }

    #[test]
    fn what_was_not_understood_stays() {
        let text = "*filter\n:INPUT DROP [0:0]\n-A INPUT -m nosuch --bogus 1 -j ACCEPT\nCOMMIT\n";
        let ruleset = Ruleset::of_dump(&hookwalk_parser::parse(text), Family::V4);
        assert_eq!(ruleset.to_string(), text);
    }
}
