//! From netlink messages to what they say about the packet in hand.
//!
//! Numbers are those of `linux/netfilter/nf_tables.h` and `linux/netfilter/nfnetlink_log.h`.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::connections::{self, Connection, Handle};
use super::error::Error;
use super::netlink::{DUMP, Message, Request, Socket, attribute, number, number32, text};
use super::observation::{At, Hook, ReplyKind, Step};
use super::watch::{self, group};
use crate::arbiter::Backend;
use crate::packets::icmp;

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE`.
const NFT_TRACE: u16 = 0x0a11;
/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE`.
const GET_RULES: u16 = 0x0a07;
/// `NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET`.
const LOGGED: u16 = 0x0400;
/// `NFNLGRP_NFTRACE` (9), as a mask.
pub(super) const TRACE_GROUP: u32 = 1 << 8;
/// `AF_INET` and `AF_INET6`.
const FAMILIES: [u8; 2] = [2, 10];
/// The bytes of a packet's headers that are kept: those of IPv6, of a fragment and of TCP.
const HEADERS: usize = 96;

/// `NFTA_TRACE_*`.
mod trace {
    pub(super) const TABLE: u16 = 1;
    pub(super) const CHAIN: u16 = 2;
    pub(super) const RULE_HANDLE: u16 = 3;
    pub(super) const TYPE: u16 = 4;
    pub(super) const NETWORK_HEADER: u16 = 8;
    pub(super) const TRANSPORT_HEADER: u16 = 9;
    pub(super) const IN: u16 = 10;
    pub(super) const OUT: u16 = 12;
    pub(super) const MARK: u16 = 14;
    /// `NFT_TRACETYPE_POLICY`.
    pub(super) const POLICY: u32 = 1;
}

/// `NFULA_*`.
mod log {
    pub(super) const MARK: u16 = 2;
    pub(super) const PAYLOAD: u16 = 9;
    pub(super) const PREFIX: u16 = 10;
}

/// The packet was seen at a place.
#[derive(Debug)]
pub(super) struct Sight {
    pub at: Spot,
    /// The mark: before a legacy rule's target, after an nft rule.
    pub mark: u32,
    /// Its headers, where the message has them.
    pub headers: Option<Vec<u8>>,
}

/// A place where the packet was seen.
#[derive(Debug)]
pub(super) enum Spot {
    /// In one of the arbiter's own chains.
    Point { first: bool, hook: Hook, in_index: u32, out_index: u32 },
    /// In a chain under test.
    Step(Step),
}

/// What a message says.
#[derive(Debug)]
pub(super) enum Event {
    Sight(Sight),
    Reply { kind: ReplyKind, packet: Vec<u8> },
    ReplyOnLoopback,
    Connection(Connection, Handle),
}

/// The rules under test, so far as traces need to know them.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Rules of nft by (family, table, handle): the index in their chain.
    handles: HashMap<(u8, String, u64), usize>,
    /// Number of rules of legacy chains by family and (table, chain).
    lengths: BTreeMap<u8, BTreeMap<(String, String), usize>>,
}

impl Rules {
    /// Takes over the chains of legacy tables of a family.
    pub(super) fn set_lengths(&mut self, family: u8, lengths: BTreeMap<(String, String), usize>) {
        self.lengths.insert(family, lengths);
    }

    /// Asks the kernel for the handles of all nft rules.
    pub(super) fn read_handles(&mut self, socket: &mut Socket) -> io::Result<()> {
        let mut handles = HashMap::new();
        for family in FAMILIES {
            let mut lengths = HashMap::<(String, String), usize>::new();
            socket.ask(Request::new(GET_RULES, DUMP, family, 0), |message| {
                let name = |kind| attribute(message.body, kind).map(text).unwrap_or_default();
                let (table, chain) = (name(1), name(2));
                let handle = attribute(message.body, 3).map_or(0, number);
                let length = lengths.entry((table.clone(), chain)).or_default();
                *length += 1;
                handles.insert((family, table, handle), *length);
            })?;
        }
        self.handles = handles;
        Ok(())
    }

    /// What the message says; `None` for messages of no interest.
    pub(super) fn event(&self, message: Message<'_>) -> Result<Option<Event>, Error> {
        let body = message.body;
        Ok(match (message.kind, message.resource) {
            (NFT_TRACE, _) => self.nft_trace(message.family, body)?.map(Event::Sight),
            (LOGGED, group::LEGACY_TRACE) => self.legacy_trace(message.family, body)?.map(Event::Sight),
            (LOGGED, group::REPLY) => {
                let packet = attribute(body, log::PAYLOAD).unwrap_or_default().to_vec();
                (!is_housekeeping(&packet)).then(|| Event::Reply { kind: reply_kind(&packet), packet })
            }
            (LOGGED, group::REPLY_ON_LOOPBACK) => Some(Event::ReplyOnLoopback),
            (connections::NEW, _) => connections::read(message.family, body)
                .map(|(connection, handle)| Event::Connection(connection, handle)),
            _ => None,
        })
    }

