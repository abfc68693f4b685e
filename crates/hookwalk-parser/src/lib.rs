//! Text of `iptables-save` to typed rules and back, without loss.
//!
//! [`parse`] takes any bytes and always gives a [`Dump`]: the tables, chains and rules that are in
//! it, and [diagnostics](Dump::diagnostics) for what is not understood. A part of a rule that is not
//! understood stays in the rule as an [`UnknownPart`](extensions::UnknownPart), word for word, so that
//! whoever evaluates the rule can answer "unknown" there; text that is lost altogether leaves a
//! [`Gap`] in its chain.
//!
//! ```
//! use hookwalk_parser::{extensions::Target, parse};
//!
//! let text = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n\
//!             -A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n\
//!             -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -m foo --bar -j ACCEPT\nCOMMIT\n";
//! let dump = parse(text);
//! assert_eq!(dump.text(), text.as_bytes());
//!
//! let nat = &dump.tables()[0];
//! let rule = &nat.chain("PREROUTING").unwrap().rules[0];
//! assert_eq!(rule.target, Target::Jump("KUBE-SERVICES".into()));
//! assert_eq!(rule.line, 4);
//!
//! let diagnostic = &dump.diagnostics()[0];
//! assert_eq!((diagnostic.line, diagnostic.column), (5, 63));
//! assert_eq!(diagnostic.message, "unknown match `foo`; its options are kept as they are");
//! ```
//!
//! The stages, each a module: `types` (values) under [`extensions`] (one file a match or target)
//! under rules and [`Dump`]; the reader stands over them and nothing under it knows of it.
#![forbid(unsafe_code)]

mod base;
mod diagnostic;
mod dump;
pub mod extensions;
mod read;
mod rule;
mod syntax;
pub mod types;
mod write;

pub use base::{BaseMatches, PackedBase};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use dump::{Backend, Chain, Dump, Gap, Policy, Table, TableEnd};
pub use read::{Reader, parse};
pub use rule::{Counters, Rule, Span};
pub use syntax::{Expected, OptionText, OptionValue};
