//! What chains are for, so that a jump says more than a name.

use hookwalk_engine::TableName;
use hookwalk_parser::Rule;
use hookwalk_parser::extensions::{Match, StatisticMode, StatisticProbability, Target};
use hookwalk_parser::types::MarkMask;

use crate::explain;
use crate::reach::{ChainAt, Tables};

/// What a rule of a chain does, with what is behind the chain that it jumps to. `decides` tells which of
/// its conditions some packets fail; `nothing_there` that they meet no rule of that chain.
pub(super) fn sentence(
    tables: &Tables<'_>,
    at: ChainAt,
    number: usize,
    decides: &[bool],
    nothing_there: bool,
) -> String {
    let rules = tables.rules(at);
    let Some(rule) = rules.get(number) else { return String::new() };
    let when = |does: &str| explain::rule_where(rule, decides, does);
    let (Target::Jump(name) | Target::Goto(name)) = &rule.target else {
        return when(&explain::target(&rule.target));
    };
    let Some(to) = tables.beside(at, name) else {
        return when(&format!("goes through {name}, which the dump does not have"));
    };
    if let Some(marks) = only_marks(tables, to) {
        return when(&marks);
    }
    if let Some(endpoint) = endpoint(tables, to) {
        let of_all =
            share_of_all(rules, number).map_or_else(String::new, |share| format!(" ({share} of all)"));
        let sentence = when(ENDPOINT);
        return match sentence.strip_prefix(ENDPOINT) {
            // "with 1/3 of the packets that come here" goes before the endpoint.
            Some(rest) if rest.starts_with(", with ") => {
                format!("chosen{}{of_all}: endpoint {endpoint}", rest.trim_start_matches(','))
            }
            Some("") if !of_all.is_empty() => format!("takes what is left{of_all}: endpoint {endpoint}"),
            Some("") => format!("takes all: endpoint {endpoint}"),
            Some(rest) => format!("chosen{rest}: endpoint {endpoint}"),
            None => sentence,
        };
    }
    let about = about(&name.to_str()).map_or_else(String::new, |about| format!(" ({about})"));
    when(&match (&rule.target, nothing_there) {
        (Target::Goto(_), _) => format!("goes to {name}{about} and not back"),
        (_, true) => format!("passes {name}{about} and meets no rule there"),
        (_, false) => format!("goes through {name}{about}"),
    })
}

const ENDPOINT: &str = "goes to the endpoint";

/// Which part of the packets that draw lots in a chain a rule gets; none when none are drawn before it.
fn share_of_all(rules: &[Rule], number: usize) -> Option<String> {
    let draw = |rule: &Rule| {
        rule.matches.iter().find_map(|m| match m {
            Match::Statistic(m) if m.mode == Some(StatisticMode::Random) => {
                m.probability.filter(|p| !p.negated)
            }
            _ => None,
        })
    };
    let whole = f64::from(StatisticProbability::DENOMINATOR);
    let part = |rule: &Rule| draw(rule).map(|p| f64::from(p.value.numerator()) / whole);
    let drawn_before: Vec<f64> = rules.get(..number)?.iter().rev().map_while(part).collect();
    if drawn_before.is_empty() {
        return None;
    }
    let left: f64 = drawn_before.iter().map(|part| 1.0 - part).product();
    let share = left * part(rules.get(number)?).unwrap_or(1.0);
    let parts = (1.0 / share).round();
    if (1.0 / parts - share).abs() < 1e-7 {
        Some(format!("1/{parts}"))
    } else {
        Some(format!("{:.3}%", share * 100.0))
    }
}

