//! When a match holds, in words.
#![expect(clippy::unnecessary_wraps, reason = "one signature for the functions of all matches")]

use hookwalk_parser::OptionText;
use hookwalk_parser::extensions::{Match, RecentAction, RecentMatch, StatisticMatch, StatisticMode};

use super::{Phrase, share::share};

/// What a match asks of a packet; nothing when it holds for every one.
pub(super) fn phrases(candidate: &Match) -> Vec<Phrase> {
    match candidate {
        Match::Comment(_) | Match::Nfacct(_) => Vec::new(),
        Match::Statistic(m) => statistic(m),
        Match::Recent(m) => recent(m),
        Match::Unknown(part) => vec![Phrase::If(format!("`{}` holds, which is not understood", part.text))],
        _ => by_option(candidate),
    }
}

/// One phrase for each option that has words; the whole match as it is written where one has none.
fn by_option(candidate: &Match) -> Vec<Phrase> {
    let name = candidate.name();
    let words: fn(&OptionText, &str) -> Option<String> = match &*name {
        "addrtype" => addrtype,
        "connmark" => |_, value| Some(format!("its connection has the mark {value}")),
        "conntrack" => conntrack,
        "dscp" => |_, value| Some(format!("its DSCP is {value}")),
        "hashlimit" => hashlimit,
        "helper" => |_, value| Some(format!("a `{value}` connection announced it")),
        "hl" | "ttl" => time_to_live,
        "icmp" | "icmp6" => |_, value| Some(format!("its ICMP type is {value}")),
        "iprange" => iprange,
        "length" => |_, value| Some(format!("it is {} bytes long", value.replace(':', " to "))),
        "limit" => limit,
        "mac" => |_, value| Some(format!("the sender's MAC address is {value}")),
        "mark" => |_, value| Some(format!("it has the mark {value}")),
        "multiport" => multiport,
        "owner" => owner,
        "physdev" => physdev,
        "pkttype" => |_, value| Some(format!("it was sent as {value} on the link")),
        "policy" => policy,
        "rpfilter" => rpfilter,
        "set" => set,
        "state" => |_, value| Some(states(value)),
        "string" => string,
        "tcp" | "udp" | "udplite" | "sctp" | "dccp" => ports,
        _ => |_, _| None,
    };
    let options = candidate.options();
    let told: Option<Vec<Phrase>> = options
        .iter()
        .map(|option| {
            let values: Vec<_> = option.values.iter().map(hookwalk_parser::OptionValue::to_str).collect();
            let text = words(option, &values.join(" "))?;
            Some(if text.is_empty() { None } else { Some(Phrase::negated(text, option.negated)) })
        })
        .collect::<Option<Vec<Option<Phrase>>>>()
        .map(|told| told.into_iter().flatten().collect());
    told.unwrap_or_else(|| vec![Phrase::If(format!("`{}` holds", written(candidate)))])
}

/// A match as iptables-save writes it.
pub(super) fn written(candidate: &Match) -> String {
    let mut text = format!("-m {}", candidate.name());
    super::targets::write_options(&mut text, &candidate.options());
    text
}

fn addrtype(option: &OptionText, value: &str) -> Option<String> {
    let whose = match option.name {
        "--src-type" => "its source",
        "--dst-type" => "its destination",
        "--limit-iface-in" => return Some("only addresses of the interface it came in by count".to_owned()),
        "--limit-iface-out" => return Some("only addresses of the interface it leaves by count".to_owned()),
        _ => return None,
    };
    Some(match value {
        "LOCAL" => format!("{whose} is an address of this node"),
        "BROADCAST" => format!("{whose} is a broadcast address"),
        "MULTICAST" => format!("{whose} is a multicast address"),
        _ => format!("{whose} is of type {}", value.replace(',', " or ")),
    })
}

fn conntrack(option: &OptionText, value: &str) -> Option<String> {
    let address = value.strip_suffix("/32").unwrap_or(value);
    Some(match option.name {
        "--ctstate" => states(value),
        "--ctproto" | "--ctstatus" => format!("its connection is {value}"),
        "--ctorigsrc" => format!("its connection was started by {address}"),
        "--ctorigdst" => format!("its connection was meant for {address}"),
        "--ctreplsrc" => format!("its connection is answered by {address}"),
        "--ctrepldst" => format!("its connection is answered to {address}"),
        "--ctorigsrcport" => format!("its connection was started from port {value}"),
        "--ctorigdstport" => format!("its connection was meant for port {value}"),
        "--ctreplsrcport" => format!("its connection is answered from port {value}"),
        "--ctrepldstport" => format!("its connection is answered to port {value}"),
        "--ctdir" if value == "ORIGINAL" => "it goes the way its connection was started".to_owned(),
        "--ctdir" => "it goes the way of the answers".to_owned(),
        _ => return None,
    })
}

/// A list of states of connection tracking.
fn states(list: &str) -> String {
    let mut sorted: Vec<&str> = list.split(',').collect();
    sorted.sort_unstable();
    match sorted.as_slice() {
        ["NEW"] => "it starts a connection".to_owned(),
        ["ESTABLISHED"] | ["ESTABLISHED", "RELATED"] => "its connection is known already".to_owned(),
        ["INVALID"] => "it fits no connection".to_owned(),
        ["UNTRACKED"] => "it is not tracked".to_owned(),
        ["DNAT"] => "its destination has been rewritten".to_owned(),
        ["SNAT"] => "its source has been rewritten".to_owned(),
        ["DNAT", "ESTABLISHED", "RELATED"] => {
            "its connection is known already or has its destination rewritten".to_owned()
        }
        states => format!("its connection is {}", states.join(" or ")),
    }
}

