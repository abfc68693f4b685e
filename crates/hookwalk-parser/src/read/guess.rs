use super::diagnostics::{Diagnostics, quote};
use crate::extensions::Target;
use crate::types::Text;
use crate::{Code, Span, Table};

/// Names a table whose rules stand without a header by what only that table can hold: a target that
/// iptables refuses elsewhere, or a chain that a table has alone. Without any such sign it is filter,
/// which iptables takes when no table is named.
pub(super) fn name_table(table: &mut Table, diagnostics: &mut Diagnostics) {
    let name = guess(table);
    table.name = Text::from(name);
    let line = table.first_line();
    diagnostics.at_line(Code::TableGuessed, line, Span::default(), || {
        format!("no table is named before this line: taken for {} (--table names it)", quote(name.as_bytes()))
    });
}

fn guess(table: &Table) -> &'static str {
    let rules = || table.chains.iter().flat_map(|chain| &chain.rules);
    for rule in rules() {
        match &rule.target {
            Target::Dnat(_)
            | Target::Snat(_)
            | Target::Masquerade(_)
            | Target::Redirect(_)
            | Target::Netmap(_) => return "nat",
            Target::Ct(_) | Target::Notrack(_) => return "raw",
            Target::Reject(_) => return "filter",
            Target::Tos(_)
            | Target::Dscp(_)
            | Target::Ttl(_)
            | Target::Hl(_)
            | Target::Ecn(_)
            | Target::Tproxy(_)
            | Target::Checksum(_)
            | Target::Tcpoptstrip(_)
            | Target::Dnpt(_)
            | Target::Snpt(_) => return "mangle",
            _ => {}
        }
    }
    let names = || {
        let targets = rules().filter_map(|rule| match &rule.target {
            Target::Jump(name) | Target::Goto(name) => Some(name.as_bytes()),
            _ => None,
        });
        table.chains.iter().map(|chain| chain.name.as_bytes()).chain(targets)
    };
    let only_nat = |name: &[u8]| {
        [&b"KUBE-SVC-"[..], b"KUBE-SEP-", b"KUBE-MARK-MASQ", b"KUBE-POSTROUTING", b"CNI-HOSTPORT"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let has = |wanted: &[u8]| names().any(|name| name == wanted);
    if names().any(only_nat) {
        "nat"
    } else if has(b"POSTROUTING") || has(b"PREROUTING") {
        if has(b"FORWARD") || rules().any(|rule| matches!(rule.target, Target::Mark(_) | Target::Connmark(_)))
        {
            "mangle"
        } else {
            "nat"
        }
    } else {
        "filter"
    }
}
