use std::net::IpAddr;

use hookwalk_engine::RouteKind;
use hookwalk_parser::types::Family;

use super::{DESTINATION, Destination, Entry, Hop, Reading, kind, metric};
use crate::context::error::{ContextError, Position, quoted};
use crate::context::json::Object;
use crate::context::values::{self, prefix};

impl Reading {
    /// One route of the JSON form. Older tools print `{}` for what is filtered out.
    pub(super) fn object(&mut self, at: Position, object: &Object) {
        self.open = false;
        if object.is_empty() {
            return;
        }
        let kind = match object.text("type") {
            None => RouteKind::Unicast,
            Some(word) => match kind(&word) {
                Some(kind) => kind,
                None => {
                    return self.errors.push(at.error(format!("{} is not a type of route", quoted(&word))));
                }
            },
        };
        let Some(word) = object.text("dst") else {
            return self.errors.push(at.error("a route without `dst`"));
        };
        let Some(destination) = Destination::read(&word) else {
            return self.errors.push(at.error(format!("{} is not {DESTINATION}", quoted(&word))));
        };
        let mut entry = Entry::new(kind, destination);
        entry.table = self.table;
        self.read_keys(&mut entry, at, object);
        if let Err(error) = hop(&mut entry, at, object) {
            entry.partial = true;
            self.errors.push(error);
        }
        for next in object.list("nexthops") {
            entry.hops.push(Hop::default());
            if let Err(error) = hop(&mut entry, at, &Object::from(next)) {
                entry.partial = true;
                self.errors.push(error);
            }
        }
        entry.family = entry.family.or(self.family);
        self.entries.push(entry);
    }

    fn read_keys(&mut self, entry: &mut Entry, at: Position, object: &Object) {
        if let Some(name) = object.text("table") {
            entry.table = Some(values::route_table(&name));
        }
        if let Some(text) = object.text("metric") {
            if let Some(metric) = metric(&text) {
                entry.metric = metric;
            } else {
                entry.partial = true;
                self.errors.push(at.error(format!("{} is not a metric such as 100", quoted(&text))));
            }
        }
        entry.by_kernel = matches!(object.text("protocol").as_deref(), Some("kernel" | "2"));
        entry.cached = object.has("cache");
        if object.text("scope").is_some_and(|scope| !matches!(scope.as_str(), "global" | "0")) {
            entry.family_is(Family::V4);
        }
        if let Some(source) = object.text("prefsrc").and_then(|source| source.parse().ok()) {
            entry.family_is(Family::of(source));
        }
        if ["pref", "expires", "error"].iter().any(|key| object.has(key)) {
            entry.family_is(Family::V6);
        }
        if let Some(source) = object.text("from") {
            if let Some((address, _)) = prefix(&source) {
                entry.family_is(Family::of(address));
            }
            entry.only_for(at, "from", &mut self.errors);
        }
        // With an encapsulation it is the outer header's.
        if object.has("tos") && !object.has("encap") {
            entry.only_for(at, "tos", &mut self.errors);
        }
    }
}

/// The gateway, interface and flags of a route or of one of its next hops.
fn hop(entry: &mut Entry, at: Position, object: &Object) -> Result<(), ContextError> {
    let via = object.get("via").map(Object::from);
    let gateway = match &via {
        Some(via) => via.text("host"),
        None => object.text("gateway"),
    };
    if let Some(text) = gateway {
        let address: IpAddr =
            text.parse().map_err(|_| at.error(format!("{} is not {}", quoted(&text), values::ADDRESS)))?;
        entry.via(address, via.is_some());
    }
    let interface = match object.text("dev") {
        Some(name) => {
            let bad = || at.error(format!("{} is not {}", quoted(&name), values::INTERFACE));
            Some(values::interface(&name).ok_or_else(bad)?)
        }
        None => None,
    };
    if let Some(hop) = entry.hops.last_mut() {
        hop.next.interface = interface;
        hop.dead = object.lists("flags", "dead");
    }
    Ok(())
}
