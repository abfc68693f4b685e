use std::net::IpAddr;

use hookwalk_engine::{InterfaceAddress, InterfaceName, Scope};
use hookwalk_parser::types::Family;

use super::error::{ContextError, Position, quoted};
use super::json::Object;
use super::pieces::{Piece, pieces};
use super::text::{Line, Word};
use super::values::{self, bits, prefix};

/// Reads `ip addr`, `ip -o addr` or `ip -j addr`, of either family or both.
///
/// Flags (`dynamic`, `tentative`, `deprecated`, `temporary` and so on) and labels are passed over. Of
/// an address with a peer the subnet is the peer's; where that does not hold the address itself, it
/// counts alone, with a prefix of all bits.
///
/// ```
/// let (addresses, errors) = hookwalk::context::addresses(
///     r#"[{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.0.0.1","prefixlen":24,"scope":"global"}]}]"#,
/// );
/// assert_eq!(addresses[0].address().to_string(), "10.0.0.1");
/// assert_eq!(addresses[0].prefix_len(), 24);
/// assert!(errors.is_empty());
/// ```
pub fn addresses(text: &str) -> (Vec<InterfaceAddress>, Vec<ContextError>) {
    let mut reading = Reading::default();
    for piece in pieces(text) {
        match piece {
            Piece::Line(line) => reading.line(line),
            Piece::Object(at, object) => reading.object(at, &object),
            Piece::Bad(error) => reading.errors.push(error),
        }
    }
    (reading.addresses, reading.errors)
}

#[derive(Default)]
struct Reading {
    interface: Option<InterfaceName>,
    addresses: Vec<InterfaceAddress>,
    errors: Vec<ContextError>,
}

/// One address before it is put together.
struct Parts {
    address: IpAddr,
    prefix_len: u8,
    peer: Option<IpAddr>,
    broadcast: Option<IpAddr>,
    scope: Scope,
    secondary: bool,
}

impl Reading {
    fn line(&mut self, line: Line<'_>) {
        if line.is_around() {
            return;
        }
        let mut words = line.words().peekable();
        let Some(mut first) = words.next() else { return };
        if first.text.strip_suffix(':').and_then(values::number).is_some() {
            let Some(name) = words.next() else {
                return self.errors.push(first.error("stands alone, expected an interface behind it"));
            };
            self.interface = values::interface(name.text.trim_end_matches(':'));
            if self.interface.is_none() {
                self.errors.push(name.expected(values::INTERFACE));
            }
            // `ip -o` has the address in the same line.
            match words.next_if(|word| values::family(word.text).is_some()) {
                Some(family) => first = family,
                None => return,
            }
        }
        if values::family(first.text).is_some() {
            self.address(first, words);
        } else if !line.text.starts_with([' ', '\t']) && !is_detail(first.text) {
            self.errors.push(first.expected("the start of an interface such as `2: eth0: <UP>`"));
        }
    }

