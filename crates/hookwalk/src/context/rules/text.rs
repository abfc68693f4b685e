use std::iter::Peekable;
use std::net::IpAddr;

use hookwalk_engine::{InterfaceName, RoutingAction};
use hookwalk_parser::types::MarkMask;

use super::{Draft, UNSUPPORTED, action, mark};
use crate::context::error::ContextError;
use crate::context::text::{Line, Word};
use crate::context::values::{self, prefix};

/// `32765: from all fwmark 0x1 lookup 100`
pub(super) fn line(line: Line<'_>, errors: &mut Vec<ContextError>) -> Option<Draft> {
    if line.is_around() {
        return None;
    }
    let mut words = line.words().peekable();
    let first = words.next()?;
    let Some(priority) = first.text.strip_suffix(':').and_then(values::number) else {
        errors.push(first.expected("the start of a routing rule such as `32766:`"));
        return None;
    };
    let mut draft = Draft::new(priority);
    let mut acts = false;
    while let Some(word) = words.next() {
        if let Err(error) = part(&mut draft, word, &mut words, &mut acts) {
            draft.unknown = true;
            errors.push(error);
        }
    }
    if !acts {
        draft.unknown = true;
        errors.push(first.error("does nothing that is understood, expected `lookup` and a table"));
    }
    Some(draft)
}

fn part<'t>(
    draft: &mut Draft,
    word: Word<'t>,
    words: &mut Peekable<impl Iterator<Item = Word<'t>>>,
    acts: &mut bool,
) -> Result<(), ContextError> {
    let mut value = || words.next().ok_or_else(|| word.error("stands alone, expected a value behind it"));
    match word.text {
        "not" => draft.rule.not = true,
        "from" => draft.rule.from = network(value()?)?,
        "to" => draft.rule.to = network(value()?)?,
        "fwmark" => draft.rule.fwmark = Some(fwmark(value()?)?),
        "iif" | "dev" => draft.rule.in_interface = Some(interface(value()?)?),
        "lookup" | "table" => {
            *acts = true;
            let name = value()?;
            if name.text.starts_with('[') {
                return Err(name.error(UNSUPPORTED));
            }
            draft.rule.action = RoutingAction::Lookup(values::route_table(name.text));
        }
        "blackhole" | "unreachable" | "prohibit" => {
            *acts = true;
            draft.rule.action = action(word.text).unwrap_or(RoutingAction::Unknown);
        }
        "nop" => (*acts, draft.idle) = (true, true),
        "goto" => {
            *acts = true;
            value()?;
            // Unless the word `[unresolved]` follows: then it goes nowhere.
            if words.next_if(|next| next.text == "[unresolved]").is_none() {
                return Err(word.error(UNSUPPORTED));
            }
            draft.idle = true;
        }
        // Who wrote the rule, what it is counted as, and whether its interface is there.
        "proto" | "protocol" | "realms" => drop(value()?),
        "[detached]" => {}
        "oif"
        | "tos"
        | "dsfield"
        | "ipproto"
        | "sport"
        | "dport"
        | "uidrange"
        | "tun_id"
        | "suppress_prefixlength"
        | "suppress_ifgroup" => {
            value()?;
            return Err(word.error(UNSUPPORTED));
        }
        _ => return Err(word.error(UNSUPPORTED)),
    }
    Ok(())
}

fn network(value: Word<'_>) -> Result<Option<(IpAddr, u8)>, ContextError> {
    if value.text == "all" {
        return Ok(None);
    }
    prefix(value.text).map(Some).ok_or_else(|| value.expected(values::PREFIX))
}

fn fwmark(value: Word<'_>) -> Result<MarkMask, ContextError> {
    let (bits, mask) = match value.text.split_once('/') {
        Some((bits, mask)) => (values::number(bits), values::number(mask)),
        None => (values::number(value.text), Some(u32::MAX)),
    };
    match (bits, mask) {
        (Some(bits), Some(mask)) => Ok(mark(bits, mask)),
        _ => Err(value.expected("a mark such as 0x1 or 0x1/0xff")),
    }
}

fn interface(value: Word<'_>) -> Result<InterfaceName, ContextError> {
    InterfaceName::new(value.text.as_bytes()).ok_or_else(|| value.expected(values::INTERFACE))
}