fn hashlimit(option: &OptionText, value: &str) -> Option<String> {
    Some(match option.name {
        "--hashlimit-upto" => format!("it is within {value}"),
        "--hashlimit-above" => format!("it is above {value}"),
        _ => String::new(),
    })
}

fn iprange(option: &OptionText, value: &str) -> Option<String> {
    let way = if option.name == "--src-range" { "comes from" } else { "goes to" };
    Some(format!("it {way} {value}"))
}

fn limit(option: &OptionText, value: &str) -> Option<String> {
    Some(if option.name == "--limit" {
        format!("no more than {value} came before it")
    } else {
        String::new()
    })
}

fn multiport(option: &OptionText, value: &str) -> Option<String> {
    let value = value.replace(',', ", ");
    Some(match option.name {
        "--dports" => format!("it goes to one of the ports {value}"),
        "--sports" => format!("it comes from one of the ports {value}"),
        _ => format!("one of its ports is {value}"),
    })
}

fn owner(option: &OptionText, value: &str) -> Option<String> {
    Some(match option.name {
        "--uid-owner" => format!("user {value} sends it"),
        "--gid-owner" => format!("group {value} sends it"),
        "--socket-exists" => "a socket of this node sends it".to_owned(),
        _ => return None,
    })
}

fn physdev(option: &OptionText, value: &str) -> Option<String> {
    Some(match option.name {
        "--physdev-in" => format!("it came in by the bridge port {value}"),
        "--physdev-out" => format!("it leaves by the bridge port {value}"),
        "--physdev-is-in" => "it came in by a bridge port".to_owned(),
        "--physdev-is-out" => "it leaves by a bridge port".to_owned(),
        _ => "it is bridged and not routed".to_owned(),
    })
}

fn policy(option: &OptionText, value: &str) -> Option<String> {
    Some(match (option.name, value) {
        ("--pol", "ipsec") => "IPsec carries it".to_owned(),
        ("--pol", _) => "IPsec does not carry it".to_owned(),
        ("--dir", _) => String::new(),
        _ => return None,
    })
}

fn ports(option: &OptionText, value: &str) -> Option<String> {
    let range = value.replace(':', " to ");
    Some(match option.name {
        "--dport" => format!("it goes to port {range}"),
        "--sport" => format!("it comes from port {range}"),
        "--tcp-flags" if value == "FIN,SYN,RST,ACK SYN" => "it opens a TCP connection".to_owned(),
        "--tcp-flags" => {
            let (looked_at, set) = value.split_once(' ')?;
            format!("of the flags {looked_at} it has {set}")
        }
        _ => return None,
    })
}

fn rpfilter(option: &OptionText, _: &str) -> Option<String> {
    Some(match option.name {
        "--invert" => "an answer would not go back the way it came".to_owned(),
        _ => return None,
    })
}

fn set(option: &OptionText, value: &str) -> Option<String> {
    if option.name != "--match-set" {
        return None;
    }
    let (name, flags) = value.rsplit_once(' ')?;
    let what = match flags {
        "src" => "its source is",
        "dst" => "its destination is",
        "src,src" => "its source and source port are",
        "dst,dst" => "its destination and port are",
        _ => return Some(format!("({flags}) of it is in the set {name}")),
    };
    Some(format!("{what} in the set {name}"))
}

fn string(option: &OptionText, value: &str) -> Option<String> {
    Some(match option.name {
        "--string" | "--hex-string" => format!("`{value}` is in it"),
        _ => String::new(),
    })
}

fn time_to_live(option: &OptionText, value: &str) -> Option<String> {
    Some(match option.name.get(option.name.len().saturating_sub(2)..) {
        Some("eq") => format!("its time to live is {value}"),
        Some("lt") => format!("its time to live is below {value}"),
        Some("gt") => format!("its time to live is above {value}"),
        _ => return None,
    })
}

/// A share of the packets, which kube-proxy balances with.
fn statistic(m: &StatisticMatch) -> Vec<Phrase> {
    let text = match (m.mode, m.probability, m.every) {
        (Some(StatisticMode::Random), Some(p), _) => {
            let but = if p.negated { "all but " } else { "" };
            format!("with {but}{} of the packets that come here", share(p.value))
        }
        (Some(StatisticMode::Nth), _, Some(every)) => {
            let but = if every.negated { "all but " } else { "" };
            format!("with {but}one in {} of the packets that come here, by turns", every.value)
        }
        _ => return Vec::new(),
    };
    vec![Phrase::Share(text)]
}

fn recent(m: &RecentMatch) -> Vec<Phrase> {
    let Some(action) = m.action else { return Vec::new() };
    let whose = if m.rdest { "its destination" } else { "its source" };
    let within = m.seconds.map_or_else(String::new, |seconds| format!(" within {seconds} s"));
    let often = m.hitcount.map_or_else(String::new, |hits| format!(" {hits} times"));
    let text = match action.value {
        RecentAction::Set if !action.negated => return Vec::new(),
        RecentAction::Set => "never".to_owned(),
        _ => format!("{whose} was seen{often}{within} (list {})", m.list()),
    };
    vec![Phrase::negated(text, action.negated)]
}