    /// `inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0`
    fn address<'t>(&mut self, family: Word<'t>, mut words: impl Iterator<Item = Word<'t>>) {
        let Some(word) = words.next() else {
            return self.errors.push(family.error("stands alone, expected an address behind it"));
        };
        let wanted = values::family(family.text);
        let Some((address, prefix_len)) =
            prefix(word.text).filter(|(address, _)| Some(Family::of(*address)) == wanted)
        else {
            return self.errors.push(word.expected(values::PREFIX));
        };
        let mut parts = Parts {
            address,
            prefix_len,
            peer: None,
            broadcast: None,
            scope: Scope::Global,
            secondary: false,
        };
        while let Some(word) = words.next() {
            match word.text {
                "peer" => match words.next() {
                    Some(value) => match prefix(value.text) {
                        Some((peer, len)) => (parts.peer, parts.prefix_len) = (Some(peer), len),
                        None => self.errors.push(value.expected(values::PREFIX)),
                    },
                    None => self.errors.push(word.error("stands alone, expected an address behind it")),
                },
                "brd" => match words.next() {
                    Some(value) => match value.text.parse() {
                        Ok(address) => parts.broadcast = Some(address),
                        Err(_) => self.errors.push(value.expected(values::ADDRESS)),
                    },
                    None => self.errors.push(word.error("stands alone, expected an address behind it")),
                },
                "scope" => match words.next() {
                    Some(value) => match scope(value.text) {
                        Some(scope) => parts.scope = scope,
                        None => self.errors.push(value.expected("a scope such as `global`")),
                    },
                    None => self.errors.push(word.error("stands alone, expected a scope behind it")),
                },
                "secondary" => parts.secondary = true,
                "valid_lft" => break,
                // Flags, the label, and words with a value that decides nothing: any, metric, proto.
                _ => {}
            }
        }
        self.push(word.at, &parts);
    }

    /// One interface of the JSON form. Older tools print `{}` for the ones that are filtered out.
    fn object(&mut self, at: Position, object: &Object) {
        if object.is_empty() {
            return;
        }
        let Some(name) = object.text("ifname") else {
            return self.errors.push(at.error("an interface without `ifname`"));
        };
        self.interface = values::interface(&name);
        if self.interface.is_none() {
            return self.errors.push(at.error(format!("{} is not {}", quoted(&name), values::INTERFACE)));
        }
        for info in object.list("addr_info") {
            let info = Object::from(info);
            if !info.is_empty() {
                self.address_info(at, &info);
            }
        }
    }

    fn address_info(&mut self, at: Position, info: &Object) {
        let local = info.text("local").unwrap_or_default();
        let Ok(address) = local.parse::<IpAddr>() else {
            return self.errors.push(at.error(format!(
                "`local` {} is not {}",
                quoted(&local),
                values::ADDRESS
            )));
        };
        let mut optional = |key: &str| {
            let text = info.text(key)?;
            let address = text.parse().ok();
            if address.is_none() {
                self.errors.push(at.error(format!("`{key}` {} is not {}", quoted(&text), values::ADDRESS)));
            }
            address
        };
        let (peer, broadcast) = (optional("address"), optional("broadcast"));
        let prefix_len = match info.text("prefixlen") {
            Some(text) => values::number(&text).and_then(|len| u8::try_from(len).ok()).unwrap_or(u8::MAX),
            None => bits(address),
        };
        let scope_name = info.text("scope");
        let scope = scope_name.as_deref().map_or(Some(Scope::Global), scope).unwrap_or_else(|| {
            let name = quoted(scope_name.as_deref().unwrap_or_default());
            self.errors.push(at.error(format!("{name} is not a scope such as `global`")));
            Scope::Global
        });
        let secondary = info.get("secondary").is_some_and(|value| value != false);
        self.push(at, &Parts { address, prefix_len, peer, broadcast, scope, secondary });
    }

    fn push(&mut self, at: Position, parts: &Parts) {
        let Parts { address, prefix_len, peer, broadcast, scope, secondary } = *parts;
        let Some(interface) = self.interface else {
            let address = address.to_string();
            return self.errors.push(at.error(format!("{} belongs to no interface", quoted(&address))));
        };
        let of = |address, len| InterfaceAddress::new(interface, address, len);
        let own = match peer {
            Some(peer) => of(peer, prefix_len)
                .map(|net| if net.subnet_contains(address) { prefix_len } else { bits(address) }),
            None => Some(prefix_len),
        };
        let Some(mut own) = own.and_then(|len| of(address, len)) else {
            return self.errors.push(at.error(format!("`{address}/{prefix_len}` is not {}", values::PREFIX)));
        };
        (own.scope, own.secondary, own.broadcast) = (scope, secondary, broadcast);
        self.addresses.push(own);
    }
}

/// Lines of an interface that say nothing about its addresses, where the indentation got lost.
fn is_detail(word: &str) -> bool {
    word.starts_with("link/") || matches!(word, "valid_lft" | "altname" | "RX:" | "TX:" | "vlan" | "alias")
}

/// A scope by name, or by number as `ip -N` prints it.
fn scope(text: &str) -> Option<Scope> {
    Some(match text {
        "global" => Scope::Global,
        "site" => Scope::Site,
        "link" => Scope::Link,
        "host" | "nowhere" => Scope::Host,
        _ => match values::number(text)? {
            0..200 => Scope::Global,
            200..253 => Scope::Site,
            253 => Scope::Link,
            254..256 => Scope::Host,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests;
