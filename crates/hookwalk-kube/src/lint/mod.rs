//! What is wrong with the rules of one node, or of several, without asking the API.
//!
//! ```
//! use hookwalk_kube::lint;
//! let dump = hookwalk_parser::parse("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n\
//!     :OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-X - [0:0]\n\
//!     -A OUTPUT -j KUBE-SERVICES\n\
//!     -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-X\n\
//!     -A KUBE-SVC-X -p udp -j DNAT --to-destination 10.0.1.2:53\nCOMMIT\n");
//! let findings = lint::lint(&[dump]);
//! assert_eq!(
//!     findings[0].to_string(),
//!     "error[services-jump-missing]: nat PREROUTING does not lead to KUBE-SERVICES: packets from Pods and \
//!      other hosts reach no Service",
//! );
//! ```

mod between;
mod chains;
mod check;
mod filter;
mod marks;
mod rules;
mod services;
mod tables;

use hookwalk_engine::RuleRef;
use hookwalk_parser::Dump;
use hookwalk_parser::types::Family;

use crate::finding::Finding;
use crate::reach::{ChainAt, Tables};

pub use check::Check;

/// Everything that the checks find, by dump and line.
///
/// Dumps that hold different tables, families or backends are taken for one node's; one that holds a table
/// that an earlier one has already starts the next node, and what differs between nodes is told too.
pub fn lint(dumps: &[Dump]) -> Vec<Finding> {
    let nodes = nodes(dumps);
    let mut findings = Vec::new();
    for node in &nodes {
        // Dumps of a node stand beside each other.
        if let (Some(&first), Some(&last)) = (node.first(), node.last()) {
            let from = findings.len();
            services::shares(dumps.get(first..=last).unwrap_or_default(), &mut findings);
            for finding in findings.iter_mut().skip(from) {
                finding.dump += first;
                if let Some(place) = &mut finding.place {
                    place.dump += first;
                }
            }
        }
        for family in [Family::V4, Family::V6] {
            let tables = Tables::of(dumps, node, family);
            if tables.is_empty() {
                continue;
            }
            let mut lint = Lint { tables: &tables, family, findings: &mut findings };
            chains::check(&mut lint);
            rules::check(&mut lint);
            marks::check(&mut lint);
            services::check(&mut lint);
            filter::check(&mut lint);
            tables::check(&mut lint);
        }
    }
    if nodes.len() > 1 {
        between::check(dumps, &nodes, &mut findings);
    }
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.dump, finding.line, std::cmp::Reverse(finding.severity));
        key(a).cmp(&key(b)).then_with(|| (a.code, &a.message).cmp(&(b.code, &b.message)))
    });
    findings.dedup();
    findings
}

/// Which dumps belong together.
fn nodes(dumps: &[Dump]) -> Vec<Vec<usize>> {
    let mut nodes: Vec<Vec<usize>> = Vec::new();
    let mut held = Vec::new();
    for (number, dump) in dumps.iter().enumerate() {
        let tables: Vec<_> =
            dump.tables().iter().map(|table| (table.name.clone(), table.family, table.backend)).collect();
        match nodes.last_mut() {
            Some(node) if !tables.iter().any(|table| held.contains(table)) => node.push(number),
            _ => {
                nodes.push(vec![number]);
                held.clear();
            }
        }
        held.extend(tables);
    }
    nodes
}

/// One family of one node, and what was found so far.
struct Lint<'l, 'd> {
    tables: &'l Tables<'d>,
    family: Family,
    findings: &'l mut Vec<Finding>,
}

impl Lint<'_, '_> {
    fn place(&self, chain: ChainAt, rule: Option<usize>) -> Option<RuleRef> {
        RuleRef::new(self.tables.dumps(), chain.dump, chain.table, chain.chain, rule)
    }

    /// Tells a finding at a rule, or at a chain.
    fn tell(&mut self, check: Check, chain: ChainAt, rule: Option<usize>, message: String) {
        self.tell_about(check, chain, rule, message, None);
    }

    fn tell_about(
        &mut self,
        check: Check,
        chain: ChainAt,
        rule: Option<usize>,
        message: String,
        object: Option<String>,
    ) {
        let mut finding = Finding::new(check.code(), check.severity(), message);
        finding.dump = chain.dump;
        finding.object = object;
        if let Some(place) = self.place(chain, rule) {
            finding = finding.at(place);
        }
        self.findings.push(finding);
    }

    /// Tells what is about a dump as a whole.
    fn tell_of_dump(&mut self, check: Check, dump: usize, message: String) {
        let mut finding = Finding::new(check.code(), check.severity(), message);
        finding.dump = dump;
        self.findings.push(finding);
    }
}

/// The chain a rule jumps to, by name.
fn jump(rule: &hookwalk_parser::Rule) -> Option<&hookwalk_parser::types::Text> {
    use hookwalk_parser::extensions::Target;
    match &rule.target {
        Target::Jump(name) | Target::Goto(name) => Some(name),
        _ => None,
    }
}