    fn nft_trace(&self, family: u8, body: &[u8]) -> Result<Option<Sight>, Error> {
        let (Some(table), Some(chain)) = (attribute(body, trace::TABLE), attribute(body, trace::CHAIN))
        else {
            return Ok(None);
        };
        let (table, chain) = (text(table), text(chain));
        let mark = number32(body, trace::MARK);
        let headers = attribute(body, trace::NETWORK_HEADER)
            .map(|network| [network, attribute(body, trace::TRANSPORT_HEADER).unwrap_or_default()].concat());
        let at = if table == watch::TABLE {
            // The first message of a pass through a chain describes the packet; it is enough.
            let (Some((first, hook)), true) = (watch::chain(&chain), headers.is_some()) else {
                return Ok(None);
            };
            let (in_index, out_index) = (number32(body, trace::IN), number32(body, trace::OUT));
            Spot::Point { first, hook, in_index, out_index }
        } else {
            let at = match attribute(body, trace::RULE_HANDLE).map(number) {
                Some(handle) => At::Rule(
                    *self
                        .handles
                        .get(&(family, table.clone(), handle))
                        .ok_or_else(|| Error::UnknownRule(format!("{table}/{chain} handle {handle}")))?,
                ),
                None if number32(body, trace::TYPE) == trace::POLICY => At::Policy,
                None => At::Return,
            };
            Spot::Step(Step { backend: Backend::Nft, table, chain, at, mark })
        };
        Ok(Some(Sight { at, mark, headers }))
    }

    /// `TRACE: nat:KUBE-SERVICES:rule:4 `. The kernel writes `policy` or `return` in the place of `rule` for
    /// any rule without matches that accepts, drops or returns; only what lies behind the last rule is one.
    fn legacy_trace(&self, family: u8, body: &[u8]) -> Result<Option<Sight>, Error> {
        let prefix = attribute(body, log::PREFIX).map(text).unwrap_or_default();
        let Some(line) = prefix.strip_prefix("TRACE: ") else { return Ok(None) };
        let unknown = || Error::UnknownRule(line.to_owned());
        let (table, rest) = line.trim_end().split_once(':').ok_or_else(unknown)?;
        let (rest, index) = rest.rsplit_once(':').ok_or_else(unknown)?;
        let (chain, word) = rest.rsplit_once(':').ok_or_else(unknown)?;
        let index: usize = index.parse().map_err(|_| unknown())?;
        let (table, chain) = (table.to_owned(), chain.to_owned());
        let key = (table, chain);
        let at = match self.lengths.get(&family).and_then(|lengths| lengths.get(&key)) {
            Some(length) if index <= *length => At::Rule(index),
            Some(_) if word == "policy" => At::Policy,
            Some(_) => At::Return,
            None => return Err(unknown()),
        };
        let (table, chain) = key;
        let mark = number32(body, log::MARK);
        let headers =
            attribute(body, log::PAYLOAD).map(|packet| packet.get(..HEADERS).unwrap_or(packet).to_vec());
        let step = Step { backend: Backend::Legacy, table, chain, at, mark };
        Ok(Some(Sight { at: Spot::Step(step), mark, headers }))
    }
}

fn reply_kind(packet: &[u8]) -> ReplyKind {
    let first = packet.first().copied().unwrap_or(0);
    let (protocol, header) =
        if first >> 4 == 6 { (packet.get(6), 40) } else { (packet.get(9), usize::from(first & 0x0f) * 4) };
    let transport = packet.get(header..).unwrap_or_default();
    match (protocol, transport) {
        (Some(1 | 58), [icmp_type, icmp_code, ..]) => {
            ReplyKind::Icmp { icmp_type: *icmp_type, icmp_code: *icmp_code }
        }
        (Some(6), _) if transport.get(13).is_some_and(|flags| flags & 4 != 0) => ReplyKind::TcpReset,
        _ => ReplyKind::Other,
    }
}

/// Whether the kernel sends this by itself, whatever arrives: multicast listener reports (behind a hop-by-hop
/// header) and neighbour discovery.
pub(super) fn is_housekeeping(packet: &[u8]) -> bool {
    let is_ipv6 = packet.first().is_some_and(|byte| byte >> 4 == 6);
    is_ipv6
        && match packet.get(6) {
            Some(0) => true,
            Some(58) => packet.get(40).is_some_and(|kind| icmp::is_of_the_link(*kind)),
            _ => false,
        }
}

/// Binds this socket to the arbiter's log groups, and legacy traces to `nfnetlink_log`.
pub(super) fn bind_logs(socket: &mut Socket) -> io::Result<()> {
    // `NFULNL_MSG_CONFIG`; then `NFULA_CFG_CMD` with `BIND` or `PF_BIND`, `NFULA_CFG_MODE` with
    // `COPY_PACKET`, and `NFULA_CFG_QTHRESH` of 1, so that each message is sent at once.
    let config = |family, group| Request::new(0x0401, super::netlink::ACK, family, group);
    for family in FAMILIES {
        socket.ask(config(family, 0).with(1, &[3]), |_| ())?;
    }
    for group in [group::LEGACY_TRACE, group::REPLY, group::REPLY_ON_LOOPBACK] {
        socket.ask(config(0, group).with(1, &[1]), |_| ())?;
        let mode = config(0, group).with(2, &[0, 0, 1, 0, 2, 0]).with(5, &1_u32.to_be_bytes());
        socket.ask(mode, |_| ())?;
    }
    Ok(())
}
