use std::fmt;

use nom::IResult;

use crate::syntax::Value;

/// An IP protocol number; 0 stands for any in `-p`.
///
/// ```
/// use hookwalk_parser::types::Protocol;
/// assert_eq!("UDP".parse::<Protocol>().unwrap(), Protocol::UDP);
/// assert_eq!(Protocol(47).to_string(), "gre");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(
    /// The number of the IANA registry "Assigned Internet Protocol Numbers".
    pub u8,
);

impl Protocol {
    /// Any protocol, as `-p all` says it.
    pub const ANY: Protocol = Protocol(0);
    /// ICMP for IPv4.
    pub const ICMP: Protocol = Protocol(1);
    /// TCP.
    pub const TCP: Protocol = Protocol(6);
    /// UDP.
    pub const UDP: Protocol = Protocol(17);
    /// DCCP.
    pub const DCCP: Protocol = Protocol(33);
    /// ICMP for IPv6.
    pub const ICMPV6: Protocol = Protocol(58);
    /// SCTP.
    pub const SCTP: Protocol = Protocol(132);
    /// Mobility header of IPv6.
    pub const MOBILITY: Protocol = Protocol(135);
    /// UDP-Lite.
    pub const UDPLITE: Protocol = Protocol(136);

    /// Whether its header starts with a source and a destination port.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::DCCP | Self::SCTP | Self::UDPLITE)
    }

    /// Whether it is ICMP, of either family.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }
}

/// Number and names; the first name is the one iptables-save 1.8.9 prints.
const NAMES: &[(u8, &[&str])] = &[
    (0, &["all"]),
    (1, &["icmp"]),
    (2, &["igmp"]),
    (3, &["ggp"]),
    (4, &["ipencap", "ipip4"]),
    (5, &["st"]),
    (6, &["tcp"]),
    (8, &["egp"]),
    (9, &["igp"]),
    (12, &["pup"]),
    (17, &["udp"]),
    (20, &["hmp"]),
    (22, &["xns-idp"]),
    (27, &["rdp"]),
    (29, &["iso-tp4"]),
    (33, &["dccp"]),
    (36, &["xtp"]),
    (37, &["ddp"]),
    (38, &["idpr-cmtp"]),
    (41, &["ipv6"]),
    (43, &["ipv6-route"]),
    (44, &["ipv6-frag"]),
    (45, &["idrp"]),
    (46, &["rsvp"]),
    (47, &["gre"]),
    (50, &["esp", "ipv6-crypt"]),
    (51, &["ah", "ipv6-auth"]),
    (57, &["skip"]),
    (58, &["ipv6-icmp", "icmpv6", "icmp6"]),
    (59, &["ipv6-nonxt"]),
    (60, &["ipv6-opts"]),
    (73, &["rspf"]),
    (81, &["vmtp"]),
    (88, &["eigrp"]),
    (89, &["ospf"]),
    (93, &["ax.25"]),
    (94, &["ipip"]),
    (97, &["etherip"]),
    (98, &["encap"]),
    (103, &["pim"]),
    (108, &["ipcomp"]),
    (112, &["vrrp"]),
    (115, &["l2tp"]),
    (124, &["isis"]),
    (132, &["sctp"]),
    (133, &["fc"]),
    (135, &["mobility-header", "mh", "ipv6-mh"]),
    (136, &["udplite"]),
    (137, &["mpls-in-ip"]),
    (138, &["manet"]),
    (139, &["hip"]),
    (140, &["shim6"]),
    (141, &["wesp"]),
    (142, &["rohc"]),
    (143, &["ethernet"]),
];

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0).and_then(|(_, names)| names.first()) {
            Some(name) => f.pad(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::str::FromStr for Protocol {
    type Err = crate::syntax::Expected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::syntax::value(text.as_bytes())
    }
}

impl Value for Protocol {
    const EXPECTED: &'static str = "a protocol by name or by number from 0 to 255";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        match input {
            b"tcp" => return Ok((&[], Protocol::TCP)),
            b"udp" => return Ok((&[], Protocol::UDP)),
            _ => {}
        }
        if input.first().is_some_and(u8::is_ascii_digit) {
            return u8::read(input).map(|(rest, number)| (rest, Protocol(number)));
        }
        NAMES
            .iter()
            .find(|(_, names)| names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(input)))
            .map(|(number, _)| (&b""[..], Protocol(*number)))
            .ok_or_else(|| nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt)))
    }
}
