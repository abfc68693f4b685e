//! Random ipsets of the types that the kernel at hand knows, as `ipset restore` text.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::draw::Draw;
use super::{Element, Set};
use crate::packets::proto;
use crate::topology::Subnet;

/// What one dimension of a set holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Address,
    Network,
    Port,
    Interface,
}

use Dimension::{Address, Interface, Network, Port};

/// The hash types, with their dimensions (ipset(8)).
const HASHES: [(&str, &[Dimension]); 9] = [
    ("hash:ip", &[Address]),
    ("hash:net", &[Network]),
    ("hash:net", &[Network]),
    ("hash:ip,port", &[Address, Port]),
    ("hash:net,port", &[Network, Port]),
    ("hash:ip,port,ip", &[Address, Port, Address]),
    ("hash:ip,port,net", &[Address, Port, Network]),
    ("hash:net,iface", &[Network, Interface]),
    ("hash:ip", &[Address]),
];

impl Draw<'_> {
    /// Up to three sets, and sometimes a list of them.
    pub(super) fn draw_sets(&mut self) -> Vec<Set> {
        let count = self.dice.number(0..=3);
        let mut sets: Vec<Set> = (0..count).map(|number| self.draw_set(number)).collect();
        if count > 0 && self.chance(20) {
            let members = sets.iter().filter(|set| set.dimensions == 1);
            let members: Vec<(String, Vec<Vec<Element>>)> =
                members.map(|set| (set.name.clone(), set.elements.clone())).collect();
            let mut text = "create ALL list:set size 8\n".to_owned();
            for (member, _) in &members {
                let _ = writeln!(text, "add ALL {member}");
            }
            let elements = members.into_iter().flat_map(|(_, elements)| elements).collect();
            sets.push(Set { name: "ALL".to_owned(), dimensions: 1, text, elements });
        }
        sets
    }

    fn draw_set(&mut self, number: u32) -> Set {
        if self.chance(12) {
            return self.draw_port_map(number);
        }
        if self.is_v4() && self.chance(10) {
            return self.draw_address_map(number);
        }
        let (kind, dimensions) = self.dice.of(HASHES);
        let name = format!("set-{number}:{}", kind.replace([':', ','], "."));
        let family = if self.is_v4() { "inet" } else { "inet6" };
        let mut text = format!("create {name} {kind} family {family}\n");
        let mut elements = Vec::new();
        for _ in 0..self.dice.number(1..=4) {
            let (mut words, mut element) = (Vec::new(), Vec::new());
            for dimension in dimensions {
                let (word, part) = self.draw_dimension(*dimension);
                words.push(word);
                element.push(part);
            }
            // `-exist`: the same element may be drawn twice.
            let nomatch = if dimensions.contains(&Network) && self.chance(15) { " nomatch" } else { "" };
            let _ = writeln!(text, "add {name} {}{nomatch} -exist", words.join(","));
            elements.push(element);
        }
        let dimensions = u32::try_from(dimensions.len()).unwrap_or(1);
        Set { name, dimensions, text, elements }
    }

    fn draw_dimension(&mut self, dimension: Dimension) -> (String, Element) {
        match dimension {
            Address => {
                let address = self.address();
                (address.to_string(), Element::Address(address))
            }
            Network => {
                let address = self.address();
                let length = if self.is_v4() {
                    self.dice.of([8, 16, 24, 24, 31, 32])
                } else {
                    self.dice.of([16, 48, 64, 64, 127, 128])
                };
                let subnet = Subnet::new(address, length);
                let edge = match self.dice.number(0..=4) {
                    0 => subnet.first(),
                    1 => subnet.last(),
                    2 => subnet.nth(-1),
                    _ => address,
                };
                (format!("{}/{length}", subnet.first()), Element::Address(edge))
            }
            Port => {
                let (protocol, name) =
                    self.dice.of([(proto::TCP, "tcp"), (proto::UDP, "udp"), (proto::SCTP, "sctp")]);
                let port = self.port();
                (format!("{name}:{port}"), Element::Port(protocol, port))
            }
            Interface => {
                let names: Vec<String> = self.topology.interfaces.iter().map(|i| i.name.clone()).collect();
                let name = self.dice.pick(&names).cloned().unwrap_or_else(|| "lo".to_owned());
                (name.clone(), Element::Interface(name))
            }
        }
    }

    fn draw_port_map(&mut self, number: u32) -> Set {
        let name = format!("map-{number}");
        let port = self.port();
        let protocol = self.dice.of([proto::TCP, proto::UDP]);
        let text =
            format!("create {name} bitmap:port range 0-65535\nadd {name} {port}\nadd {name} 1000-1100\n");
        let elements = vec![vec![Element::Port(protocol, port)], vec![Element::Port(protocol, 1100)]];
        Set { name, dimensions: 1, text, elements }
    }

    fn draw_address_map(&mut self, number: u32) -> Set {
        let name = format!("map-{number}");
        let mut text = format!("create {name} bitmap:ip range 10.96.0.0/16\n");
        let mut elements = Vec::new();
        for _ in 0..2 {
            let address = self.service();
            let _ = writeln!(text, "add {name} {address} -exist");
            elements.push(vec![Element::Address(address)]);
        }
        let beyond: IpAddr = [10, 97, 0, 0].into();
        elements.push(vec![Element::Address(beyond)]);
        Set { name, dimensions: 1, text, elements }
    }
}
