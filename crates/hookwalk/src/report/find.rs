use serde::Serialize;

use super::walk::RuleNumber;
use crate::kube::find::{Found, FoundRule, FoundStage, Goal, Way};
use crate::types::Family;

/// Every rule that packets to something can meet, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct FindReport {
    /// 1
    pub schema: u32,
    /// What was asked for.
    pub what: String,
    /// The addresses and ports that this is.
    pub goals: Vec<GoalReport>,
    /// One for each family and start.
    pub ways: Vec<FoundWayReport>,
}

/// One address of what was asked for; what is open is null.
#[derive(Clone, Debug, Serialize)]
pub struct GoalReport {
    /// The address; null for every address of the node.
    pub address: Option<String>,
    /// The port; null for every one.
    pub port: Option<u16>,
    /// The protocol; null for every one.
    pub proto: Option<String>,
    /// `cluster IP`, `external IP`, `loadbalancer IP` or `node port`, where the rules tell.
    pub kind: Option<&'static str>,
    /// The port of a Service that it belongs to, where the rules tell.
    pub service: Option<String>,
}

/// What packets of one start meet.
#[derive(Clone, Debug, Serialize)]
pub struct FoundWayReport {
    /// `arriving` by an interface or `sent` by a process of the node.
    pub origin: &'static str,
    /// 4 or 6
    pub family: u8,
    /// Table by table, in the kernel's order.
    pub stages: Vec<FoundStageReport>,
    /// Tables that the dump may hold rules of and does not show.
    pub not_in_dump: Vec<&'static str>,
    /// A limit was reached: rules may be missing.
    pub truncated: bool,
}

/// What is met of one table at one hook.
#[derive(Clone, Debug, Serialize)]
pub struct FoundStageReport {
    /// The hook.
    pub hook: &'static str,
    /// The table.
    pub table: &'static str,
    /// What must be true for packets to come here; null when they do.
    pub only_if: Option<String>,
    /// The rules, a chain's behind the rule that jumps there.
    pub rules: Vec<FoundRuleReport>,
}

/// One rule that can be met.
#[derive(Clone, Debug, Serialize)]
pub struct FoundRuleReport {
    /// The table.
    pub table: &'static str,
    /// The chain.
    pub chain: String,
    /// The number in the chain, from 1, or `policy`.
    pub rule: RuleNumber,
    /// The line of the dump.
    pub line: Option<u32>,
    /// The index of the dump on the command line, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<usize>,
    /// How many jumps lead to the chain.
    pub depth: usize,
    /// What it does, and of which packets.
    pub sentence: String,
    /// What must be true of the node for it to be met.
    pub only_if: Option<String>,
    /// Its comments.
    pub comments: Vec<String>,
    /// It jumps to a chain whose rules stand further up in this stage.
    pub told_before: bool,
}

impl FindReport {
    /// The report of what was found in `dumps` dumps.
    pub fn new(what: &str, found: &Found, dumps: usize) -> Self {
        let goal = |goal: &Goal| GoalReport {
            address: goal.address.map(|address| address.to_string()),
            port: goal.port,
            proto: goal.protocol.map(|protocol| protocol.to_string()),
            kind: goal.kind,
            service: goal.service.clone(),
        };
        FindReport {
            schema: 1,
            what: what.to_owned(),
            goals: found.goals.iter().map(goal).collect(),
            ways: found.ways.iter().map(|way| FoundWayReport::new(way, dumps)).collect(),
        }
    }
}

impl FoundWayReport {
    fn new(way: &Way, dumps: usize) -> Self {
        let rule = |rule: &FoundRule| FoundRuleReport {
            table: rule.at.table,
            chain: rule.at.chain.to_string(),
            rule: rule.at.rule.map_or(RuleNumber::Word("policy"), RuleNumber::Number),
            line: rule.at.line,
            dump: (dumps > 1).then_some(rule.at.dump),
            depth: rule.depth,
            sentence: rule.sentence.clone(),
            only_if: rule.only_if.clone(),
            comments: rule.comments.clone(),
            told_before: rule.told_before,
        };
        let stage = |stage: &FoundStage| FoundStageReport {
            hook: stage.hook.name(),
            table: stage.table.name(),
            only_if: stage.only_if.clone(),
            rules: stage.rules.iter().map(rule).collect(),
        };
        FoundWayReport {
            origin: way.origin.as_str(),
            family: if way.family == Family::V4 { 4 } else { 6 },
            stages: way.stages.iter().map(stage).collect(),
            not_in_dump: way.not_in_dump.iter().map(|table| table.name()).collect(),
            truncated: way.truncated,
        }
    }
}
