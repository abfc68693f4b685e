//! Small rulesets of IPv4: a plain model, printed as `iptables-restore` text, and random ones from a seed.
//!
//! ```
//! use hookwalk_testkit::{ruleset::Ruleset, topology::Topology};
//!
//! let ruleset = Ruleset::random(7, &Topology::default());
//! assert_eq!(ruleset, Ruleset::random(7, &Topology::default()));
//! assert!(ruleset.to_string().starts_with("*"));
//! ```

mod conditions;
mod parts;
mod random;

use std::fmt;

pub use parts::{Masked, Match, Not, Ports, Protocol, Side, Target};

/// A rule: matches that all have to hold, and what then happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The matches. Those of ports, TCP flags and ICMP types come after the protocol they need.
    pub matches: Vec<Match>,
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
    /// `mangle`, `nat` or `filter`.
    pub name: &'static str,
    /// Its chains, base chains first.
    pub chains: Vec<Chain>,
}

/// The rules of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// Its tables.
    pub tables: Vec<Table>,
}

impl Ruleset {
    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules)
    }

    /// All matches.
    pub fn matches(&self) -> impl Iterator<Item = &Match> {
        self.rules().flat_map(|rule| &rule.matches)
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
                    write!(f, "-A {}", chain.name)?;
                    for one in &rule.matches {
                        write!(f, " {one}")?;
                    }
                    writeln!(f, "{}", rule.target)?;
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
    fn prints_as_restore_reads() {
        let rule = |matches, target| Rule { matches, target };
        let ruleset = Ruleset {
            tables: vec![Table {
                name: "filter",
                chains: vec![Chain {
                    name: "INPUT".into(),
                    policy: Some("DROP"),
                    rules: vec![
                        rule(
                            vec![
                                Match::Address(
                                    Not(true),
                                    Side::Source,
                                    Masked { address: [10, 0, 0, 0].into(), mask: 0xff00_0000 },
                                ),
                                Match::Protocol(Not(false), Protocol::Tcp),
                                Match::Ports(
                                    Not(false),
                                    Protocol::Tcp,
                                    Side::Destination,
                                    Ports { low: 80, high: 90 },
                                ),
                            ],
                            Target::Accept,
                        ),
                        rule(vec![], Target::None),
                    ],
                }],
            }],
        };
        assert_eq!(
            ruleset.to_string(),
            "*filter\n:INPUT DROP [0:0]\n-A INPUT ! -s 10.0.0.0/255.0.0.0 -p tcp -m tcp --dport 80:90 \
             -j ACCEPT\n-A INPUT\nCOMMIT\n"
        );
    }
}
