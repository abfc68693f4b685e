//! Small rulesets of either family: rules as parts of `iptables-restore` text that each know at which packets
//! they change their mind, and random ones from a seed.
//!
//! ```
//! use hookwalk_testkit::{Family, ruleset::Ruleset, topology::Topology};
//!
//! let ruleset = Ruleset::random(7, Family::V6, &Topology::default());
//! assert_eq!(ruleset, Ruleset::random(7, Family::V6, &Topology::default()));
//! assert!(ruleset.to_string().starts_with("*"));
//! ```

#[cfg(feature = "arbitrary1")]
mod arbitrary;
mod draw;
mod matches;
mod random;
mod read;
mod sets;
mod shrink;
mod spec;
#[cfg(feature = "proptest1")]
mod strategy;
mod targets;

use std::fmt;
use std::net::IpAddr;

use hookwalk_parser::types::Family;

pub use matches::{MATCHES, MatchKind};
pub use spec::Spec;
#[cfg(feature = "proptest1")]
pub use strategy::{addresses, port_ranges, ports, prefixes, rules, rulesets, tables};
pub use targets::{TARGETS, TargetKind};

/// One field of a packet, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Its source address.
    Source(IpAddr),
    /// Its destination address.
    Destination(IpAddr),
    /// Its protocol.
    Protocol(u8),
    /// Its source port.
    SourcePort(u16),
    /// Its destination port.
    DestinationPort(u16),
    /// Those of its TCP flags that the first names are the second.
    Flags(u8, u8),
    /// Its ICMP type and code.
    Icmp(u8, u8),
    /// The interface it comes by.
    In(String),
    /// Its type of service.
    Tos(u8),
    /// Its time to live.
    Ttl(u8),
    /// Its length from the IP header on, or one byte less or more than can be.
    Length(u16),
    /// The mark of a packet sent by a local process.
    Mark(u32),
    /// It is a later part of a packet.
    LaterFragment,
}

/// A condition of a rule: its text, and ways for a packet to stand just within it or just beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The extension; empty for what needs no `-m`.
    pub ext: &'static str,
    /// As `iptables-restore` reads it.
    pub text: String,
    /// Each way is what all has to be so. The first ones are within, where it is not negated.
    pub edges: Vec<Vec<Hint>>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The extension; empty for a chain, a verdict, or nothing at all.
    pub ext: &'static str,
    /// As `iptables-restore` reads it: `-j …`, `-g …`, or empty.
    pub text: String,
    /// As those of a [`Condition`]: where the packet goes on as another one.
    pub edges: Vec<Vec<Hint>>,
}

/// A rule: conditions that all have to hold, and what then happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The conditions. A protocol comes before what needs it.
    pub conditions: Vec<Condition>,
    /// What happens.
    pub target: Target,
}

/// A chain with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// The policy of a base chain (`ACCEPT` or `DROP`); `None` for a user-defined chain.
    pub policy: Option<&'static str>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A table with its chains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `raw`, `mangle`, `nat`, `filter` or `security`.
    pub name: &'static str,
    /// Its chains, base chains first.
    pub chains: Vec<Chain>,
}

/// An ipset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// How many dimensions a lookup in it has.
    pub dimensions: u32,
    /// As `ipset restore` reads it: `create` and `add` lines.
    pub text: String,
    /// Elements, each as what a packet has to be, given which way its dimensions look.
    pub elements: Vec<Vec<Element>>,
}

/// One dimension of an element of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// An address.
    Address(IpAddr),
    /// A port of a protocol.
    Port(u8, u16),
    /// An interface.
    Interface(String),
}

/// The rules of a node, of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// Their family.
    pub family: Family,
    /// The sets that they name.
    pub sets: Vec<Set>,
    /// Their tables.
    pub tables: Vec<Table>,
}

impl Ruleset {
    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules)
    }

    /// Whether it holds a match or target that leaves a walk in cases, or unknown.
    pub fn is_exotic(&self) -> bool {
        let conditions = || self.rules().flat_map(|rule| &rule.conditions);
        let targets = || self.rules().map(|rule| rule.target.ext);
        MATCHES
            .iter()
            .filter(|kind| kind.is_exotic())
            .any(|kind| conditions().any(|one| one.text.contains(&kind.word())))
            || TARGETS.iter().filter(|kind| kind.is_exotic()).any(|kind| targets().any(|ext| ext == kind.ext))
    }

    /// What `ipset restore` reads.
    pub fn sets_text(&self) -> String {
        self.sets.iter().map(|set| &*set.text).collect()
    }
}

impl fmt::Display for Rule {
    /// What stands behind the name of the chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = self.conditions.iter().map(|condition| &*condition.text);
        let parts: Vec<&str> =
            conditions.chain([&*self.target.text]).filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join(" "))
    }
}

impl fmt::Display for Ruleset {
    /// What `iptables-restore` reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "*{}", table.name)?;
            for Chain { name, policy, .. } in &table.chains {
                writeln!(f, ":{name} {} [0:0]", policy.unwrap_or("-"))?;
            }
            for chain in &table.chains {
                for rule in &chain.rules {
                    let rule = rule.to_string();
                    let blank = if rule.is_empty() { "" } else { " " };
                    writeln!(f, "-A {}{blank}{rule}", chain.name)?;
                }
            }
            writeln!(f, "COMMIT")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_restore_reads() {
        let condition = |text: &str| Condition { ext: "", text: text.to_owned(), edges: vec![] };
        let rule = |conditions, text: &str| Rule {
            conditions,
            target: Target { ext: "", text: text.to_owned(), edges: vec![] },
        };
        let rules = vec![
            rule(vec![condition("! -s 10.0.0.0/8"), condition("-p tcp -m tcp --dport 80:90")], "-j ACCEPT"),
            rule(vec![], ""),
        ];
        let chains = vec![Chain { name: "INPUT".to_owned(), policy: Some("DROP"), rules }];
        let tables = vec![Table { name: "filter", chains }];
        assert_eq!(
            Ruleset { family: Family::V4, sets: vec![], tables }.to_string(),
            "*filter\n:INPUT DROP [0:0]\n-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 80:90 -j ACCEPT\n\
             -A INPUT\nCOMMIT\n"
        );
    }
}
