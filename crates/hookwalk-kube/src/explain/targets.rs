//! What a target does, in words.

use hookwalk_parser::OptionText;
use hookwalk_parser::extensions::{
    ConnmarkAction, ConnmarkTarget, DnatTarget, MarkTarget, MasqueradeTarget, RedirectTarget, SnatTarget,
    Target,
};

/// What a target does to a packet, "it".
pub fn target(target: &Target) -> String {
    match target {
        Target::None => "counts it and does nothing else".to_owned(),
        Target::Accept => "accepts it".to_owned(),
        Target::Drop => "drops it without an answer".to_owned(),
        Target::Return => "goes back to where this chain was called from".to_owned(),
        Target::Queue | Target::Nfqueue(_) => "hands it to a program that decides".to_owned(),
        Target::Jump(chain) => format!("goes through {chain}"),
        Target::Goto(chain) => format!("goes to {chain} and does not come back here"),
        Target::Connmark(t) => connmark(*t),
        Target::Ct(t) if t.notrack => NOTRACK.to_owned(),
        Target::Notrack(_) => NOTRACK.to_owned(),
        Target::Dnat(t) => dnat(t),
        Target::Log(_) | Target::Nflog(_) | Target::Ulog(_) => "logs it".to_owned(),
        Target::Mark(t) => mark(*t),
        Target::Masquerade(t) => masquerade(*t),
        Target::Redirect(t) => redirect(*t),
        Target::Reject(t) => t.with.map_or("refuses it".to_owned(), |with| format!("refuses it with {with}")),
        Target::Snat(t) => snat(t),
        Target::Tcpmss(_) => "lowers the segment size that its TCP connection may use".to_owned(),
        Target::Trace(_) => "has its way logged".to_owned(),
        Target::Tproxy(_) => "hands it to a proxy on this node".to_owned(),
        Target::Unknown(part) => format!("does `{}`, which is not understood", part.text),
        other => format!("does `{}`", written(other)),
    }
}

const NOTRACK: &str = "takes it out of connection tracking, so that no rule of table nat is asked";

/// A target as iptables-save writes it.
fn written(target: &Target) -> String {
    let mut text = format!("-j {}", target.name());
    write_options(&mut text, &target.options());
    text
}

pub(super) fn write_options(text: &mut String, options: &[OptionText]) {
    for option in options {
        text.push_str(if option.negated { " ! " } else { " " });
        text.push_str(option.name);
        for value in &option.values {
            text.push(' ');
            text.push_str(&value.to_str());
        }
    }
}

fn connmark(t: ConnmarkTarget) -> String {
    match t.action {
        Some(ConnmarkAction::Set(mark)) => {
            format!("marks its connection with {:#x}/{:#x}", mark.value, mark.mask)
        }
        Some(ConnmarkAction::Save(_)) => "keeps its mark for the connection".to_owned(),
        Some(ConnmarkAction::Restore(_)) => "gives it the mark of its connection".to_owned(),
        None => "does nothing".to_owned(),
    }
}

fn dnat(t: &DnatTarget) -> String {
    let many = t.to.addresses.is_some_and(|range| range.first != range.last);
    match t.to.addresses {
        None => format!("sends it to the port {} instead", t.to.to_string().trim_start_matches(':')),
        Some(_) if many => format!("sends it to one of {} instead", t.to),
        Some(_) => format!("sends it to {} instead", t.to),
    }
}

fn mark(t: MarkTarget) -> String {
    match (t.value, t.mask) {
        (0, 0) => "leaves its mark as it is".to_owned(),
        (value, 0) => format!("flips the bits {value:#x} of its mark"),
        (0, mask) => format!("clears the bits {mask:#x} of its mark"),
        (value, u32::MAX) => format!("marks it with {value:#x}"),
        (value, mask) => format!("marks it with {value:#x}/{mask:#x}"),
    }
}

fn masquerade(t: MasqueradeTarget) -> String {
    let port = if t.random || t.random_fully { " and a port by chance" } else { "" };
    format!("masquerades it: gives it this node's address as source{port}")
}

fn redirect(t: RedirectTarget) -> String {
    let port = t.to_ports.map_or_else(String::new, |ports| format!(", port {ports},"));
    format!("sends it to this node itself{port} instead")
}

fn snat(t: &SnatTarget) -> String {
    format!("gives it {} as source", t.to)
}
