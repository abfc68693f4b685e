use std::net::IpAddr;

use hookwalk_parser::types::PortRange;

/// Where the first packet of a connection came out: what its mapping leads to, and where answers
/// come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    pub(crate) src: IpAddr,
    pub(crate) sport: Option<u16>,
    pub(crate) sport_range: Option<PortRange>,
    pub(crate) src_unknown: bool,
    pub(crate) dst: IpAddr,
    pub(crate) dport: Option<u16>,
    pub(crate) dport_range: Option<PortRange>,
}

/// The addresses and ports of a connection's answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplyTuple {
    pub(crate) src: IpAddr,
    pub(crate) sport: Option<u16>,
    pub(crate) dst: IpAddr,
    pub(crate) dport: Option<u16>,
}
