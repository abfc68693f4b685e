use serde::Serialize;

use super::walk::RuleNumber;
use crate::RuleRef;
use crate::kube::finding::Finding;

/// What a check found, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct FindingsReport {
    /// 1
    pub schema: u32,
    /// In the order of the check.
    pub findings: Vec<FindingReport>,
}

/// One finding; what does not apply is null.
#[derive(Clone, Debug, Serialize)]
pub struct FindingReport {
    /// The stable word for the kind of finding.
    pub code: &'static str,
    /// `error`, `warning` or `info`.
    pub severity: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// The Kubernetes object it is about.
    pub object: Option<String>,
    /// The table of the rule.
    pub table: Option<&'static str>,
    /// The chain of the rule.
    pub chain: Option<String>,
    /// The number of the rule in its chain, from 1, or `policy`; null where a chain as such is meant.
    pub rule: Option<RuleNumber>,
    /// The line of the dump.
    pub line: Option<u32>,
    /// The index of the dump on the command line, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<usize>,
}

/// The number of a rule, `policy` for the end of a built-in chain; none where a user chain is meant.
fn rule_number(place: &RuleRef) -> Option<RuleNumber> {
    let is_built_in =
        ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].iter().any(|c| place.chain == *c);
    place.rule.map(RuleNumber::Number).or(is_built_in.then_some(RuleNumber::Word("policy")))
}

/// The report of a check over `dumps` dumps.
///
/// ```
/// use hookwalk::kube::finding::{Finding, Severity};
/// let finding = Finding::new("stale-endpoint", Severity::Error, "no slice has 10.0.0.9:80").about("service shop/web");
/// let report = hookwalk::report::findings(&[finding], 1);
/// assert_eq!(
///     serde_json::to_string(&report).unwrap(),
///     r#"{"schema":1,"findings":[{"code":"stale-endpoint","severity":"error","message":"no slice has 10.0.0.9:80","object":"service shop/web","table":null,"chain":null,"rule":null,"line":null}]}"#
/// );
/// ```
pub fn findings(findings: &[Finding], dumps: usize) -> FindingsReport {
    let one = |finding: &Finding| FindingReport {
        code: finding.code,
        severity: finding.severity.as_str(),
        message: finding.message.clone(),
        object: finding.object.clone(),
        table: finding.place.as_ref().map(|place| place.table),
        chain: finding.place.as_ref().map(|place| place.chain.to_string()),
        rule: finding.place.as_ref().and_then(rule_number),
        line: finding.line,
        dump: (dumps > 1).then_some(finding.dump),
    };
    FindingsReport { schema: 1, findings: findings.iter().map(one).collect() }
}
