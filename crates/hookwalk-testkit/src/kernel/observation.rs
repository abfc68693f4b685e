//! What goes into the arbiter and what comes out.

use std::fmt;

use super::connections::Connection;
use super::counters::{Counters, RuleId};
use crate::arbiter::Backend;
use crate::packets::PacketSpec;

/// A packet and the way it gets into the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Injection {
    /// It comes from outside.
    Arrives {
        /// By this interface.
        interface: String,
        /// As these bytes, a packet of either family.
        packet: Vec<u8>,
    },
    /// A local process sends it, by a raw socket with the header included.
    Sent {
        /// A packet of either family. In IPv4 the kernel writes length and header checksum itself.
        packet: Vec<u8>,
        /// The mark that the socket gives it (`SO_MARK`).
        mark: u32,
    },
}

impl Injection {
    /// The packet, arriving where it says it does, and sent by a local process where it does not.
    pub fn of(packet: &PacketSpec) -> Self {
        let bytes = packet.to_bytes();
        match &packet.in_iface {
            Some(interface) => Self::Arrives { interface: interface.clone(), packet: bytes },
            None => Self::Sent { packet: bytes, mark: packet.mark },
        }
    }
}

/// A netfilter hook of IPv4 and IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// As it comes in.
    Prerouting,
    /// To a local process.
    Input,
    /// From an interface to an interface.
    Forward,
    /// From a local process.
    Output,
    /// As it goes out.
    Postrouting,
}

impl Hook {
    /// All of them, in the kernel's order.
    pub const ALL: [Self; 5] =
        [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    /// The name of the base chains on it: `PREROUTING`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "PREROUTING",
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
        }
    }
}

/// Where a packet that was not delivered came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Among the rules of a hook; also by connection tracking, or by a failed reroute in OUTPUT.
    Hook(Hook),
    /// Between hooks or before OUTPUT: no route, a martian, TTL, a blackhole.
    Routing,
    /// Before PREROUTING: the IP header was refused.
    Receive,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hook(hook) => hook.name(),
            Self::Routing => "routing",
            Self::Receive => "receive",
        })
    }
}

/// What became of the packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It arrived and left again.
    Forwarded {
        /// Through this interface.
        interface: String,
    },
    /// A local process sent it and it left the node.
    Sent {
        /// Through this interface.
        interface: String,
    },
    /// It was delivered to the node itself.
    Local {
        /// Having come in by this one; `lo` when it was sent locally.
        interface: String,
    },
    /// It was dropped and the kernel made a reply: [`Observation::replies`].
    Rejected {
        /// Where it ended.
        place: Place,
    },
    /// It was dropped without a word.
    Dropped {
        /// Where it ended.
        place: Place,
    },
}

impl Verdict {
    /// In the words of the walk's JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Forwarded { .. } => "forwarded",
            Self::Sent { .. } => "sent",
            Self::Local { .. } => "local",
            Self::Rejected { .. } => "rejected",
            Self::Dropped { .. } => "dropped",
        }
    }
}

/// What kind of packet a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplyKind {
    /// An ICMP message.
    Icmp {
        /// Its type.
        icmp_type: u8,
        /// Its code.
        icmp_code: u8,
    },
    /// A TCP packet with RST.
    TcpReset,
    /// Anything else.
    Other,
}

/// A packet that the kernel made because of the one injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it is.
    pub kind: ReplyKind,
    /// Its bytes (the first 256) as it entered OUTPUT.
    pub packet: Vec<u8>,
    /// The interface it left through, `lo` when it is for the node itself; `None` when rules stopped it.
    pub left_by: Option<String>,
}

/// Where in a chain a packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// At this rule, from 1, and all its matches held.
    Rule(usize),
    /// At the end of a user-defined chain, back to its caller.
    Return,
    /// At the policy of a base chain: after its last rule, or after a RETURN.
    Policy,
}

/// One thing that was counted, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whose rule.
    pub backend: Backend,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Where in the chain.
    pub at: At,
    /// The packet's mark afterwards.
    pub mark: u32,
}

impl Step {
    /// The rule, if it is one.
    pub fn rule(&self) -> Option<RuleId> {
        let At::Rule(index) = self.at else { return None };
        Some(RuleId { table: self.table.clone(), chain: self.chain.clone(), index })
    }
}

/// Everything that was seen of one packet. The kernel's replies are in [`Observation::replies`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What became of it.
    pub verdict: Verdict,
    /// Its bytes: whole and as read from the device when it left, else its headers where
    /// it was seen last. Empty when it was never seen.
    pub packet: Vec<u8>,
    /// Its mark as it left or reached the node, or where it was seen last.
    pub mark: u32,
    /// The hooks it entered, in order.
    pub hooks: Vec<Hook>,
    /// The rules whose matches all held, the ends of chains, and the policies, in order.
    pub steps: Vec<Step>,
    /// What the kernel sent because of it.
    pub replies: Vec<Reply>,
    /// Its connection, if a new one was confirmed.
    pub connection: Option<Connection>,
    /// The error number with which sending failed (`EPERM` after a drop, `ENETUNREACH`).
    pub refused: Option<i32>,
}

impl Observation {
    /// The rules that counted it, in order, as `nat/KUBE-SERVICES/4`.
    pub fn matched_rules(&self, backend: Backend) -> Vec<String> {
        self.of(backend).filter_map(Step::rule).map(|rule| rule.to_string()).collect()
    }

    /// By how much its passing raised the counters of rules and policies.
    pub fn counts(&self, backend: Backend) -> Counters {
        let mut counters = Counters::default();
        for step in self.of(backend) {
            if let Some(rule) = step.rule() {
                counters.add_rule(rule, 1);
            } else if step.at == At::Policy {
                counters.add_policy(&step.table, &step.chain, 1);
            }
        }
        counters
    }

    /// The rule or policy that dropped it or sent the rejection: the last one it met, where it ended in a hook.
    pub fn decided_by(&self) -> Option<&Step> {
        match self.verdict {
            Verdict::Rejected { place: Place::Hook(_) } | Verdict::Dropped { place: Place::Hook(_) } => {
                self.steps.last()
            }
            _ => None,
        }
    }

    /// The packet as fields, where it was seen.
    pub fn decoded(&self) -> Option<PacketSpec> {
        PacketSpec::from_bytes(&self.packet)
    }

    fn of(&self, backend: Backend) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.backend == backend)
    }
}
