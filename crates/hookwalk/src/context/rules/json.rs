use std::net::IpAddr;

use hookwalk_engine::{InterfaceName, RoutingAction};
use hookwalk_parser::types::MarkMask;

use super::{Draft, UNSUPPORTED, action, mark};
use crate::context::error::{ContextError, Position, quoted};
use crate::context::json::Object;
use crate::context::values::{self, prefix};

/// One rule of the JSON form. Older tools print `{}` for what is filtered out.
pub(super) fn object(at: Position, object: &Object, errors: &mut Vec<ContextError>) -> Option<Draft> {
    if object.is_empty() {
        return None;
    }
    let Some(priority) = object.text("priority").as_deref().and_then(values::number) else {
        errors.push(at.error("a routing rule without `priority`"));
        return None;
    };
    let mut draft = Draft::new(priority);
    let mut acts = false;
    for key in object.keys() {
        if let Err(error) = part(&mut draft, at, object, key, &mut acts) {
            draft.unknown = true;
            errors.push(error);
        }
    }
    if !acts {
        draft.unknown = true;
        errors.push(at.error("this rule does nothing that is understood, expected `table`"));
    }
    Some(draft)
}

fn part(
    draft: &mut Draft,
    at: Position,
    object: &Object,
    key: &str,
    acts: &mut bool,
) -> Result<(), ContextError> {
    let unsupported = || at.error(format!("`{key}` {UNSUPPORTED}"));
    let value = || object.text(key).ok_or_else(|| at.error(format!("`{key}` has no value")));
    match key {
        "not" => draft.rule.not = true,
        "src" => draft.rule.from = network(at, &value()?, object.text("srclen"))?,
        "dst" => draft.rule.to = network(at, &value()?, object.text("dstlen"))?,
        "fwmark" => draft.rule.fwmark = Some(fwmark(at, &value()?, object.text("fwmask").as_deref())?),
        "iif" => {
            let name = value()?;
            let bad = || at.error(format!("{} is not {}", quoted(&name), values::INTERFACE));
            draft.rule.in_interface = Some(InterfaceName::new(name.as_bytes()).ok_or_else(bad)?);
        }
        "table" => {
            *acts = true;
            draft.rule.action = RoutingAction::Lookup(values::route_table(&value()?));
        }
        "action" => {
            *acts = true;
            let word = value()?;
            draft.rule.action =
                action(&word).ok_or_else(|| at.error(format!("{} {UNSUPPORTED}", quoted(&word))))?;
        }
        "nop" => (*acts, draft.idle) = (true, true),
        "goto" => {
            *acts = true;
            if !object.has("unresolved") {
                return Err(unsupported());
            }
            draft.idle = true;
        }
        "l3mdev" => {
            *acts = true;
            return Err(unsupported());
        }
        // Read with another key, or of no consequence.
        "priority" | "srclen" | "dstlen" | "fwmask" | "iif_detached" | "oif_detached" | "unresolved"
        | "protocol" | "flow_from" | "flow_to" | "sport_end" | "dport_end" | "uid_end" => {}
        _ => return Err(unsupported()),
    }
    Ok(())
}

fn network(at: Position, text: &str, len: Option<String>) -> Result<Option<(IpAddr, u8)>, ContextError> {
    if text == "all" {
        return Ok(None);
    }
    let text = match len {
        Some(len) => format!("{text}/{len}"),
        None => text.to_owned(),
    };
    prefix(&text).map(Some).ok_or_else(|| at.error(format!("{} is not {}", quoted(&text), values::PREFIX)))
}

fn fwmark(at: Position, text: &str, mask: Option<&str>) -> Result<MarkMask, ContextError> {
    let number = |text: &str| {
        values::number(text).ok_or_else(|| at.error(format!("{} is not a mark such as 0x1", quoted(text))))
    };
    Ok(mark(number(text)?, mask.map_or(Ok(u32::MAX), number)?))
}
