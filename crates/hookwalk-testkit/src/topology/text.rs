//! A node as lines, and back.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use hookwalk_parser::types::Family;

use super::{Hop, Interface, Route, RoutingRule, Subnet, Topology};

/// What a line that cannot be read holds.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no line of a node")]
pub struct LineError(String);

impl fmt::Display for Topology {
    /// One line each, words as `ip` and `sysctl` take them: `link tun0`, `addr 10.0.0.1/24 dev tun0`,
    /// `route 10.3.0.0/16 via 10.2.0.9`, `rule -4 priority 100 fwmark 0x1 lookup 100`,
    /// `sysctl net.ipv4.ip_forward=0`, and `untracked` where rules decide whether connections are tracked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for Interface { name, addresses } in &self.interfaces {
            writeln!(text, "link {name}")?;
            for address in addresses {
                writeln!(text, "addr {address} dev {name}")?;
            }
        }
        for route in &self.routes {
            writeln!(text, "route {route}")?;
        }
        for RoutingRule { family, text: rule } in &self.rules {
            writeln!(text, "rule {} {rule}", if *family == Family::V4 { "-4" } else { "-6" })?;
        }
        for (name, value) in &self.sysctls {
            writeln!(text, "sysctl {name}={value}")?;
        }
        if !self.track_connections {
            text.push_str("untracked\n");
        }
        f.write_str(&text)
    }
}

impl std::str::FromStr for Topology {
    type Err = LineError;

    /// What [`Display`](fmt::Display) has written.
    fn from_str(text: &str) -> Result<Self, LineError> {
        let mut node = Self {
            interfaces: vec![],
            routes: vec![],
            rules: vec![],
            sysctls: vec![],
            track_connections: true,
        };
        for line in text.lines() {
            node.read(line).ok_or_else(|| LineError(line.to_owned()))?;
        }
        Ok(node)
    }
}

impl Topology {
    fn read(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "link" => self.interfaces.push(Interface { name: rest.to_owned(), addresses: vec![] }),
            "addr" => {
                let (address, name) = rest.split_once(" dev ")?;
                let interface = self.interfaces.iter_mut().find(|interface| interface.name == name)?;
                interface.addresses.push(subnet(address)?);
            }
            "route" => self.routes.push(route(rest)?),
            "rule" => {
                let (family, text) = rest.split_once(' ')?;
                let family = if family == "-4" { Family::V4 } else { Family::V6 };
                self.rules.push(RoutingRule { family, text: text.to_owned() });
            }
            "sysctl" => {
                let (name, value) = rest.split_once('=')?;
                self.sysctls.push((name.to_owned(), value.to_owned()));
            }
            "untracked" => self.track_connections = false,
            _ => return None,
        }
        Some(())
    }
}

fn subnet(text: &str) -> Option<Subnet> {
    let (address, prefix) = text.split_once('/')?;
    Some(Subnet::new(address.parse::<IpAddr>().ok()?, prefix.parse().ok()?))
}

fn route(text: &str) -> Option<Route> {
    let (text, table) = match text.split_once(" table ") {
        Some((text, table)) => (text, Some(table.parse().ok()?)),
        None => (text, None),
    };
    let words: Vec<&str> = text.split(' ').collect();
    let (to, hop) = match words.as_slice() {
        [to, "via", gateway] => (to, Hop::Via(gateway.parse().ok()?)),
        [to, "dev", name] => (to, Hop::Device((*name).to_owned())),
        ["local", to, "dev", name] => (to, Hop::Local((*name).to_owned())),
        ["unreachable", to] => (to, Hop::Unreachable),
        ["prohibit", to] => (to, Hop::Prohibit),
        ["blackhole", to] => (to, Hop::Blackhole),
        ["throw", to] => (to, Hop::Throw),
        _ => return None,
    };
    Some(Route { to: subnet(to)?, hop, table })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for seed in 0..200 {
            let node = Topology { track_connections: seed % 2 == 0, ..Topology::random(seed) };
            assert_eq!(node.to_string().parse::<Topology>().unwrap(), node);
        }
        assert_eq!(
            "addr 10.0.0.1/24 dev tun9".parse::<Topology>().unwrap_err().to_string(),
            "`addr 10.0.0.1/24 dev tun9` is no line of a node"
        );
    }
}