/// What the chains of kube-proxy, the kubelet and CNI plugins are for.
fn about(chain: &str) -> Option<&'static str> {
    Some(match chain {
        "KUBE-SERVICES" => "every Service address",
        "KUBE-NODEPORTS" => "every node port",
        "KUBE-EXTERNAL-SERVICES" => "external addresses without endpoints",
        "KUBE-POSTROUTING" => "masquerades what is marked",
        "KUBE-FORWARD" => "lets Services and their answers through",
        "KUBE-FIREWALL" => "drops what is marked for it, and martians",
        "KUBE-PROXY-FIREWALL" => "source ranges of load balancers",
        "DOCKER-USER" => "the administrator's own rules",
        "cali-PREROUTING" | "cali-INPUT" | "cali-FORWARD" | "cali-OUTPUT" | "cali-POSTROUTING" => "Calico",
        "WEAVE-NPC" => "network policies of Weave Net",
        "AZURE-NPM" => "network policies of Azure",
        "KUBE-ROUTER-FORWARD" | "KUBE-ROUTER-INPUT" | "KUBE-ROUTER-OUTPUT" => {
            "network policies of kube-router"
        }
        "CNI-HOSTPORT-DNAT" => "host ports of Pods",
        "FLANNEL-POSTRTG" | "FLANNEL-FWD" => "flannel",
        _ => {
            let prefixes = [
                ("KUBE-SVC-", "endpoints of a Service"),
                ("KUBE-SVL-", "endpoints of a Service on this node"),
                ("KUBE-EXT-", "a Service from outside"),
                ("KUBE-XLB-", "a Service from outside, local endpoints"),
                ("KUBE-FW-", "source ranges of a load balancer"),
                ("KUBE-POD-FW-", "policies of one Pod"),
                ("KUBE-NWPLCY-", "one network policy"),
                ("cali-tw-", "policies of packets to one Pod"),
                ("cali-fw-", "policies of packets from one Pod"),
                ("cali-pi-", "one policy, ingress"),
                ("cali-po-", "one policy, egress"),
                ("cali-pri-", "one profile, ingress"),
                ("cali-pro-", "one profile, egress"),
                ("CNI-DN-", "host ports of one Pod"),
                ("CNI-SB-", "host ports of one Pod"),
                ("AWS-SNAT-CHAIN-", "AWS VPC CNI: source addresses outside the VPC"),
                ("AWS-CONNMARK-CHAIN-", "AWS VPC CNI: marks of connections"),
            ];
            return prefixes
                .into_iter()
                .find(|(prefix, _)| chain.starts_with(prefix))
                .map(|(_, about)| about);
        }
    })
}

/// Where a chain sends every packet that stays in it: `10.0.1.2:53` of the chain of one endpoint.
fn endpoint(tables: &Tables<'_>, chain: ChainAt) -> Option<String> {
    let rules = tables.rules(chain);
    let is_endpoint = tables.chain(chain)?.name.as_bytes().starts_with(b"KUBE-SEP-");
    let last = rules.last().filter(|_| is_endpoint || rules.len() == 1)?;
    match &last.target {
        Target::Dnat(t) => Some(t.to.to_string()),
        _ => None,
    }
}

/// What a chain does that does nothing but mark.
fn only_marks(tables: &Tables<'_>, chain: ChainAt) -> Option<String> {
    let [rule] = tables.rules(chain) else { return None };
    let Target::Mark(mark) = rule.target else { return None };
    if rule.matches.iter().any(|m| !matches!(m, Match::Comment(_))) {
        return None;
    }
    // Packets come with no mark, so that the bits set are those of the value.
    let (value, bits) = (mark.value, MarkMask { value: mark.value, mask: mark.value });
    // Programs use the same bits in different tables.
    let in_filter = tables.name(chain) == Some(TableName::Filter);
    let what = match () {
        () if in_filter && is_dropped(tables, value) => "being dropped",
        () if is_masqueraded(tables, value) => "masquerade",
        () if is_dropped(tables, value) => "being dropped",
        () => return Some(format!("marks it with {bits}")),
    };
    Some(format!("marks it for {what} ({value:#x})"))
}

/// Whether a rule of nat masquerades packets of a mark, or lets only those go on to one that does.
fn is_masqueraded(tables: &Tables<'_>, mark: u32) -> bool {
    tables.named(TableName::Nat).any(|(_, _, table)| {
        table.chains.iter().any(|chain| {
            let masquerades = chain.rules.iter().any(|rule| matches!(rule.target, Target::Masquerade(_)));
            masquerades && chain.rules.iter().any(|rule| asks_for(rule, mark))
        })
    })
}

fn is_dropped(tables: &Tables<'_>, mark: u32) -> bool {
    tables.named(TableName::Filter).any(|(_, _, table)| {
        let rules = || table.chains.iter().flat_map(|chain| &chain.rules);
        rules().any(|rule| {
            let wanted = |m: &Match| match m {
                Match::Mark(m) => m.mark.is_some_and(|wanted| !wanted.negated),
                _ => false,
            };
            rule.target == Target::Drop && asks_for(rule, mark) && rule.matches.iter().any(wanted)
        })
    })
}

/// Whether a rule tells packets of a mark from others.
fn asks_for(rule: &Rule, mark: u32) -> bool {
    rule.matches.iter().any(|m| match m {
        Match::Mark(m) => m.mark.is_some_and(|wanted| wanted.value.mask != 0 && wanted.value.matches(mark)),
        _ => false,
    })
}
