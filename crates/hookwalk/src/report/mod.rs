//! The stable forms of answers: what `hookwalk` prints as JSON and other tools build on.
//!
//! The model types ([`Walk`](crate::Walk), [`Dump`](crate::Dump)) may gain fields and change shape;
//! these keep their names and fields. `schema` is 1.

mod dns;
mod dump;
mod find;
mod findings;
mod packet;
mod services;
mod walk;
mod writer;

pub use dns::{DnsEndpointReport, DnsReport, DnsServerReport};
pub use dump::{
    ChainReport, CountersReport, DiagnosticReport, DumpReport, MatchReport, RuleReport, TableReport,
    TargetReport,
};
pub use find::{FindReport, FoundRuleReport, FoundStageReport, FoundWayReport, GoalReport};
pub use findings::{FindingReport, FindingsReport, findings};
pub use packet::{BadPacket, PacketReport, Text};
pub use services::{
    EndpointReport, FromReport, PartReport, ReachReport, ServiceReport, ServicesReport, SettingsReport,
    WayReport,
};
pub use walk::{
    AssumptionReport, CaseReport, OutcomeReport, RuleNumber, RuleRefReport, StepReport, WalkReport,
};
pub use writer::WalkWriter;
