use hookwalk_engine::Sysctls;

use super::error::{ContextError, Position, quoted};
use super::pieces::{Piece, pieces};
use super::text::offset_in;

/// Reads the lines of `sysctl -a`, `net.ipv4.ip_forward = 1`, and their forms as paths,
/// `/proc/sys/net/ipv4/ip_forward = 1`. Settings that do not decide a packet's way are passed over.
///
/// Each setting has one value for the node here: that of `conf.all`, else the one that all
/// interfaces agree on. The kernel asks `all` first too for `route_localnet`; an interface that
/// differs gets an error. Forwarding is IPv4's where both families are given.
///
/// ```
/// let (sysctls, errors) = hookwalk::context::sysctls(
///     "net.ipv4.conf.all.route_localnet = 0
/// net.ipv4.conf.eth0.route_localnet = 1
/// net.ipv4.ip_forward = 1
/// ",
/// );
/// assert_eq!((sysctls.forwarding, sysctls.route_localnet), (Some(true), Some(false)));
/// assert_eq!(
///     errors[0].to_string(),
///     "2:1: `net.ipv4.conf.eth0.route_localnet` differs from other interfaces, and one value is taken for all: 0"
/// );
/// ```
pub fn sysctls(text: &str) -> (Sysctls, Vec<ContextError>) {
    let mut errors = Vec::new();
    let (mut forward4, mut forward6) = (Setting::default(), Setting::default());
    let mut localnet = Setting { all_is_enough: true, ..Setting::default() };
    for piece in pieces(text) {
        let line = match piece {
            Piece::Line(line) => line,
            Piece::Object(at, _) => {
                errors.push(at.error("JSON, expected lines such as `net.ipv4.ip_forward = 1`"));
                continue;
            }
            Piece::Bad(error) => {
                errors.push(error);
                continue;
            }
        };
        let written = line.text.trim();
        let Some((key, value)) = written.split_once('=').or_else(|| written.rsplit_once(':')) else {
            continue;
        };
        let Some((what, interface)) = setting(key.trim()) else { continue };
        let at = Position { column: line.at.column.saturating_add(offset_in(line.text, written)), ..line.at };
        let Ok(value) = value.trim().parse::<i64>() else {
            errors.push(at.error(format!(
                "{} is not a value of {}",
                quoted(value.trim()),
                quoted(key.trim())
            )));
            continue;
        };
        let value = value != 0;
        let setting = match what {
            What::Forward4 => &mut forward4,
            What::Forward6 => &mut forward6,
            What::Localnet => &mut localnet,
        };
        match interface {
            "all" => setting.all = Some(value),
            // What new interfaces begin with.
            "default" => {}
            _ => setting.each.push((at, key.trim().to_owned(), value)),
        }
    }
    let forwarding6 = forward6.value(&mut errors);
    let forwarding = forward4.value(&mut errors).or(forwarding6);
    let route_localnet = localnet.value(&mut errors);
    errors.sort();
    (Sysctls { forwarding, route_localnet }, errors)
}

enum What {
    Forward4,
    Forward6,
    Localnet,
}

/// What a key sets, and for which interface.
fn setting(key: &str) -> Option<(What, &str)> {
    let key = key.trim_start_matches('-');
    let key = key.strip_prefix("/proc/sys/").unwrap_or(key);
    // The first separator tells the form: in the other one it is part of an interface's name.
    let separator = key.chars().find(|c| matches!(c, '/' | '.'))?;
    parts(key, separator)
}

fn parts(key: &str, separator: char) -> Option<(What, &str)> {
    let (net, rest) = key.split_once(separator)?;
    let (family, rest) = rest.split_once(separator)?;
    if net != "net" {
        return None;
    }
    if (family, rest) == ("ipv4", "ip_forward") {
        return Some((What::Forward4, "all"));
    }
    let (interface, name) = rest.strip_prefix("conf")?.strip_prefix(separator)?.rsplit_once(separator)?;
    match (family, name) {
        ("ipv4", "forwarding") => Some((What::Forward4, interface)),
        ("ipv6", "forwarding") => Some((What::Forward6, interface)),
        ("ipv4", "route_localnet") => Some((What::Localnet, interface)),
        _ => None,
    }
}

#[derive(Default)]
struct Setting {
    all: Option<bool>,
    /// The kernel asks for one of `all` and the interface.
    all_is_enough: bool,
    each: Vec<(Position, String, bool)>,
}

impl Setting {
    fn value(self, errors: &mut Vec<ContextError>) -> Option<bool> {
        let first = self.each.first().map(|(_, _, value)| *value);
        let agreed = first.filter(|first| self.each.iter().all(|(_, _, value)| value == first));
        let value = self.all.or(agreed);
        if self.all_is_enough && self.all == Some(true) {
            return value;
        }
        for (at, key, own) in &self.each {
            if value.is_some_and(|value| value != *own) {
                let taken = u8::from(value == Some(true));
                errors.push(at.error(format!(
                    "{} differs from other interfaces, and one value is taken for all: {taken}",
                    quoted(key)
                )));
            }
        }
        if let (None, Some((at, key, _))) = (value, self.each.first()) {
            errors.push(at.error(format!("{} differs between interfaces, and none is taken", quoted(key))));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<bool>, Option<bool>, usize) {
        let (sysctls, errors) = sysctls(text);
        (sysctls.forwarding, sysctls.route_localnet, errors.len())
    }

    #[test]
    fn forms_of_lines() {
        for line in [
            "net.ipv4.ip_forward = 1",
            "net.ipv4.ip_forward=1\r",
            "/proc/sys/net/ipv4/ip_forward = 1",
            "/proc/sys/net/ipv4/ip_forward:1",
            "net/ipv4/conf/all/forwarding = 1",
            "net.ipv4.conf.eth0/10.forwarding = 1",
            "net/ipv4/conf/eth0.10/forwarding = 1",
            "net.ipv6.conf.all.forwarding = 2",
        ] {
            assert_eq!(read(line), (Some(true), None, 0), "{line}");
        }
        for line in [
            "",
            "# net",
            "sysctl: permission denied on key 'fs.protected_fifos'",
            "net.ipv4.ip_forwarding = 1",
            "a = b",
        ] {
            assert_eq!(read(line), (None, None, 0), "{line}");
        }
        assert_eq!(read("net.ipv4.ip_forward = yes"), (None, None, 1));
    }

    #[test]
    fn interfaces_agree_or_do_not() {
        let key =
            |interface: &str, value: u8| format!("net.ipv4.conf.{interface}.route_localnet = {value}\n");
        assert_eq!(read(&(key("all", 1) + &key("eth0", 0))), (None, Some(true), 0));
        assert_eq!(read(&(key("eth0", 1) + &key("eth1", 1) + &key("default", 0))), (None, Some(true), 0));
        assert_eq!(read(&(key("eth0", 1) + &key("eth1", 0))), (None, None, 1));
        assert_eq!(read(&(key("all", 0) + &key("eth1", 1))), (None, Some(false), 1));
    }

    #[test]
    fn ipv4_speaks_for_forwarding() {
        assert_eq!(read("net.ipv6.conf.all.forwarding = 0\nnet.ipv4.ip_forward = 1"), (Some(true), None, 0));
    }
}
